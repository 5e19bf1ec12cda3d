import { ApiKeys, type KeyRequest } from './api-keys.js';
import { readKey } from './key-text.js';
import type { LiveKey } from './rights.js';
import { SCOPES } from './scope.js';
import { InMemoryApiKeyStore } from './testing/in-memory-api-key-store.js';

const NOW = Date.parse('2026-11-21T12:00:00.000Z');
const SOON = '2026-11-22T00:00:00.000Z';
const LATER = '2027-11-22T00:00:00.000Z';

let store: InMemoryApiKeyStore;
let keys: ApiKeys;

beforeEach(() => {
  store = new InMemoryApiKeyStore(() => NOW);
  keys = new ApiKeys(store);
});

const REQUEST: KeyRequest = { name: 'a kiosk', scopes: ['use', 'read'], pools: ['seats', 'desks', 'seats'] };
const ISSUER: LiveKey = {
  id: 'issuer000000',
  scopes: ['read', 'use', 'keys'],
  pools: new Set(['desks', 'seats']),
  expires_at: SOON,
};

test('create returns the text of the key once, and stores the key without its secret', async () => {
  const { key, ...view } = await keys.create(REQUEST, null);
  const parts = readKey(key);
  expect(view).toEqual({
    id: parts?.id,
    name: 'a kiosk',
    scopes: ['read', 'use'],
    pools: ['desks', 'seats'],
    created_at: '2026-11-21T12:00:00.000Z',
    created_by: null,
    expires_at: null,
    revoked_at: null,
    revoked_by: null,
    rotated_at: null,
    rotated_by: null,
    last_used_at: null,
    old_secret_until: null,
  });
  const stored = await store.find(view.id);
  expect(JSON.stringify(stored)).not.toContain(parts?.secret);
  expect((await keys.list({ limit: 10 }, null)).keys).toEqual([view]);
});

test.each<[string, Partial<KeyRequest>, RegExp]>([
  ['an empty name', { name: ' ' }, /^name must/],
  ['a name of two lines', { name: 'a\nb' }, /^name must/],
  ['a long name', { name: 'x'.repeat(201) }, /^name must/],
  ...[
    '\u202e',
    '\u2028',
    '\u2029',
    '\u200b',
    '\u200d',
    '\u2066',
    '\ufeff',
    '\u00ad',
    '\u0085',
    '\u{e0041}',
    '\ue000',
    '\ud800',
  ].map((one): [string, Partial<KeyRequest>, RegExp] => [
    `a name with U+${one.codePointAt(0)!.toString(16)} in it`,
    { name: `kiosk${one}7` },
    /^name must/,
  ]),
  ...['\u3164', '\u2800\u00a0', '\ufe0f'].map((name): [string, Partial<KeyRequest>, RegExp] => [
    `an invisible name, U+${name.codePointAt(0)!.toString(16)}`,
    { name },
    /^name must/,
  ]),
  ['no scope', { scopes: [] }, /^scopes must/],
  ['no pool', { pools: [] }, /^pools must/],
  ['a bad pool', { pools: ['A b'] }, /^the name of each pool must/],
  ['an end in the past', { expires_at: '2026-11-21T11:59:59Z' }, /^expires_at must/],
])('create refuses %s, and stores nothing', async (_what, change, words) => {
  await expect(keys.create({ ...REQUEST, ...change }, null)).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringMatching(words) as string,
  });
  expect((await keys.list({ limit: 10 }, null)).keys).toEqual([]);
});

test.each(['Café №7 ☂️', 'ключ', '鍵 7', 'مفتاح', '😀'.repeat(200)])('create accepts the name %s', async (name) => {
  expect((await keys.create({ ...REQUEST, name }, null)).name).toBe(name);
});

test.each<[string, Partial<KeyRequest>, string]>([
  ['a scope', { scopes: ['read', 'operate'] }, 'the scope operate'],
  ['all pools', { pools: null }, 'all pools'],
  ['a pool', { pools: ['seats', 'vault'] }, 'the pool vault'],
  ['a longer life', { expires_at: LATER }, 'a longer life'],
  ['a life without end', { expires_at: null }, 'a longer life'],
])('a key cannot issue one with %s that it lacks', async (_what, change, lacking) => {
  await expect(keys.create({ ...REQUEST, ...change }, ISSUER)).rejects.toMatchObject({
    code: 'insufficient_scope',
    message: `a key cannot give away ${lacking}: it lacks it`,
  });
  expect((await keys.list({ limit: 10 }, null)).keys).toEqual([]);
});

test('a key issues one with its own rights, which ends with its issuer by default', async () => {
  expect(await keys.create(REQUEST, ISSUER)).toMatchObject({ created_by: ISSUER.id, expires_at: SOON });
});

describe('a key that may do less than another one', () => {
  test.each<[string, Partial<KeyRequest>]>([
    ['by a scope', { scopes: SCOPES }],
    ['by all pools', { pools: null }],
    ['by a pool', { pools: ['vault'] }],
    ['by its life', { expires_at: LATER }],
  ])('(%s) cannot list, rotate or revoke that one', async (_by, more) => {
    const { id } = await keys.create({ ...REQUEST, expires_at: SOON, ...more }, null);
    const before = await store.find(id);
    expect((await keys.list({ limit: 10 }, ISSUER)).keys).toEqual([]);
    for (const attempt of [() => keys.rotate(id, 60, ISSUER), () => keys.revoke(id, ISSUER)]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'key_not_found', message: `there is no key ${id}` });
    }
    expect(await store.find(id)).toEqual(before);
  });
});

describe('a rotation of an issued key', () => {
  const OPERATOR: LiveKey = { ...ISSUER, id: 'operator0000', scopes: [...ISSUER.scopes, 'operate'] };
  const GIVEN = { ...REQUEST, scopes: ['use', 'read', 'keys'], expires_at: SOON } as const;

  test('is refused to another key without `operate`, which may still revoke the key', async () => {
    const { id } = await keys.create(GIVEN, null);
    const before = await store.find(id);
    await expect(keys.rotate(id, 60, ISSUER)).rejects.toMatchObject({
      code: 'insufficient_scope',
      message: `this key lacks the scope operate, which it takes to rotate ${id}, a key that another key gave`,
    });
    expect(await store.find(id)).toEqual(before);
    expect(await keys.revoke(id, ISSUER)).toMatchObject({ id, revoked_by: ISSUER.id });
    expect(await keys.revoke(id, OPERATOR)).toMatchObject({ id, revoked_by: ISSUER.id });
  });

  test('is allowed to the key itself, to its issuer and to a key with `operate`, and records which one asked', async () => {
    const { id } = await keys.create(GIVEN, ISSUER);
    for (const by of [ISSUER, { ...ISSUER, id }, OPERATOR]) {
      expect(await keys.rotate(id, 60, by)).toMatchObject({
        id,
        rotated_by: by.id,
        rotated_at: '2026-11-21T12:00:00.000Z',
      });
    }
    expect(await keys.rotate(id, 60, null)).toMatchObject({ rotated_by: null });
  });

  test('is refused to the issuer of its issuer', async () => {
    const given = await keys.create(GIVEN, ISSUER);
    const { id } = await keys.create(GIVEN, { ...ISSUER, id: given.id });
    await expect(keys.rotate(id, 60, ISSUER)).rejects.toMatchObject({ code: 'insufficient_scope' });
  });
});

test('a rotation gives the same key a new secret, and keeps the old one valid for the given time', async () => {
  const { id, key } = await keys.create(REQUEST, null);
  const rotated = await keys.rotate(id, 60, null);
  expect(rotated).toMatchObject({ id, old_secret_until: '2026-11-21T12:01:00.000Z' });
  expect(readKey(rotated.key)?.secret).not.toBe(readKey(key)?.secret);
});

test('a revoked key keeps the time of its revocation, and cannot be rotated', async () => {
  const { id } = await keys.create(REQUEST, null);
  const revoked = await keys.revoke(id, null);
  expect(revoked.revoked_at).toBe('2026-11-21T12:00:00.000Z');
  expect(await keys.revoke(id, null)).toEqual(revoked);
  await expect(keys.rotate(id, 60, null)).rejects.toMatchObject({ code: 'key_not_found' });
});

test('revoke does not find a key that never existed', async () => {
  await expect(keys.revoke('000000000000', null)).rejects.toMatchObject({ code: 'key_not_found' });
});

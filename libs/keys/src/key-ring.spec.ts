import { DomainError } from '@app/tokens';
import { ApiKeys } from './api-keys.js';
import { KeyRing } from './key-ring.js';
import { keyText, newSecret } from './key-text.js';
import { InMemoryApiKeyStore } from './testing/in-memory-api-key-store.js';

let ms: number;
let store: InMemoryApiKeyStore;
let keys: ApiKeys;
let ring: KeyRing;

beforeEach(() => {
  ms = Date.parse('2026-11-21T12:00:00.000Z');
  store = new InMemoryApiKeyStore(() => ms);
  keys = new ApiKeys(store);
  ring = new KeyRing(store, () => ms);
});

const create = (expires_at: string | null = null) =>
  keys.create({ name: 'a kiosk', scopes: ['use'], pools: ['seats'], expires_at }, null);

test('check returns the rights of a valid key, with one query for many requests', async () => {
  const { id, key } = await create();
  expect(ring.recall(key)).toBeNull();
  const checks = await Promise.all(Array.from({ length: 50 }, () => ring.check(key)));
  expect(new Set(checks)).toEqual(new Set([{ id, scopes: ['use'], pools: new Set(['seats']), expires_at: null }]));
  expect(ring.recall(key)).toEqual(checks[0]);
  expect(store.found).toBe(1);
});

test('another secret, a typo and an unknown id are invalid; a typo takes no query', async () => {
  const { id, key } = await create();
  await ring.check(key);
  const asked = store.found;
  expect(await ring.check(keyText({ id, secret: newSecret() }))).toBeNull();
  expect(ring.recall(keyText({ id, secret: newSecret() }))).toBeNull();
  expect(await ring.check(`${key.slice(0, -1)}!`)).toBeNull();
  expect(store.found).toBe(asked);
  expect(await ring.check(keyText({ id: '000000000000', secret: newSecret() }))).toBeNull();
});

test('the ring queries an unknown id once in 2.5 s', async () => {
  const unknown = (): string => keyText({ id: '000000000000', secret: newSecret() });
  for (let i = 0; i < 5; i++) expect(await ring.check(unknown())).toBeNull();
  expect(store.found).toBe(1);
  ms += 2500;
  expect(await ring.check(unknown())).toBeNull();
  expect(store.found).toBe(2);
});

test('a revocation takes effect after 2.5 s if another process made it, and at once if this one did', async () => {
  const { id, key } = await create();
  await ring.check(key);
  await keys.revoke(id, null);
  ms += 2499;
  expect(ring.recall(key)?.id).toBe(id);
  ms += 1;
  expect(ring.recall(key)).toBeNull();
  expect(await ring.check(key)).toBeNull();
  expect(await ring.isGood(id)).toBe(false);

  const other = await create();
  expect(await ring.isGood(other.id)).toBe(true);
  await keys.revoke(other.id, null);
  ring.forget(other.id);
  expect(await ring.check(other.key)).toBeNull();
});

test('a request that joins late does not get a revoked key from a slow query', async () => {
  const { id, key } = await create();
  let arrive = (): void => undefined;
  const arrival = new Promise<void>((resolve) => (arrive = resolve));
  const find = jest.spyOn(store, 'find').mockImplementationOnce(async () => {
    const seen = await store.find(id);
    await arrival;
    return seen;
  });
  const early = ring.check(key);
  await new Promise(setImmediate);
  expect(find).toHaveBeenCalledTimes(2);
  await keys.revoke(id, null);
  ms += 2500;
  const late = ring.check(key);
  arrive();
  expect((await early)?.id).toBe(id);
  expect(await late).toBeNull();
  expect(ring.recall(key)).toBeNull();
});

test('a key expires to the millisecond, whether or not the ring remembers it', async () => {
  const { key } = await create('2026-11-21T12:00:01.000Z');
  expect(await ring.check(key)).not.toBeNull();
  ms += 999;
  expect(ring.recall(key)).not.toBeNull();
  ms += 1;
  expect(ring.recall(key)).toBeNull();
  expect(await ring.check(key)).toBeNull();
});

test('after a rotation both secrets are valid, then only the new one; the one before both never is', async () => {
  const first = await create();
  const second = await keys.rotate(first.id, 3600, null);
  const third = await keys.rotate(first.id, 2, null);
  expect(await ring.check(first.key)).toBeNull();
  expect(await ring.check(second.key)).not.toBeNull();
  expect(await ring.check(third.key)).not.toBeNull();
  ms += 2000;
  expect(ring.recall(second.key)).toBeNull();
  expect(ring.recall(third.key)).not.toBeNull();
});

test('while the store is unavailable, a remembered key stays valid for 2.5 s, and the check of any other key rejects', async () => {
  const { key } = await create();
  const other = await create();
  await ring.check(key);
  store.failure = new DomainError('unavailable', 'the database is away');
  expect(await ring.check(key)).not.toBeNull();
  await expect(ring.check(other.key)).rejects.toBe(store.failure);
  ms += 2500;
  await expect(ring.check(key)).rejects.toBe(store.failure);
  store.failure = null;
  expect(await ring.check(key)).not.toBeNull();
});

test('noteUse stores the used keys together and once, and again after a failure; a refused key counts as unused', async () => {
  const [one, two] = [await create(), await create()];
  for (const key of [one.key, one.key, two.key]) await ring.check(key);
  await ring.check(keyText({ id: one.id, secret: newSecret() }));
  store.failure = new Error('away');
  await expect(ring.noteUse()).rejects.toBe(store.failure);
  store.failure = null;
  await ring.noteUse();
  await ring.noteUse();
  expect(store.noted).toEqual([[one.id, two.id]]);
  await ring.check(keyText({ id: one.id, secret: newSecret() }));
  await ring.noteUse();
  expect(store.noted).toHaveLength(1);
});

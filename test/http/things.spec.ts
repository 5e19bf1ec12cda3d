// The routes of things: imports, single tokens, certain and selected grants, secrets, and what is refused.

import { randomBytes, randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { startApp, startAppOn, type TestApp } from '../support/app.js';
import { bearer, openKeys } from '../support/keys.js';
import { A_UUID, clientOf, expectProblem, type Answer, type Ask, type Json } from './client.js';

const SECRETS_KEY = randomBytes(32).toString('base64');
const PIN = 'pin-that-nobody-else-sees';

let app: TestApp;
let ask: Ask;

beforeAll(async () => {
  app = await startApp({ SECRETS_KEY });
  ask = clientOf(app);
});
afterAll(() => app.close());

let pool: string;
let pools = 0;
beforeEach(async () => {
  pool = `phones-${++pools}`;
  await ask('POST', '/api/pools', { name: pool, kind: 'listed' });
});

async function onDatabase(sql: string, values: readonly unknown[]): Promise<void> {
  const client = new Client({ connectionString: app.databaseUrl });
  await client.connect();
  await client.query(sql, [...values]).finally(() => client.end());
}

const put = (tokens: Json, more: object = {}): Promise<Answer> =>
  ask('PUT', `/api/pools/${pool}/tokens`, { tokens, ...more });
const allocate = (body: object): Promise<Answer> => ask('POST', '/api/tokens/allocate', { pool, ...body });
const listed = async (): Promise<Json[]> => (await ask('GET', `/api/tokens?pool=${pool}`)).body.tokens;

const BERLIN = { name: '+49 30 901820', attributes: { country: 'de', sms: true } };
const WIEN = { name: '+43 1 4000', attributes: { country: 'at', sms: false } };

test('a listed pool has the defaults of one', async () => {
  expect((await ask('GET', `/api/pools/${pool}`)).body).toMatchObject({
    ...{ kind: 'listed', size: 100_000, ttl_seconds: 3600, renewable: true, max_lifetime_seconds: null },
    ...{ idle_ttl_seconds: null, on_exhausted: 'reject', release_authority: 'holder' },
    counts: { total: 0, available: 0, active: 0 },
  });
  expectProblem(await ask('PATCH', `/api/pools/${pool}`, { idle_ttl_seconds: 5 }), 400, 'invalid_request');
});

test('an import answers what it has done, and the list shows it', async () => {
  const none = { added: 0, changed: 0, unchanged: 0, deleted: 0, draining: 0 };
  expect((await put([BERLIN, WIEN])).body).toEqual({ ...none, added: 2 });
  expect((await put([WIEN, BERLIN])).body).toEqual({ ...none, unchanged: 2 });
  expect((await put([{ ...WIEN, attributes: { country: 'at' } }])).body).toEqual({ ...none, changed: 1 });
  expect((await put([], { missing: 'keep' })).body).toEqual(none);
  expect(await listed()).toEqual(
    expect.arrayContaining([expect.objectContaining(BERLIN), expect.objectContaining({ name: WIEN.name })]),
  );
  const held = (await allocate({ name: BERLIN.name })).body;
  expect((await put([], { missing: 'delete_when_free' })).body).toEqual({ ...none, deleted: 1, draining: 1 });
  expect(await listed()).toMatchObject([{ ...BERLIN, id: held.token_id, draining: true }]);
});

test('a grant tells name and attributes, by name, by id and by selection', async () => {
  await put([BERLIN, WIEN]);
  const { status, body } = await allocate({ select: { country: ['de', 'fr'], sms: true, roaming: null } });
  expect({ status, body }).toMatchObject({ status: 200, body: { ...BERLIN, secret: null } });
  const held = await allocate({ name: BERLIN.name });
  expectProblem(held, 409, 'token_in_use');
  expect(Number(held.headers.get('retry-after'))).toBeGreaterThan(3500);
  expectProblem(await allocate({ token_id: body.token_id }), 409, 'token_in_use');
  expectProblem(await allocate({ token_id: randomUUID() }), 404, 'token_not_found');
  expectProblem(await allocate({ name: 'nobody' }), 404, 'token_not_found');
  expectProblem(await allocate({ select: { country: 'de' } }), 409, 'pool_exhausted');
  expectProblem(await allocate({ select: { country: 'fr' } }), 422, 'unsatisfiable');
  expect((await allocate({})).body).toMatchObject(WIEN);
});

test('names are one in Unicode form NFC, whichever is sent', async () => {
  await put([{ name: 'cafe\u0301' }]);
  expectProblem(await ask('POST', '/api/tokens', { pool, name: 'caf\u00e9' }), 409, 'token_exists');
  expect((await put([{ name: 'caf\u00e9' }])).body).toMatchObject({ added: 0, unchanged: 1 });
  expect((await put([{ name: 'cafe\u0301' }], { missing: 'delete_when_free' })).body).toMatchObject({ deleted: 0 });
  expect((await allocate({ name: 'cafe\u0301' })).body).toMatchObject({ name: 'caf\u00e9' });
});

test('one token is put in, changed while it is held, and deleted when it is free', async () => {
  const created = await ask('POST', '/api/tokens', { pool, ...BERLIN });
  expect(created).toMatchObject({ status: 201, body: { ...BERLIN, id: A_UUID, status: 'available' } });
  expectProblem(await ask('POST', '/api/tokens', { pool, ...BERLIN }), 409, 'token_exists');
  expectProblem(await ask('POST', '/api/tokens', { pool }), 400, 'invalid_request');
  expectProblem(await ask('POST', '/api/tokens', { pool, attributes: {} }), 400, 'invalid_request');
  const token = `/api/tokens/${created.body.id}`;
  const { lease_id } = (await allocate({ holder: 'ci-1', metadata: { job: 7 } })).body;
  const changed = await ask('PATCH', token, { name: 'cable', attributes: { length: 2.5 } });
  expect(changed).toMatchObject({
    status: 200,
    body: { name: 'cable', attributes: { length: 2.5 }, holder: 'ci-1', lease_metadata: { job: 7 }, draining: false },
  });
  expectProblem(await ask('DELETE', token), 409, 'token_in_use');
  expectProblem(await ask('DELETE', `${token}?when=when_free&force=true`), 400, 'invalid_request');
  expect((await ask('DELETE', `${token}?when=when_free`)).body).toEqual({
    ...{ deleted: false, draining: true, token_id: created.body.id },
  });
  const key = { 'idempotency-key': randomUUID() };
  for (let time = 0; time < 2; time++) {
    const released = await ask('POST', `${token}/release`, { lease_id }, key);
    expect(released).toMatchObject({ status: 200, body: { ok: true, token_id: created.body.id, status: 'deleted' } });
  }
  expectProblem(await ask('GET', token), 410, 'token_deleted');
  const { body } = await ask('GET', `${token}/events`);
  expect(body.events.map(({ event, reason }: Json) => [event, reason]).slice(0, 2)).toEqual([
    ['deleted', 'removed'],
    ['released', 'released_by_client'],
  ]);
});

test('a release that deletes its token is answered again by every process', async () => {
  await put([BERLIN]);
  const { token_id, lease_id } = (await allocate({})).body;
  await ask('DELETE', `/api/tokens/${token_id}?when=when_free`);
  const release = (by: Ask, key: string) =>
    by('POST', `/api/tokens/${token_id}/release`, { lease_id }, { 'idempotency-key': key });
  const key = randomUUID();
  const { body: released } = await release(ask, key);
  expect(released).toEqual({ ok: true, token_id, status: 'deleted' });
  const other = await startAppOn(app.databaseUrl, { SECRETS_KEY });
  const again = await release(clientOf(other), key);
  expect([again.status, again.body]).toEqual([200, released]);
  expectProblem(await release(clientOf(other), randomUUID()), 410, 'token_deleted');
  await other.close();
});

test('a pool with things is deleted and opened again: nothing is left of them but what happened', async () => {
  await put([{ ...BERLIN, secret: { pin: PIN } }, WIEN]);
  const { body: grant } = await allocate({ name: BERLIN.name });
  expectProblem(await ask('DELETE', `/api/pools/${pool}`), 409, 'token_in_use');
  expect((await ask('DELETE', `/api/pools/${pool}?force=true`)).body).toEqual({ deleted: true, pool });
  expectProblem(await put([BERLIN]), 410, 'pool_deleted');
  expectProblem(await allocate({ name: BERLIN.name }), 410, 'pool_deleted');
  const verified = await ask('POST', '/api/leases/verify', { lease_id: grant.lease_id });
  expect(verified.body).toMatchObject({ valid: false, secret: null });
  const { body: feed } = await ask('GET', `/api/pools/${pool}/events`);
  expect(feed.events.slice(0, 2).map(({ event, metadata }: Json) => ({ event, ...metadata }))).toMatchObject([
    { event: 'generated', ...BERLIN },
    { event: 'generated', ...WIEN },
  ]);
  expect(feed.events.at(-1)).toMatchObject({ event: 'pool_deleted', token_id: null });

  expect((await ask('POST', '/api/pools', { name: pool, kind: 'listed' })).body).toMatchObject({
    ...{ last_seq: feed.last_seq + 1, counts: { total: 0 } },
  });
  const { body: opened } = await ask('GET', `/api/pools/${pool}/events?after=${feed.last_seq}`);
  expect(opened.events).toMatchObject([{ event: 'pool_opened', token_id: null }]);
  expect((await put([BERLIN])).body).toMatchObject({ added: 1 });
  expect((await allocate({})).body).toMatchObject({ ...BERLIN, secret: null, fence: grant.fence + 1 });
  expect((await ask('GET', `/api/pools/${pool}/audit`)).body).toMatchObject({ is_sound: true, findings: [] });
});

test.each<[string, string, { deleted?: boolean; draining?: true; error?: string }]>([
  ['free', '', { deleted: true }],
  ['free', '?when=now', { deleted: true }],
  ['free', '?when=when_free', { deleted: true }],
  ['free', '?when=when_free&force=false', { deleted: true }],
  ['held', '?when=now', { error: 'token_in_use' }],
  ['held', '?when=now&force=true', { deleted: true }],
  ['held', '?when=when_free', { deleted: false, draining: true }],
  ['held', '?when=later', { error: 'invalid_request' }],
])('DELETE of a %s token with "%s" answers %j', async (state, query, expected) => {
  await put([BERLIN]);
  const [{ id }] = await listed();
  if (state === 'held') await allocate({});
  const { body } = await ask('DELETE', `/api/tokens/${id}${query}`);
  expect(body).toMatchObject('error' in expected ? expected : { ...expected, token_id: id });
  expect(await listed()).toHaveLength(expected.deleted ? 0 : 1);
});

test('a pool of things shrinks: free ones go at once, and a caller who selects is told the truth about what is left', async () => {
  await put([BERLIN, WIEN]);
  const held = (await allocate({ select: { country: 'de' }, ttl_seconds: 60 })).body;
  const { body } = await ask('PATCH', `/api/pools/${pool}`, { size: 1 });
  expect(body).toMatchObject({ size: 1, counts: { total: 1, active: 1 } });
  const full = await allocate({ select: { country: 'de' } });
  expectProblem(full, 409, 'pool_exhausted');
  expect(Number(full.headers.get('retry-after'))).toBe(60);
  expect(full.body.detail).toContain('the lease that ends next may be renewed');
  expectProblem(await allocate({ select: { country: 'at' } }), 422, 'unsatisfiable');
  expectProblem(await put([WIEN]), 403, 'pool_limit_reached');
  await ask('POST', `/api/tokens/${held.token_id}/release`, { lease_id: held.lease_id });
  expect((await allocate({ select: { country: 'de' } })).body.token_id).toBe(held.token_id);
});

test('what is described is in the feed: what differs, before and after, and that a secret changed', async () => {
  await put([{ ...BERLIN, secret: { pin: PIN } }]);
  const [{ id }] = await listed();
  const { last_seq } = (await ask('GET', `/api/pools/${pool}`)).body;
  await ask('PATCH', `/api/tokens/${id}`, { name: 'desk', secret: { pin: 'another' } }, { 'x-request-id': 'change-1' });
  await ask('PATCH', `/api/tokens/${id}`, { secret: null });
  await ask('PATCH', `/api/tokens/${id}`, { attributes: BERLIN.attributes });
  const { body } = await ask('GET', `/api/pools/${pool}/events?after=${last_seq}`);
  expect(body.events).toMatchObject([
    {
      ...{ event: 'described', token_id: id, actor: 'open', request_id: 'change-1' },
      metadata: { before: { name: BERLIN.name }, after: { name: 'desk' }, secret: 'changed' },
    },
    { event: 'described', token_id: id, metadata: { before: {}, after: {}, secret: 'changed' } },
  ]);
});

describe('bad input changes nothing', () => {
  const many = (count: number, value: unknown = 1): object =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, value]));

  test.each<[string, unknown, RegExp]>([
    ['no list', 'x', /tokens must be a list/],
    ['too many', Array.from({ length: 1001 }, (_, n) => ({ name: `n${n}` })), /at most 1000/],
    ['no name', [{ attributes: {} }], /tokens\[0\]\.name must be given/],
    ['a name with a line break', [{ name: 'a\nb' }], /name/],
    ['a name that is too long', [{ name: 'x'.repeat(201) }], /200 characters/],
    ['an unknown field', [{ name: 'a', colour: 'red' }], /"colour" in tokens\[0\] is not known/],
    ['an attribute in an attribute', [{ name: 'a', attributes: { b: {} } }], /\.attributes\.b/],
    ['a null attribute', [{ name: 'a', attributes: { b: null } }], /\.attributes\.b/],
    ['a key in capitals', [{ name: 'a', attributes: { B: 1 } }], /keys that match/],
    ['the key of the pool', [{ name: 'a', attributes: { '@pool': 'x' } }], /keys that match/],
    ['too many attributes', [{ name: 'a', attributes: many(33) }], /at most 32/],
    ['attributes that are too large', [{ name: 'a', attributes: { b: 'x'.repeat(4097) } }], /4096 bytes/],
    ['a secret that is no object', [{ name: 'a', secret: 'x' }], /\.secret must be a JSON object/],
    ['a secret that is too large', [{ name: 'a', secret: { b: 'x'.repeat(4097) } }], /4096 bytes/],
  ])('%s in an import', async (_, tokens, why) => {
    const answer = await put(tokens as Json);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.detail).toMatch(why);
    expect(await listed()).toEqual([]);
  });

  test.each<[unknown, RegExp]>([
    [{ b: {} }, /attributes\.b must be/],
    [{ b: ['x'] }, /attributes\.b must be/],
    [{ b: null }, /attributes\.b must be/],
    [['x'], /attributes must be a JSON object/],
    ['x', /attributes must be a JSON object/],
    [null, /attributes must be a JSON object/],
    [many(33), /attributes must have at most 32/],
    [{ b: 'x'.repeat(4097) }, /attributes must be at most 4096 bytes/],
  ])('attributes %.40j of one token', async (attributes, why) => {
    await put([{ name: 'there', attributes: { a: 1 } }]);
    const [there] = await listed();
    for (const answer of [
      await ask('POST', '/api/tokens', { pool, name: 'new', attributes }),
      await ask('PATCH', `/api/tokens/${there.id}`, { attributes }),
    ]) {
      expectProblem(answer, 400, 'invalid_request');
      expect(answer.body.detail).toMatch(why);
    }
    expect(await listed()).toEqual([there]);
  });

  test('names that are in a list twice are all named', async () => {
    const answer = await put([
      { name: 'a' },
      { name: 'b' },
      { name: 'a' },
      { name: 'caf\u00e9' },
      { name: 'cafe\u0301' },
    ]);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.detail).toContain('"a", "café"');
    expect(await listed()).toEqual([]);
  });

  test.each([
    { select: [] },
    { select: { Country: 'de' } },
    { select: { country: {} } },
    { select: { country: [] } },
    { select: { country: [null] } },
    { select: many(33) },
    { select: {}, name: 'a' },
    { name: 'a', token_id: randomUUID() },
    { token_id: '7' },
  ])('%j in an allocation', async (body) => {
    expectProblem(await allocate(body), 400, 'invalid_request');
  });

  test('an import may have a megabyte, and no other body', async () => {
    const tokens = Array.from({ length: 200 }, (_, n) => ({ name: `n${n}`, attributes: { text: 'x'.repeat(3000) } }));
    expect(await put(tokens)).toMatchObject({ status: 200, body: { added: 200 } });
    expectProblem(
      await put(Array(400).fill({ name: 'a', attributes: { text: 'x'.repeat(3000) } })),
      413,
      'body_too_large',
    );
    expectProblem(await allocate({ metadata: { text: 'x'.repeat(20_000) } }), 413, 'body_too_large');
  });

  test('a number in a secret that would be changed is refused without being shown', async () => {
    const body = `{"tokens":[{"name":"a","secret":{"pin":12345678901234567890123}}]}`;
    const answer = await ask('PUT', `/api/pools/${pool}/tokens`, body);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.detail).toContain('secret.pin');
    expect(answer.body.detail).not.toContain('12345678');
  });
});

describe('secrets', () => {
  beforeEach(() => put([{ ...BERLIN, secret: { pin: PIN } }]));

  test('are in the grant, in its replay while the lease is open, and in a verification by lease', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const { body: grant } = await ask('POST', '/api/tokens/allocate', { pool }, headers);
    expect(grant.secret).toEqual({ pin: PIN });
    const replay = await ask('POST', '/api/tokens/allocate', { pool }, headers);
    expect(replay.headers.get('idempotency-replayed')).toBe('true');
    expect(replay.body).toEqual(grant);
    const { token_id, lease_id, fence } = grant;
    expect((await ask('POST', '/api/leases/verify', { lease_id })).body.secret).toEqual({ pin: PIN });
    expect((await ask('POST', '/api/leases/verify', { token_id, fence })).body).toMatchObject({
      ...{ valid: true, secret: null },
    });
  });

  test.each<[string, (grant: Json) => Promise<unknown>]>([
    ['released', ({ token_id, lease_id }) => ask('POST', `/api/tokens/${token_id}/release`, { lease_id })],
    ['revoked', ({ token_id }) => ask('POST', `/api/tokens/${token_id}/release`, { force: true })],
    ['revoked with all of its holder', () => ask('POST', '/api/leases/release', { holder: 'ci-1', pool })],
    ['expired', ({ token_id }) => onDatabase(`UPDATE tokens SET expires_at = now() WHERE id = $1`, [token_id])],
    ['evicted', () => ask('PATCH', `/api/pools/${pool}`, { on_exhausted: 'evict_oldest' })],
    ['deleted with its token', ({ token_id }) => ask('DELETE', `/api/tokens/${token_id}?force=true`)],
  ])('are in no replay and in no verification of a lease that is %s', async (_, end) => {
    const headers = { 'idempotency-key': randomUUID() };
    const allocation = { pool, holder: 'ci-1' };
    const { body: grant } = await ask('POST', '/api/tokens/allocate', allocation, headers);
    expect(grant.secret).toEqual({ pin: PIN });
    await end(grant);
    // If its token is there, it has another holder now.
    await allocate({});
    const replay = await ask('POST', '/api/tokens/allocate', allocation, headers);
    expect(replay).toMatchObject({ status: 200, body: { lease_id: grant.lease_id } });
    const { token_id, lease_id, fence } = grant;
    const answers = [replay];
    for (const body of [{ lease_id }, { token_id, fence }]) answers.push(await ask('POST', '/api/leases/verify', body));
    expect(answers.map(({ body }) => body.secret)).toEqual([null, null, null]);
    expect(answers.slice(1).map(({ body }) => body.valid)).toEqual([false, false]);
  });

  test('of a lease that another key took are not shown to a key without `operate`', async () => {
    const keys = await openKeys(app.databaseUrl);
    const guarded = await startAppOn(app.databaseUrl, { AUTH: 'keys', SECRETS_KEY });
    const [mine, other] = [await keys.create({ scopes: ['use'] }), await keys.create({ scopes: ['use', 'read'] })];
    const by = clientOf(guarded);
    const { body } = await by('POST', '/api/tokens/allocate', { pool }, bearer(mine.key));
    expect(body.secret).toEqual({ pin: PIN });
    const verify = (key: string) => by('POST', '/api/leases/verify', { lease_id: body.lease_id }, bearer(key));
    expect((await verify(mine.key)).body).toMatchObject({ valid: true, secret: { pin: PIN } });
    expect((await verify(other.key)).body).toMatchObject({ valid: true, secret: null });
    await guarded.close();
    await keys.close();
  });

  test('are refused where the service has no SECRETS_KEY, and not granted by another one', async () => {
    const without = await startAppOn(app.databaseUrl);
    const askWithout = clientOf(without);
    const tokens = [{ name: 'x', secret: { pin: PIN } }];
    expectProblem(await askWithout('PUT', `/api/pools/${pool}/tokens`, { tokens }), 400, 'secrets_off');
    expectProblem(await askWithout('POST', '/api/tokens/allocate', { pool }), 503, 'unavailable');
    expect((await allocate({})).body.secret).toEqual({ pin: PIN });
    await without.close();
  });
});

// The routes of things: imports, single tokens, certain and selected grants, secrets, and what is refused.

import { randomBytes, randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { Client } from 'pg';
import { pino } from 'pino';
import { startApp, startAppOn, type TestApp } from '../support/app.js';
import { bearer, openKeys } from '../support/keys.js';
import { A_UUID, clientOf, expectProblem, type Answer, type Ask, type Json } from './client.js';

const SECRETS_KEY = randomBytes(32).toString('base64');
const PIN = 'pin-that-nobody-else-sees';

let app: TestApp;
let ask: Ask;
/** Everything that the service has logged. */
let log = '';

beforeAll(async () => {
  const sink = new Writable({ write: (chunk: Buffer, _, done) => ((log += chunk.toString()), done()) });
  app = await startApp({ SECRETS_KEY }, pino({ level: 'trace' }, sink));
  ask = clientOf(app);
});
afterAll(() => app.close());

let pool: string;
let pools = 0;
beforeEach(async () => {
  pool = `phones-${++pools}`;
  await ask('POST', '/api/pools', { name: pool, kind: 'listed' });
});

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
  expect((await put([{ name: 'caf\u00e9' }])).body).toMatchObject({ added: 0, unchanged: 1 });
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
  await ask('POST', `${token}/release`, { lease_id });
  expectProblem(await ask('GET', token), 410, 'token_deleted');
  const { body } = await ask('GET', `${token}/events`);
  expect(body.events.map(({ event, reason }: Json) => [event, reason]).slice(0, 2)).toEqual([
    ['deleted', 'removed'],
    ['released', 'released_by_client'],
  ]);
});

describe('bad input changes nothing', () => {
  const many = (count: number, value: unknown = 1): object =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, value]));

  test.each<[string, unknown, RegExp]>([
    ['no list', 'x', /tokens must be a list/],
    ['too many', Array.from({ length: 1001 }, (_, n) => ({ name: `n${n}` })), /at most 1000/],
    ['no name', [{ attributes: {} }], /tokens \[0\]\.name|tokens\[0\]\.name/],
    ['a name with a line break', [{ name: 'a\nb' }], /name/],
    ['a name that is too long', [{ name: 'x'.repeat(201) }], /200 characters/],
    ['an unknown field', [{ name: 'a', colour: 'red' }], /no fields but/],
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
    const replay = () => ask('POST', '/api/tokens/allocate', { pool }, headers);
    expect((await replay()).body).toEqual(grant);
    const { token_id, lease_id, fence } = grant;
    expect((await ask('POST', '/api/leases/verify', { lease_id })).body.secret).toEqual({ pin: PIN });
    expect((await ask('POST', '/api/leases/verify', { token_id, fence })).body.secret).toBeNull();
    await ask('POST', `/api/tokens/${token_id}/release`, { lease_id });
    expect((await replay()).body).toEqual({ ...grant, secret: null });
    expect((await ask('POST', '/api/leases/verify', { lease_id })).body).toMatchObject({ valid: false, secret: null });
  });

  test('are in no list, no event, no audit, no log and no table', async () => {
    await allocate({ name: BERLIN.name });
    const shown = await Promise.all(
      ['events', 'audit', '']
        .map((of) => ask('GET', `/api/pools/${pool}${of && `/${of}`}`))
        .concat([ask('GET', `/api/tokens?pool=${pool}`), ask('GET', '/metrics')]),
    );
    expect(JSON.stringify(shown.map(({ body }) => body))).not.toContain(PIN);
    expect(log.length).toBeGreaterThan(1000);
    expect(log).not.toContain(PIN);
    const client = new Client({ connectionString: app.databaseUrl });
    await client.connect();
    const { rows } = await client.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`,
    );
    for (const { name } of rows) {
      const { rowCount } = await client.query(`SELECT FROM "${name}" t WHERE t::text LIKE '%' || $1 || '%'`, [PIN]);
      expect([name, rowCount]).toEqual([name, 0]);
    }
    await client.end();
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

// A token's way over HTTP: allocated, kept, released, and what is answered at each step.

import { randomUUID } from 'node:crypto';
import { startApp, type TestApp } from '../support/app.js';
import { A_TIME, A_UUID, clientOf, expectProblem, type Ask } from './client.js';

let app: TestApp;
let ask: Ask;

beforeEach(async () => {
  app = await startApp({ POOL_SIZE: '3' });
  ask = clientOf(app);
});
afterEach(() => app.close());

test('allocate without a body grants a token to a user that is made up', async () => {
  const { status, body } = await ask('POST', '/api/tokens/allocate');
  expect(status).toBe(200);
  expect(body).toEqual({
    token_id: A_UUID,
    name: null,
    attributes: null,
    secret: null,
    user_id: A_UUID,
    holder: null,
    pool: 'default',
    status: 'active',
    lease_id: A_UUID,
    fence: 1,
    activated_at: A_TIME,
    expires_at: A_TIME,
    evicted: null,
  });
  expect(Date.parse(body.expires_at) - Date.parse(body.activated_at)).toBe(120_000);
});

test('allocate takes the user, the pool, a shorter time and metadata, and keeps the metadata with the event', async () => {
  const user_id = randomUUID();
  const metadata = { desk: 7, constructor: 'kept', nested: { list: [1, null, 'é'] } };
  const { body } = await ask('POST', '/api/tokens/allocate', { user_id, pool: 'default', ttl_seconds: 1.5, metadata });
  expect(body).toMatchObject({ user_id, pool: 'default' });
  expect(Date.parse(body.expires_at) - Date.parse(body.activated_at)).toBe(1500);
  const { body: page } = await ask('GET', `/api/tokens/${body.token_id}/events?limit=1`);
  expect(page.events[0]).toMatchObject({
    event: 'activated',
    reason: 'allocated',
    user_id,
    fence: 1,
    metadata: { ...metadata, user_id, reason: 'allocated' },
  });
});

describe('a holder', () => {
  const ofName = async (holder: string) => (await ask('POST', '/api/tokens/allocate', { holder })).body;

  test('stands beside its user id wherever that is shown', async () => {
    const pool = 'named';
    await ask('POST', '/api/pools', { name: pool, kind: 'fixed', size: 1, renewable: true });
    const holder = 'desk-7@example.org';
    const { status, body: grant } = await ask('POST', '/api/tokens/allocate', { pool, holder });
    expect(status).toBe(200);
    const { token_id, user_id, lease_id, activated_at } = grant;
    const who = { user_id, holder };
    expect(grant).toMatchObject({ user_id: A_UUID, holder });
    expect((await ask('POST', `/api/tokens/${token_id}/keep-alive`, { lease_id })).body).toMatchObject(who);
    for (const query of ['', `?as_of=${activated_at}`]) {
      const { body: token } = await ask('GET', `/api/tokens/${token_id}${query}`);
      expect(token).toMatchObject({ active_user_id: user_id, holder, current_user: who, history: [who] });
    }
    for (const list of ['', '/active']) {
      for (const query of ['', `&holder=${holder}`, `&user_id=${user_id}`]) {
        const { body } = await ask('GET', `/api/tokens${list}?pool=${pool}${query}`);
        expect(body.tokens).toMatchObject([{ id: token_id, active_user_id: user_id, holder }]);
      }
      expect((await ask('GET', `/api/tokens${list}?pool=${pool}&holder=desk-7`)).body.tokens).toEqual([]);
    }
    const next = (await ask('POST', '/api/tokens/allocate', { pool })).body;
    expect(next).toMatchObject({ holder: null, evicted: who });
    const { body: feed } = await ask('GET', `/api/pools/${pool}/events?after=1`);
    expect(feed.events).toMatchObject([
      ...['activated', 'renewed', 'released'].map((event) => ({ event, ...who })),
      {},
    ]);
    expect(feed.events[3]).toMatchObject({ event: 'activated', holder: null });
    const { body: past } = await ask('GET', `/api/tokens/${token_id}/history`);
    expect(past.history).toMatchObject([{ holder: null }, who]);
    expect((await ask('GET', `/api/tokens/${token_id}`)).body).toMatchObject({ holder: null });
    expect((await ask('GET', `/api/pools/${pool}/audit`)).body).toMatchObject({ is_sound: true });
  });

  test('is the same user for the same name, however its letters are written, and the client of the short routes', async () => {
    const composed = await ofName('Zo\u00eb');
    const combining = await ofName('Zoe\u0308');
    expect(combining).toMatchObject({ user_id: composed.user_id, holder: 'Zo\u00eb' });
    await ask('POST', '/generate-token');
    const { token } = (await ask('POST', '/assign-token', { client_id: 'Zo\u00eb' })).body;
    const { body } = await ask('GET', `/api/tokens/${token}`);
    expect(body).toMatchObject({ active_user_id: composed.user_id, holder: 'Zo\u00eb' });
  });

  test('is not given beside a user id', async () => {
    const answer = await ask('POST', '/api/tokens/allocate', { holder: 'ci-4711', user_id: randomUUID() });
    expectProblem(answer, 400, 'invalid_request');
    expectProblem(await ask('GET', `/api/tokens?holder=ci&user_id=${randomUUID()}`), 400, 'invalid_request');
  });

  test('gets the same answer again by an idempotency key', async () => {
    const again = () => ask('POST', '/api/tokens/allocate', { holder: 'ci-4711' }, { 'idempotency-key': 'once' });
    const first = await again();
    expect(first.body).toMatchObject({ holder: 'ci-4711' });
    expect((await again()).body).toEqual(first.body);
  });
});

test('metadata comes back as it was given, whatever names it shares with the event', async () => {
  const metadata = { user_id: 'mine', reason: 7, lease_metadata: { a: 1 }, nested: { __proto: [] } };
  const { body } = await ask('POST', '/api/tokens/allocate', { metadata });
  const { body: page } = await ask('GET', `/api/tokens/${body.token_id}/events`);
  expect(page.events[0].lease_metadata).toEqual(metadata);
  expect(page.events[0].metadata).toEqual({ ...metadata, user_id: body.user_id, reason: 'allocated' });
  await ask('POST', `/api/tokens/${body.token_id}/release`);
  const { body: after } = await ask('GET', `/api/tokens/${body.token_id}/events?limit=1`);
  expect(after.events[0]).toMatchObject({ event: 'released', lease_metadata: null });
});

test('a number may be written in any way that keeps its value', async () => {
  const text = '{"ttl_seconds":1.5e1,"metadata":{"a":1.0,"b":1e3,"c":1E-7,"d":9007199254740991,"e":0.1,"f":1e23}}';
  const { status, body } = await ask('POST', '/api/tokens/allocate', text);
  expect(status).toBe(200);
  const { body: page } = await ask('GET', `/api/tokens/${body.token_id}/events`);
  expect(page.events[0].metadata).toMatchObject({ a: 1, b: 1000, c: 1e-7, d: 9007199254740991, e: 0.1, f: 1e23 });
});

test('a key of metadata that JavaScript treats as special is kept like any other', async () => {
  const { body } = await ask('POST', '/api/tokens/allocate', '{"metadata":{"__proto__":{"a":1},"toString":2}}');
  const { body: page } = await ask('GET', `/api/tokens/${body.token_id}/events?limit=1`);
  expect(JSON.stringify(page.events[0].metadata)).toMatch(/"__proto__":\{"a":1\}/);
});

test('a time that is longer than that of the pool is capped to it', async () => {
  const { body } = await ask('POST', '/api/tokens/allocate', { ttl_seconds: 31_536_000 });
  expect(Date.parse(body.expires_at) - Date.parse(body.activated_at)).toBe(120_000);
});

test('a user id in capitals is the same user', async () => {
  const { body } = await ask('POST', '/api/tokens/allocate', { user_id: 'ABCDEFAB-0000-4000-8000-00000000000A' });
  expect(body.user_id).toBe('abcdefab-0000-4000-8000-00000000000a');
});

test('a full pool evicts the oldest active lease, and says whose it was', async () => {
  const grants = [];
  for (let i = 0; i < 4; i++) grants.push((await ask('POST', '/api/tokens/allocate')).body);
  const [first, , , last] = grants;
  expect(last).toMatchObject({
    token_id: first.token_id,
    fence: 4,
    evicted: { user_id: first.user_id, fence: 1, activated_at: first.activated_at },
  });
  const { body } = await ask('GET', `/api/tokens/${first.token_id}/events?limit=2`);
  expect(body.events).toMatchObject([
    { event: 'activated', reason: 'allocated_after_eviction', fence: 4 },
    { event: 'released', reason: 'lru_eviction', fence: 1, user_id: first.user_id },
  ]);
});

test.each([
  ['the token in the middle', (id: string) => `/api/tokens/${id}/release`],
  ['the token at the end', (id: string) => `/api/tokens/release/${id}`],
])('release, written with %s, frees the token', async (_, path) => {
  const { body: grant } = await ask('POST', '/api/tokens/allocate');
  const { status, body } = await ask('POST', path(grant.token_id.toUpperCase()));
  expect(status).toBe(200);
  expect(body).toEqual({ ok: true, token_id: grant.token_id, status: 'available' });
  const { body: token } = await ask('GET', `/api/tokens/${grant.token_id}`);
  expect(token).toMatchObject({ status: 'available', active_user_id: null, expires_at: null, fence: null });
  expect(token.last_activated_at).toBe(grant.activated_at);
});

test('a note of a release, with force or without, is in the metadata of its event', async () => {
  for (const [force, reason] of [
    [true, 'revoked'],
    [false, 'released_by_client'],
  ] as const) {
    const { body: grant } = await ask('POST', '/api/tokens/allocate', { metadata: { desk: 7 } });
    const note = 'Schließt um „acht“ 🦊';
    await ask('POST', `/api/tokens/${grant.token_id}/release`, { force, note });
    const { body } = await ask('GET', `/api/tokens/${grant.token_id}/events?limit=1`);
    const { user_id } = grant;
    expect(body.events).toMatchObject([{ event: 'released', reason, lease_metadata: null }]);
    expect(body.events[0].metadata).toEqual({ user_id, reason, note });
  }
});

test('release takes lease_id, user_id and fence of the open lease, in capitals as well', async () => {
  const { body: grant } = await ask('POST', '/api/tokens/allocate');
  const { status } = await ask('POST', `/api/tokens/${grant.token_id}/release`, {
    lease_id: grant.lease_id.toUpperCase(),
    user_id: grant.user_id.toUpperCase(),
    fence: grant.fence,
  });
  expect(status).toBe(200);
});

test('keep-alive by lease or by user counts the new time from now', async () => {
  const pool = 'kept';
  await ask('POST', '/api/pools', { name: pool, kind: 'fixed', size: 1, renewable: true, ttl_seconds: 100 });
  const { body: grant } = await ask('POST', '/api/tokens/allocate', { pool, ttl_seconds: 1 });
  const path = `/api/tokens/${grant.token_id}/keep-alive`;
  const { status, body: renewal } = await ask('POST', path, { lease_id: grant.lease_id });
  expect(status).toBe(200);
  const { token_id, user_id } = grant;
  expect(renewal).toEqual({ token_id, user_id, holder: null, fence: 1, renewed_at: A_TIME, expires_at: A_TIME });
  expect(Date.parse(renewal.expires_at) - Date.parse(renewal.renewed_at)).toBe(100_000);
  expect(Date.parse(renewal.expires_at)).toBeGreaterThanOrEqual(Date.parse(grant.activated_at) + 100_000);
});

test('no renewal makes the end earlier: not with a shorter time, nor where the policy was tightened', async () => {
  const pool = 'promised';
  await ask('POST', '/api/pools', { name: pool, kind: 'fixed', size: 1, renewable: true, ttl_seconds: 100 });
  const { body: grant } = await ask('POST', '/api/tokens/allocate', { pool });
  const { user_id, lease_id, expires_at } = grant;
  const renew = async (body: object): Promise<unknown> =>
    (await ask('POST', `/api/tokens/${grant.token_id}/keep-alive`, body)).body.expires_at;
  expect(await renew({ user_id, ttl_seconds: 5 })).toBe(expires_at);
  await ask('PATCH', `/api/pools/${pool}`, { ttl_seconds: 2, max_lifetime_seconds: 1 });
  expect(await renew({ lease_id })).toBe(expires_at);
  expect(await renew({ lease_id, ttl_seconds: 90 })).toBe(expires_at);
});

test('a renewal never reaches beyond the maximum lifetime', async () => {
  const pool = { name: 'short', kind: 'fixed', size: 1, renewable: true, ttl_seconds: 60, max_lifetime_seconds: 90 };
  await ask('POST', '/api/pools', pool);
  const { body: grant } = await ask('POST', '/api/tokens/allocate', { pool: 'short' });
  await ask('PATCH', '/api/pools/short', { ttl_seconds: 1000 });
  const { body } = await ask('POST', `/api/tokens/${grant.token_id}/keep-alive`, { lease_id: grant.lease_id });
  expect(Date.parse(body.expires_at) - Date.parse(grant.activated_at)).toBe(90_000);
});

// Each error code of the contract, and when it is answered.

import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { PROBLEMS } from '../../apps/api/src/http/problem.js';
import { startApp, type TestApp } from '../support/app.js';
import { A_TIME, clientOf, expectProblem, openapi, type Answer, type Ask, type Json } from './client.js';

let app: TestApp;
let ask: Ask;

beforeAll(async () => {
  app = await startApp({ ELASTIC_POOL_SIZE: '3' });
  ask = clientOf(app);
});
afterAll(() => app.close());

let names = 0;
/** A pool of its own for a test, of one token if it is a fixed one. */
async function makePool(policy: object): Promise<string> {
  const name = `pool-${++names}`;
  expect((await ask('POST', '/api/pools', { name, kind: 'fixed', size: 1, ...policy })).status).toBe(201);
  return name;
}

async function allocate(body: object): Promise<Json> {
  return (await ask('POST', '/api/tokens/allocate', body)).body;
}

/** Its lease is over by the clock, and nobody has written that down. */
async function letExpire(tokenId: string): Promise<void> {
  const client = new Client({ connectionString: app.databaseUrl });
  await client.connect();
  await client.query(
    `UPDATE tokens SET last_activated_at = last_activated_at - interval '1 hour', expires_at = expires_at - interval '1 hour'
     WHERE id = $1`,
    [tokenId],
  );
  await client.end();
}

test('invalid_request, invalid_status and invalid_token_id say what was wrong with the request', async () => {
  expectProblem(await ask('POST', '/api/tokens/allocate', { ttl_seconds: 'long' }), 400, 'invalid_request');
  expectProblem(await ask('GET', '/api/tokens?status=busy'), 400, 'invalid_status');
  expectProblem(await ask('GET', '/api/tokens/7'), 400, 'invalid_token_id');
});

test('pool_is_fixed: tokens of a fixed pool are neither made nor deleted', async () => {
  const { body } = await ask('GET', '/api/tokens?limit=1');
  expectProblem(await ask('POST', '/api/tokens', { pool: 'default' }), 403, 'pool_is_fixed');
  expectProblem(await ask('POST', '/api/tokens'), 403, 'pool_is_fixed');
  expectProblem(await ask('DELETE', `/api/tokens/${body.tokens[0].id}?force=true`), 403, 'pool_is_fixed');
});

test('pool_limit_reached: an elastic pool makes no more tokens than it may have', async () => {
  const pool = await makePool({ kind: 'elastic' });
  await ask('POST', '/api/tokens', { pool });
  expectProblem(await ask('POST', '/api/tokens', { pool }), 403, 'pool_limit_reached');
});

test('lease_handle_required: where only holders may release, lease_id must be given', async () => {
  const pool = await makePool({ release_authority: 'holder', renewable: true });
  const { token_id, user_id, lease_id, fence } = await allocate({ pool });
  for (const route of ['release', 'keep-alive']) {
    const path = `/api/tokens/${token_id}/${route}`;
    expectProblem(await ask('POST', path, { user_id, fence }), 403, 'lease_handle_required');
    expectProblem(await ask('POST', path), 403, 'lease_handle_required');
  }
  expect((await ask('POST', `/api/tokens/${token_id}/release`, { lease_id })).status).toBe(200);
});

test.each([
  ['the token in the middle', (id: string) => `/api/tokens/${id}/release`],
  ['the token at the end', (id: string) => `/api/tokens/release/${id}`],
])(
  'force ends a lease without its lease_id, written with %s; what is given must match all the same',
  async (_, path) => {
    const pool = await makePool({ release_authority: 'holder' });
    const { token_id, user_id, fence } = await allocate({ pool });
    const release = (body: Json): Promise<Answer> => ask('POST', path(token_id), body);
    expectProblem(await release({ force: 'true' }), 400, 'invalid_request');
    expectProblem(await release({ fence, force: false }), 403, 'lease_handle_required');
    for (const other of [{ fence: fence + 1 }, { user_id: randomUUID() }, { lease_id: randomUUID() }]) {
      expectProblem(await release({ ...other, force: true }), 409, 'stale_lease');
    }
    expect((await release({ user_id, fence, force: true })).status).toBe(200);
    expectProblem(await release({ force: true }), 404, 'token_not_active');
    const { body } = await ask('GET', `/api/tokens/${token_id}/events?limit=1`);
    expect(body.events[0]).toMatchObject({ event: 'released', reason: 'revoked', fence });
  },
);

test('token_not_found, pool_not_found and route_not_found', async () => {
  const id = randomUUID();
  expectProblem(await ask('GET', `/api/tokens/${id}`), 404, 'token_not_found');
  expectProblem(await ask('GET', `/api/tokens/${id}/events`), 404, 'token_not_found');
  expectProblem(await ask('GET', `/api/tokens/${id}/history`), 404, 'token_not_found');
  expectProblem(await ask('POST', `/api/tokens/${id}/release`), 404, 'token_not_found');
  expectProblem(await ask('POST', `/api/tokens/release/${id}`), 404, 'token_not_found');
  expectProblem(await ask('POST', `/api/tokens/${id}/keep-alive`, { user_id: id }), 404, 'token_not_found');
  expectProblem(await ask('DELETE', `/api/tokens/${id}`), 404, 'token_not_found');
  expectProblem(await ask('POST', '/api/tokens/allocate', { pool: 'none' }), 404, 'pool_not_found');
  expectProblem(await ask('POST', '/api/tokens', { pool: 'none' }), 404, 'pool_not_found');
  expectProblem(await ask('POST', '/api/tokens/cleanup', { pool: 'none' }), 404, 'pool_not_found');
  expectProblem(await ask('DELETE', '/api/tokens/clear-active?pool=none'), 404, 'pool_not_found');
  expectProblem(await ask('GET', '/api/tokens?pool=none'), 404, 'pool_not_found');
  expectProblem(await ask('GET', '/api/tokens/available?pool=none&user_id=' + id), 404, 'pool_not_found');
  expectProblem(await ask('GET', '/api/pools/none'), 404, 'pool_not_found');
  expectProblem(await ask('GET', '/api/pools/none/events'), 404, 'pool_not_found');
  expectProblem(await ask('PATCH', '/api/pools/none', { size: 5 }), 404, 'pool_not_found');
  expectProblem(await ask('GET', '/api/things'), 404, 'route_not_found');
});

test('token_not_active: release and keep-alive of a token without an open lease', async () => {
  const pool = await makePool({ renewable: true });
  const { body: list } = await ask('GET', `/api/tokens?pool=${pool}`);
  const id: string = list.tokens[0].id;
  const user_id = randomUUID();
  for (const path of [`/api/tokens/${id}/release`, `/api/tokens/release/${id}`, `/api/tokens/${id}/keep-alive`]) {
    expectProblem(await ask('POST', path), 404, 'token_not_active');
    expectProblem(await ask('POST', path, { user_id }), 404, 'token_not_active');
  }
  await allocate({ pool });
  await ask('POST', `/api/tokens/${id}/release`);
  expectProblem(await ask('POST', `/api/tokens/${id}/release`), 404, 'token_not_active');
  expectProblem(await ask('POST', `/api/tokens/${id}/keep-alive`), 404, 'token_not_active');
});

test('stale_lease: what is given is not of the open lease, and nothing changes', async () => {
  const pool = await makePool({ renewable: true });
  const { token_id, lease_id, user_id, fence } = await allocate({ pool });
  const wrong = [
    { lease_id: randomUUID() },
    { user_id: randomUUID() },
    { fence: fence + 1 },
    { lease_id, user_id: randomUUID() },
    { lease_id, fence: 7 },
    { user_id, fence: 7 },
  ];
  for (const claim of wrong) {
    expectProblem(await ask('POST', `/api/tokens/${token_id}/release`, claim), 409, 'stale_lease');
    expectProblem(await ask('POST', `/api/tokens/${token_id}/keep-alive`, claim), 409, 'stale_lease');
  }
  expect((await ask('GET', `/api/pools/${pool}`)).body).toMatchObject({ counts: { active: 1 }, last_seq: 2 });
});

test('pool_exhausted: no token is free and the pool does not evict; Retry-After says when the next lease ends', async () => {
  const pool = await makePool({ on_exhausted: 'reject' });
  await allocate({ pool, ttl_seconds: 30 });
  const answer = await ask('POST', '/api/tokens/allocate', { pool });
  expectProblem(answer, 409, 'pool_exhausted');
  const seconds = Number(answer.headers.get('retry-after'));
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(30);
  expect(answer.body.detail).not.toContain('renewed');
  await ask('PATCH', `/api/pools/${pool}`, { renewable: true });
  const { body } = await ask('POST', '/api/tokens/allocate', { pool });
  expect(body.detail).toContain('the lease that ends next may be renewed');
});

test('pool_exhausted: the lease whose turn it is is protected; Retry-After says until when', async () => {
  const pool = await makePool({ size: 1, protect_seconds: 20 });
  await allocate({ pool });
  const answer = await ask('POST', '/api/tokens/allocate', { pool });
  expectProblem(answer, 409, 'pool_exhausted');
  expect(Number(answer.headers.get('retry-after'))).toBe(20);
  await ask('PATCH', `/api/pools/${pool}`, { protect_seconds: null });
  expect((await allocate({ pool })).evicted).toMatchObject({ fence: 1 });
});

test('quota_exceeded: the user holds as many leases as the pool allows; Retry-After says when the next of them ends', async () => {
  const pool = await makePool({ size: 5, max_per_user: 2 });
  const user_id = randomUUID();
  await allocate({ pool, user_id, ttl_seconds: 9 });
  const { token_id } = await allocate({ pool, user_id });
  const answer = await ask('POST', '/api/tokens/allocate', { pool, user_id });
  expectProblem(answer, 429, 'quota_exceeded');
  expect(Number(answer.headers.get('retry-after'))).toBe(9);
  await allocate({ pool, user_id: randomUUID() });
  await ask('POST', `/api/tokens/${token_id}/release`);
  await allocate({ pool, user_id });
});

test('not_renewable, token_in_use and pool_exists', async () => {
  const pool = await makePool({});
  const { token_id, lease_id } = await allocate({ pool });
  expectProblem(await ask('POST', `/api/tokens/${token_id}/keep-alive`, { lease_id }), 409, 'not_renewable');
  await ask('POST', '/api/tokens', { pool: 'elastic' });
  const held = await allocate({ pool: 'elastic' });
  expectProblem(await ask('DELETE', `/api/tokens/${held.token_id}`), 409, 'token_in_use');
  expectProblem(await ask('DELETE', `/api/tokens/${held.token_id}?force=false`), 409, 'token_in_use');
  expectProblem(await ask('POST', '/api/pools', { name: pool, kind: 'elastic' }), 409, 'pool_exists');
});

test('lease_ended: lease_id names a lease that is over, with how and when', async () => {
  const pool = await makePool({ renewable: true });
  const released = await allocate({ pool });
  await ask('POST', `/api/tokens/${released.token_id}/release`);
  const revoked = await allocate({ pool });
  await ask('POST', `/api/tokens/${revoked.token_id}/release`, { force: true, note: 'the desk is closed' });
  const evicted = await allocate({ pool });
  const expired = await allocate({ pool });
  await letExpire(expired.token_id);
  const ends = [
    [released, 'released_by_client'],
    [revoked, 'revoked'],
    [evicted, 'lru_eviction'],
    [expired, 'ttl_expired'],
  ];
  for (const [{ token_id, lease_id }, end_reason] of ends) {
    for (const route of ['release', 'keep-alive']) {
      const answer = await ask('POST', `/api/tokens/${token_id}/${route}`, { lease_id });
      expectProblem(answer, 410, 'lease_ended');
      expect(answer.body).toMatchObject({ end_reason, ended_at: A_TIME });
    }
  }
});

test('a lease that has expired is over before anybody has written it down', async () => {
  const pool = await makePool({ renewable: true });
  const { token_id, user_id } = await allocate({ pool });
  await letExpire(token_id);
  expect((await ask('GET', `/api/tokens/${token_id}`)).body).toMatchObject({ status: 'available', current_user: null });
  expect((await ask('GET', `/api/pools/${pool}`)).body.counts).toEqual({ total: 1, available: 1, active: 0 });
  expect((await ask('GET', `/api/tokens/active?pool=${pool}`)).body.tokens).toEqual([]);
  expectProblem(await ask('POST', `/api/tokens/${token_id}/keep-alive`, { user_id }), 409, 'stale_lease');
  expectProblem(await ask('POST', `/api/tokens/${token_id}/release`), 404, 'token_not_active');
});

test('token_deleted: the token is gone, for whatever is asked of it but its past', async () => {
  const pool = await makePool({ kind: 'elastic' });
  const { body: token } = await ask('POST', '/api/tokens', { pool });
  await ask('DELETE', `/api/tokens/${token.id}`);
  expectProblem(await ask('GET', `/api/tokens/${token.id}`), 410, 'token_deleted');
  expectProblem(await ask('POST', `/api/tokens/${token.id}/release`), 410, 'token_deleted');
  expectProblem(await ask('POST', `/api/tokens/${token.id}/keep-alive`, { user_id: token.id }), 410, 'token_deleted');
  expectProblem(await ask('DELETE', `/api/tokens/${token.id}`), 410, 'token_deleted');
  expect((await ask('GET', `/api/tokens/${token.id}/events`)).status).toBe(200);
});

test('body_too_large and unsupported_media_type', async () => {
  const answer = await ask('POST', '/api/tokens/allocate', { metadata: { text: 'x'.repeat(20_000) } });
  expectProblem(answer, 413, 'body_too_large');
  const text = await ask('POST', '/api/tokens/allocate', 'pool=default', { 'content-type': 'text/plain' });
  expectProblem(text, 415, 'unsupported_media_type');
});

test('a pool is never without any size, and a fixed one deletes no idle tokens', async () => {
  const pool = await makePool({ size: 3 });
  expectProblem(await ask('PATCH', `/api/pools/${pool}`, { size: 0 }), 400, 'invalid_request');
  expectProblem(await ask('PATCH', `/api/pools/${pool}`, { idle_ttl_seconds: 5 }), 400, 'invalid_request');
  expect((await ask('GET', `/api/pools/${pool}`)).body).toMatchObject({ size: 3, idle_ttl_seconds: null });
});

test('a cursor that was made up, or belongs to another list, is refused', async () => {
  const { body } = await ask('GET', '/api/tokens?limit=1');
  const id: string = body.tokens[0].id;
  for (const cursor of ['x', '%00', 'YWxsfg', body.next_cursor as string]) {
    expectProblem(await ask('GET', `/api/tokens/active?cursor=${cursor}`), 400, 'invalid_request');
    expectProblem(await ask('GET', `/api/tokens/${id}/events?cursor=${cursor}`), 400, 'invalid_request');
    expectProblem(await ask('GET', `/api/tokens/${id}/history?cursor=${cursor}`), 400, 'invalid_request');
  }
});

test('the document names exactly the codes that there are', () => {
  expect(openapi.components.schemas.ErrorCode).toMatchObject({ enum: Object.keys(PROBLEMS) });
});

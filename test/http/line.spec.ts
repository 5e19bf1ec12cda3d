// Waiting over HTTP: held requests, which an offer of this or of another process wakes, and what happens to them when
// the caller leaves or the process stops.

import { setTimeout as sleep } from 'node:timers/promises';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startAppOn, type TestApp } from '../support/app.js';
import { clientOf, expectProblem, type Answer, type Ask, type Json } from './client.js';

let database: TestDatabase;
let app: TestApp;
let other: TestApp;
let ask: Ask;
let askOther: Ask;
let pools = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await startAppOn(database.url, { WAIT_LIMIT: '3', SWEEP_INTERVAL_MS: '3600000' });
  other = await startAppOn(database.url);
  [ask, askOther] = [clientOf(app), clientOf(other)];
});
afterAll(async () => {
  await other.close();
  await app.close();
  await database.drop();
});

const newPool = async (policy: Json = {}): Promise<string> => {
  const name = `line-${++pools}`;
  const body = { name, kind: 'fixed', size: 1, on_exhausted: 'reject', max_waiting: 10, ...policy };
  expect((await ask('POST', '/api/pools', body)).status).toBe(201);
  return name;
};
const take = async (pool: string): Promise<Json> => (await ask('POST', '/api/tokens/allocate', { pool })).body;
const release = (grant: Json, by = ask): Promise<Answer> => by('POST', `/api/tokens/${grant.token_id}/release`, {});
const waiting = async (pool: string, number: number): Promise<Json[]> => {
  for (;;) {
    const { tickets } = (await ask('GET', `/api/pools/${pool}/tickets`)).body;
    if (tickets.length === number) return tickets;
    await sleep(5);
  }
};
const wait = (pool: string, seconds = 20, by = ask, more: Json = {}): Promise<Answer> =>
  by('POST', '/api/tokens/allocate', { pool, wait_seconds: seconds, ...more });

test('a held request is answered with the grant as soon as a token is given back, here or by another process', async () => {
  const pool = await newPool();
  let grant = await take(pool);
  for (const by of [ask, askOther]) {
    const held = wait(pool);
    await waiting(pool, 1);
    await release(grant, by);
    const began = performance.now();
    const answer = await held;
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ token_id: grant.token_id, status: 'active', evicted: null });
    expect(performance.now() - began).toBeLessThan(1500);
    grant = answer.body;
  }
});

test('a held request is answered when the lease before it ends by itself', async () => {
  const pool = await newPool({ ttl_seconds: 0.3 });
  await take(pool);
  const { status, body } = await wait(pool);
  expect(status).toBe(200);
  const [ticket] = (await ask('GET', `/api/pools/${pool}/events`)).body.events.filter(
    ({ event }: Json) => event === 'queued',
  );
  expect(ticket.metadata).toMatchObject({ position: 1, count: 1 });
  expect(Date.parse(body.activated_at)).toBeLessThan(Date.parse(ticket.metadata.not_later_than) + 1000);
});

test('a request whose time is over keeps its place, which it may claim later', async () => {
  const pool = await newPool();
  const grant = await take(pool);
  const { status, body: ticket } = await wait(pool, 0.05);
  expect(status).toBe(202);
  expect(ticket).toMatchObject({ status: 'waiting', position: 1, waiting: 1, count: 1, end_reason: null });
  const claim = ask('POST', `/api/tickets/${ticket.id}/claim`, { wait_seconds: 20 });
  await sleep(20);
  await release(grant);
  const first = await claim;
  expect(first.status).toBe(200);
  expect((await ask('POST', `/api/tickets/${ticket.id}/claim`)).body).toEqual(first.body);
  expect((await ask('GET', `/api/tickets/${ticket.id}`)).body).toMatchObject({ status: 'granted', position: null });
  expectProblem(await ask('DELETE', `/api/tickets/${ticket.id}`), 410, 'ticket_ended');
});

test('several tokens are granted at once, with the fields of the first beside them', async () => {
  const pool = await newPool({ size: 3 });
  const { status, body } = await ask('POST', '/api/tokens/allocate', { pool, count: 2 });
  expect(status).toBe(200);
  expect(body.grants).toHaveLength(2);
  expect(body.grants[0]).toMatchObject({ token_id: body.token_id, lease_id: body.lease_id });
  const refused = await ask('POST', '/api/tokens/allocate', { pool, count: 2 });
  expectProblem(refused, 409, 'pool_exhausted');
  expect(refused.body).toMatchObject({ position_if_queued: 1 });
  expect((await ask('GET', `/api/pools/${pool}`)).body.counts.available).toBe(1);
});

test('a place survives the caller who hangs up, and is offered all the same', async () => {
  const pool = await newPool();
  const grant = await take(pool);
  const leaving = new AbortController();
  const held = fetch(`${app.url}/api/tokens/allocate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ pool, wait_seconds: 20 }),
    signal: leaving.signal,
  }).catch(() => 'left');
  const [ticket] = await waiting(pool, 1);
  leaving.abort();
  expect(await held).toBe('left');
  await release(grant);
  expect((await ask('GET', `/api/tickets/${ticket.id}`)).body.status).toBe('offered');
});

test('as many requests wait as may, and one more is refused before it takes a place', async () => {
  const pool = await newPool({ max_waiting: 100 });
  const grant = await take(pool);
  const held = [1, 2, 3].map(() => wait(pool));
  const tickets = await waiting(pool, 3);
  expectProblem(await wait(pool), 503, 'unavailable');
  await waiting(pool, 3);
  expect((await wait(pool, 0)).status).toBe(202);
  for (const { id } of tickets) await ask('DELETE', `/api/tickets/${id}`);
  for (const one of held) expectProblem(await one, 410, 'ticket_ended');
  await release(grant);
});

test('a repeated request with the same key waits for the same ticket', async () => {
  const pool = await newPool();
  const grant = await take(pool);
  const headers = { 'idempotency-key': `waiting-${pool}` };
  const body = { pool, wait_seconds: 0.02, holder: 'ci-1' };
  const first = await ask('POST', '/api/tokens/allocate', body, headers);
  const again = await ask('POST', '/api/tokens/allocate', body, headers);
  expect([first.status, again.status]).toEqual([202, 202]);
  expect(again.body.id).toBe(first.body.id);
  await release(grant);
  const granted = await ask('POST', '/api/tokens/allocate', body, headers);
  expect(granted).toMatchObject({ status: 200, body: { token_id: grant.token_id, holder: 'ci-1' } });
  expect((await ask('POST', '/api/tokens/allocate', body, headers)).body.lease_id).toBe(granted.body.lease_id);
});

test.each([{ wait_seconds: 61 }, { wait_seconds: -1 }, { count: 0 }, { count: 101 }, { count: 2, name: 'a' }])(
  'refuses %j',
  async (given) => expectProblem(await ask('POST', '/api/tokens/allocate', given), 400, 'invalid_request'),
);

test('a process that stops answers held requests with their tickets', async () => {
  const stopping = await startAppOn(database.url);
  const pool = await newPool();
  await take(pool);
  const held = wait(pool, 20, clientOf(stopping));
  await waiting(pool, 1);
  await stopping.close();
  const { status, body } = await held;
  expect(status).toBe(202);
  expect((await ask('GET', `/api/tickets/${body.id}`)).body.status).toBe('waiting');
});

test('a process that has just started serves the line in time, although nobody sends a command', async () => {
  const own = await createTestDatabase();
  const first = await startAppOn(own.url);
  const policy = { kind: 'fixed', size: 1, ttl_seconds: 2, on_exhausted: 'reject', max_waiting: 1 };
  await clientOf(first)('POST', '/api/pools', { name: 'desk', ...policy });
  await clientOf(first)('POST', '/api/tokens/allocate', { pool: 'desk' });
  const { body: ticket } = await clientOf(first)('POST', '/api/tickets', { pool: 'desk' });
  await first.close();
  const second = await startAppOn(own.url, { SWEEP_INTERVAL_MS: '3600000' });
  const latest = Math.max(Date.now(), Date.parse(ticket.not_later_than)) + 1000;
  let status = '';
  while (status !== 'offered' && Date.now() < latest) {
    ({ status } = (await clientOf(second)('GET', `/api/tickets/${ticket.id}`)).body);
    await sleep(20);
  }
  expect(status).toBe('offered');
  await second.close();
  await own.drop();
});

test('tells how many wait, and how waits end', async () => {
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  expect(metrics).toMatch(/^token_pool_waiting\{pool="line-1"\} 0$/m);
  expect(metrics).toMatch(/^token_pool_wait_seconds_count\{outcome="offered"\} [1-9]/m);
  expect(metrics).toMatch(/^token_pool_broken_promises_total\{pool="line-1"\} 0$/m);
});

// Callers who hang up: what was to be done for them alone is not done, and what is under way for them ends.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Client } from 'pg';
import { startApp, type TestApp } from '../support/app.js';
import { until, untilNobodyWaits, untilWaiting } from '../support/waiting.js';
import { clientOf, expectProblem, type Ask } from './client.js';

/** As in session.ts: after which nobody waits any more, but asks again. */
const LOCK_TIMEOUT_MS = 2500;

let app: TestApp;
let ask: Ask;
let holder: Client;

beforeEach(async () => {
  app = await startApp();
  ask = clientOf(app);
  holder = new Client({ connectionString: app.databaseUrl });
  await holder.connect();
});
afterEach(async () => {
  await holder.end();
  await app.close();
});

/** On a connection of its own. */
async function send(request: string, times = 1): Promise<Socket> {
  const socket = connect(app.port);
  await once(socket, 'connect');
  socket.write(request.repeat(times));
  return socket;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
const post = (path: string, body: object, headers = ''): string => {
  const json = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${headers}`;
  return `${head}content-length: ${json.length}\r\n\r\n${json}`;
};

const HANGING_UP: Record<string, (socket: Socket) => void> = {
  'reset the connection': (socket) => socket.resetAndDestroy(),
  'close the connection': (socket) => socket.destroy(),
  'close their side of it': (socket) => socket.end(),
};

async function lockPool(name: string): Promise<void> {
  await holder.query('BEGIN');
  await holder.query('SELECT FROM pools WHERE name = $1 FOR UPDATE', [name]);
}

const lastSeq = async (pool: string): Promise<number> => (await ask('GET', `/api/pools/${pool}`)).body.last_seq;

/** Ends each of them, and answers when the service knows. */
async function hangUp(sockets: readonly Socket[], how: (socket: Socket) => void): Promise<void> {
  const closed = sockets.map((socket) => once(socket.on('error', () => undefined).resume(), 'close'));
  sockets.forEach(how);
  await Promise.all(closed);
  // Listeners get it after them.
  await ask('GET', '/health/live');
}

describe.each(Object.keys(HANGING_UP))('callers who %s while the pool is held up', (how) => {
  test.each([
    ['allocate', 'default', post('/api/tokens/allocate', {})],
    ['allocate with a key for it', 'default', post('/api/tokens/allocate', {}, 'idempotency-key: once\r\n')],
    ['generate', 'elastic', post('/api/tokens', { pool: 'elastic' })],
    ['assign', 'elastic', post('/assign-token', { client_id: 'somebody' })],
  ])('%s nothing', async (_what, pool, request) => {
    if (pool === 'elastic') await ask('POST', '/generate-token');
    const before = await lastSeq(pool);
    await lockPool(pool);
    const sockets = [await send(request)];
    await untilWaiting(app.databaseUrl);
    for (let more = 0; more < 19; more++) sockets.push(await send(request));
    await hangUp(sockets, HANGING_UP[how]!);
    await holder.query('COMMIT');
    await untilNobodyWaits(app.databaseUrl);
    // Comes after them in the queue of the pool.
    await ask('POST', '/api/tokens/cleanup', { pool });
    expect(await lastSeq(pool)).toBe(before);
    expect((await ask('GET', `/api/pools/${pool}`)).body.counts.active).toBe(0);
  });
});

describe.each(Object.keys(HANGING_UP))('a grant whose callers %s while it is written down', (how) => {
  const holdUpWriting = () => holder.query('BEGIN; LOCK TABLE token_events IN EXCLUSIVE MODE');

  test.each([
    ['allocate', 'default', post('/api/tokens/allocate', {})],
    ['assign', 'elastic', post('/assign-token', { client_id: 'somebody' })],
  ])('is taken back: %s', async (_what, pool, request) => {
    if (pool === 'elastic') await ask('POST', '/generate-token');
    const before = await lastSeq(pool);
    await holdUpWriting();
    const sockets = await Promise.all(Array.from({ length: 20 }, () => send(request)));
    await untilWaiting(app.databaseUrl);
    await hangUp(sockets, HANGING_UP[how]!);
    await holder.query('COMMIT');
    await untilNobodyWaits(app.databaseUrl);
    await until(async () => (await ask('GET', `/api/pools/${pool}`)).body.counts.active === 0);
    const { body } = await ask('GET', `/api/pools/${pool}/events?after=${before}&limit=1000`);
    const events = (body.events as { event: string; reason: string; fence: number }[]).map(
      ({ event, reason, fence }) => {
        return `${fence} ${event} ${reason}`;
      },
    );
    const fences = [...new Set((body.events as { fence: number }[]).map(({ fence }) => fence))];
    expect(fences.length).toBeGreaterThan(0);
    expect(events.sort()).toEqual(
      fences.flatMap((fence) => [`${fence} activated allocated`, `${fence} released undelivered`]).sort(),
    );
  });

  test('stays where they can ask again by an idempotency key', async () => {
    const headers = { 'idempotency-key': 'once' };
    await holdUpWriting();
    const socket = await send(post('/api/tokens/allocate', {}, 'idempotency-key: once\r\n'));
    await untilWaiting(app.databaseUrl);
    await hangUp([socket], HANGING_UP[how]!);
    await holder.query('COMMIT');
    await untilNobodyWaits(app.databaseUrl);
    const again = await ask('POST', '/api/tokens/allocate', {}, headers);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const { body } = await ask('POST', '/api/leases/verify', { lease_id: again.body.lease_id });
    expect(body).toMatchObject({ valid: true, fence: 1 });
  });
});

test('what is given back by callers who hang up is given back', async () => {
  const { body: lease } = await ask('POST', '/api/tokens/allocate');
  await lockPool('default');
  const socket = await send(post(`/api/tokens/${lease.token_id}/release`, { lease_id: lease.lease_id }));
  await untilWaiting(app.databaseUrl);
  await hangUp([socket], HANGING_UP['reset the connection']!);
  await holder.query('COMMIT');
  await untilNobodyWaits(app.databaseUrl);
  expect((await ask('POST', '/api/tokens/cleanup')).body.released).toBe(0);
});

const lockTables = async (): Promise<void> => {
  await holder.query('BEGIN');
  await holder.query('LOCK TABLE pools, tokens, token_events IN ACCESS EXCLUSIVE MODE');
};

test('one audit is made at a time; one more is told when to come back', async () => {
  await lockTables();
  const first = ask('GET', '/api/pools/default/audit');
  await untilWaiting(app.databaseUrl);
  const second = await ask('GET', '/api/pools/elastic/audit');
  await holder.query('COMMIT');
  expectProblem(second, 503, 'unavailable');
  expect(second.headers.get('retry-after')).toBe('5');
  expect((await first).body).toMatchObject({ is_sound: true });
  expect((await ask('GET', '/api/pools/elastic/audit')).body).toMatchObject({ is_sound: true });
});

test.each([
  '/api/pools',
  '/api/pools/default',
  '/api/pools/default?as_of=2026-01-01T00:00:00Z',
  '/api/pools/default/events?limit=1000',
  '/api/pools/default/events?actor=open',
  '/api/pools/default/events?request_id=a',
  '/api/pools/default/audit',
  '/api/pools/default/events/stream',
  '/api/tokens',
  '/api/tokens/active',
  '/api/tokens/available',
  '/api/tokens/TOKEN',
  '/api/tokens/TOKEN?as_of=2026-01-01T00:00:00Z',
  '/api/tokens/TOKEN/events',
  '/api/tokens/TOKEN/history',
])('GET %s asks the database nothing more when its caller has hung up', async (path) => {
  const { body: lease } = await ask('POST', '/api/tokens/allocate');
  // Which months there are is asked once for all callers.
  await ask('GET', '/api/pools/default/events');
  await lockTables();
  const socket = await send(get(path.replace('TOKEN', lease.token_id)));
  await untilWaiting(app.databaseUrl);
  const began = performance.now();
  socket.resetAndDestroy();
  await untilNobodyWaits(app.databaseUrl);
  expect(performance.now() - began).toBeLessThan(LOCK_TIMEOUT_MS);
  await holder.query('COMMIT');
});

// Before a route is reached: whose pages may ask with AUTH=open, and what one key may have of the places of all.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Client } from 'pg';
import { startApp, startAppOn, type TestApp } from '../support/app.js';
import { untilWaiting } from '../support/waiting.js';
import { bearer, openKeys, type KeyMaker } from '../support/keys.js';

let app: TestApp;
let keys: KeyMaker;
let guarded: TestApp;

const DESK = 'https://desk.example.org';

beforeAll(async () => {
  app = await startApp({ POOL_SIZE: '10', CORS_ORIGINS: DESK, ALLOWED_HOSTS: 'pool.example.org' });
  guarded = await startAppOn(app.databaseUrl, { AUTH: 'keys', STREAM_LIMIT: '4' });
  keys = await openKeys(app.databaseUrl);
});
afterAll(async () => {
  await keys.close();
  await guarded.close();
  await app.close();
});

async function answerTo(port: number, head: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${head}\r\nconnection: close\r\n\r\n`);
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  await once(socket, 'close');
  return answer;
}
const statusOf = async (head: string): Promise<number> => Number((await answerTo(app.port, head)).split(' ')[1]);

test('with AUTH=open the service answers to its own names, to addresses, and to those that are listed', async () => {
  for (const host of ['localhost:1', '127.0.0.1', '[::1]:4000', '192.0.2.7', 'Pool.example.org:80'])
    expect({ host, status: await statusOf(`GET /api/pools HTTP/1.1\r\nhost: ${host}`) }).toEqual({ host, status: 200 });
  for (const host of ['evil.example', 'localhost.evil.example:4000', '127.0.0.1.evil.example'])
    expect({ host, status: await statusOf(`GET /api/pools HTTP/1.1\r\nhost: ${host}`) }).toEqual({ host, status: 400 });
});

test('with AUTH=open pages of other origins change nothing unless they are listed', async () => {
  const change = (headers: string): Promise<number> =>
    statusOf(`POST /api/tokens/release-active HTTP/1.1\r\nhost: localhost:4000\r\n${headers}`);
  for (const headers of [
    'origin: https://evil.example',
    'origin: null',
    'origin: http://localhost:5000',
    'sec-fetch-site: cross-site',
    'origin: https://evil.example\r\nsec-fetch-site: cross-site',
  ])
    expect({ headers, status: await change(headers) }).toEqual({ headers, status: 403 });
  for (const headers of [
    'x-a: program',
    'origin: http://localhost:4000',
    `origin: ${DESK}\r\nsec-fetch-site: cross-site`,
    'origin: http://localhost:4000\r\nsec-fetch-site: same-origin',
  ])
    expect({ headers, isRefused: (await change(headers)) === 403 }).toEqual({ headers, isRefused: false });
});

test('what is no HTTP, or too large, can be read by a page that is listed', async () => {
  const large = await answerTo(app.port, `GET / HTTP/1.1\r\nhost: a\r\norigin: ${DESK}\r\nx: ${'x'.repeat(20_000)}`);
  expect(large).toContain(' 431 ');
  expect(large).toContain(`access-control-allow-origin: ${DESK}`);
  const bad = await answerTo(app.port, `GET / HTTP/1.1\r\norigin: ${DESK}\r\nno header`);
  expect(bad).toContain(' 400 ');
  expect(bad).toContain(`access-control-allow-origin: ${DESK}`);
});

test('bodies that do not end hold no places', async () => {
  const { key } = await keys.create({ scopes: ['use'] });
  const head = `POST /api/tokens/allocate HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{`;
  const sockets: Socket[] = [];
  for (let i = 0; i < 1100; i++) {
    const socket = connect(guarded.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(head);
    sockets.push(socket);
  }
  const other = bearer((await keys.create({ scopes: ['use'] })).key);
  const answer = await fetch(`${guarded.url}/api/tokens/allocate`, { method: 'POST', headers: other });
  for (const socket of sockets) socket.destroy();
  expect(answer.status).toBe(200);
});

test('one key has no more than its share of the places, and others find some', async () => {
  const [one, other] = [bearer((await keys.create()).key), bearer((await keys.create()).key)];
  const holder = new Client({ connectionString: app.databaseUrl });
  await holder.connect();
  await holder.query('BEGIN');
  await holder.query(`SELECT FROM pools WHERE name = 'default' FOR UPDATE`);
  const allocate = (headers: Record<string, string>) =>
    fetch(`${guarded.url}/api/tokens/allocate`, { method: 'POST', headers });
  let refused = 0;
  let enough = (): void => undefined;
  const jammed = new Promise<void>((resolve) => (enough = resolve));
  const all = Array.from({ length: 510 }, async () => {
    if ((await allocate(one)).status === 503 && ++refused === 10) enough();
  });
  await jammed;
  const others = allocate(other);
  await holder.query('COMMIT');
  await holder.end();
  expect((await others).status).toBe(200);
  await Promise.all(all);
});

test('the reads of one key take one connection of the database, however many there are', async () => {
  const [one, other] = [bearer((await keys.create()).key), bearer((await keys.create()).key)];
  const holder = new Client({ connectionString: app.databaseUrl });
  await holder.connect();
  await holder.query('BEGIN');
  // Feeds read it, commands do not.
  await holder.query('LOCK TABLE restores IN ACCESS EXCLUSIVE MODE');
  const feed = async () => (await fetch(`${guarded.url}/api/pools/default/events`, { headers: one })).status;
  const reads = Array.from({ length: 20 }, feed);
  await untilWaiting(app.databaseUrl);
  const allocated = await fetch(`${guarded.url}/api/tokens/allocate`, { method: 'POST', headers: other });
  expect(allocated.status).toBe(200);
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  const { rowCount } = await holder.query(waiting);
  await holder.query('COMMIT');
  await holder.end();
  expect(rowCount).toBe(1);
  expect(await Promise.all(reads)).toEqual(reads.map(() => 200));
});

test('a name that no pool has costs no lock, and is known as soon as another process has made the pool', async () => {
  const body = JSON.stringify({ pool: 'made-elsewhere' });
  const headers = { ...bearer((await keys.create()).key), 'content-type': 'application/json' };
  const allocate = async () =>
    (await fetch(`${guarded.url}/api/tokens/allocate`, { method: 'POST', headers, body })).status;
  const holder = new Client({ connectionString: app.databaseUrl });
  await holder.connect();
  await holder.query('BEGIN');
  // Lets others read, but not lock.
  await holder.query('LOCK TABLE pools IN EXCLUSIVE MODE');
  expect(await allocate()).toBe(404);
  await holder.query('COMMIT');
  await holder.end();
  const pool = JSON.stringify({ name: 'made-elsewhere', kind: 'fixed', size: 1 });
  const made = { method: 'POST', headers: { 'content-type': 'application/json' }, body: pool };
  expect((await fetch(`${app.url}/api/pools`, made)).status).toBe(201);
  expect(await allocate()).toBe(200);
});

test('requests that waited behind another one on a connection give their places back when it breaks', async () => {
  const { key } = await keys.create();
  const unlimited = await startAppOn(app.databaseUrl, { AUTH: 'keys', RATE_LIMIT: '0' });
  const holder = new Client({ connectionString: app.databaseUrl });
  await holder.connect();
  const ask = (method: string, path: string) => fetch(unlimited.url + path, { method, headers: bearer(key) });
  const head = `host: localhost\r\nauthorization: Bearer ${key}\r\ncontent-length: 0\r\n\r\n`;
  // The first of each has its connection, and would give its place back anyway.
  for (let turnedAway = 1; turnedAway <= 2; turnedAway++) {
    await holder.query('BEGIN');
    await holder.query(`SELECT FROM pools WHERE name = 'default' FOR UPDATE`);
    const socket = connect(unlimited.port, '127.0.0.1');
    socket.write(`POST /api/tokens/allocate HTTP/1.1\r\n${head}`.repeat(501));
    const told = `turned_away_total{command="taking"} ${turnedAway}\n`;
    while (!(await (await ask('GET', '/metrics')).text()).includes(told));
    socket.destroy();
    await once(socket, 'close');
    // Each request is over, before any is decided.
    const over = `route="/api/tokens/allocate",status="aborted"} ${501 * turnedAway}\n`;
    while (!(await (await ask('GET', '/metrics')).text()).includes(over));
    await holder.query('COMMIT');
  }
  expect((await ask('POST', '/api/tokens/allocate')).status).toBe(200);
  await holder.end();
  await unlimited.close();
});

test('one key has half of the streams, and another finds some', async () => {
  const [one, other] = [bearer((await keys.create()).key), bearer((await keys.create()).key)];
  const reading = new AbortController();
  const open = (headers: Record<string, string>) =>
    fetch(`${guarded.url}/api/pools/default/events/stream`, { headers, signal: reading.signal });
  const statuses: number[] = [];
  for (const headers of [one, one, one, other]) statuses.push((await open(headers)).status);
  expect(statuses).toEqual([200, 200, 503, 200]);
  reading.abort();
});

test('a key of one pool is shown that one, and a rate limit holds for it from the start', async () => {
  const headers = bearer((await keys.create({ pools: ['elastic', 'not-made-yet'] })).key);
  const answer = await fetch(`${guarded.url}/api/pools`, { headers });
  expect(await answer.json()).toMatchObject({ pools: [{ name: 'elastic' }] });
  expect(answer.headers.get('ratelimit-policy')).toBe('"key";q=1000;w=1');
});

// The app stops in order: what was accepted is answered, and then nothing of it is left.

import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Client } from 'pg';
import { startApp, type TestApp } from '../support/app.js';
import { untilWaiting } from '../support/waiting.js';

let app: TestApp;
let holder: Client;

beforeEach(async () => {
  app = await startApp({ POOL_SIZE: '1', SWEEP_INTERVAL_MS: '1' });
  holder = new Client({ connectionString: app.databaseUrl });
  await holder.connect();
});
afterEach(async () => {
  await holder.end();
  await app.close();
});

async function post(path: string): Promise<IncomingMessage> {
  const asked = request(app.url + path, { method: 'POST', headers: { connection: 'keep-alive' } });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return answer;
}

test('a request that was accepted is answered, and told that the connection ends', async () => {
  await holder.query('BEGIN');
  await holder.query(`SELECT FROM pools WHERE name = 'default' FOR UPDATE`);
  const answer = post('/api/tokens/allocate');
  await untilWaiting(app.databaseUrl);
  const stopped = app.stop();
  await expect(fetch(`${app.url}/health/live`)).rejects.toThrow();
  await holder.query('COMMIT');
  const { statusCode, headers } = await answer;
  expect({ statusCode, connection: headers.connection }).toEqual({ statusCode: 200, connection: 'close' });
  await stopped;
});

test('a request that comes on an open connection while the app stops is still answered', async () => {
  const socket = connect(app.port, '127.0.0.1').setEncoding('utf8');
  const ask = 'GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n';
  socket.write(ask);
  await once(socket, 'data');
  const stopped = app.stop();
  socket.write(ask);
  const [answer] = (await once(socket, 'data')) as [string];
  expect(answer).toMatch(/^HTTP\/1.1 200 OK[^]*connection: close/i);
  await once(socket, 'close');
  await stopped;
});

test('a request on a connection that rests after a refusal is answered while the app stops', async () => {
  const limited = await startApp({ RATE_LIMIT: '1' });
  const socket = connect(limited.port, '127.0.0.1').setEncoding('utf8');
  const ask = 'GET /api/pools HTTP/1.1\r\nhost: localhost\r\n\r\n';
  for (let answer = ''; !answer.startsWith('HTTP/1.1 429');) {
    socket.write(ask);
    [answer] = (await once(socket, 'data')) as [string];
  }
  socket.write(ask);
  const stopped = limited.stop();
  const [answer] = (await once(socket, 'data')) as [string];
  expect(answer).toMatch(/^HTTP\/1.1 (200|429) [^]*connection: close/i);
  await stopped;
  await limited.close();
});

test('connections without a request do not keep the app from stopping', async () => {
  const sockets = [
    '',
    'GET /health/live HTTP/1.1\r\nhost: localhost\r\n',
    'GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n',
  ];
  const closed = sockets.map(async (bytes) => {
    const socket = connect(app.port, '127.0.0.1').resume();
    await once(socket, 'connect');
    if (bytes) socket.write(bytes);
    return once(socket, 'close');
  });
  await fetch(`${app.url}/health/live`);
  await app.stop();
  await Promise.all(closed);
});

test('the sweep in hand ends before the database is closed', async () => {
  await holder.query('BEGIN');
  await holder.query('LOCK TABLE pools IN ACCESS EXCLUSIVE MODE');
  await untilWaiting(app.databaseUrl);
  let hasStopped = false;
  const stopped = app.stop().then(() => (hasStopped = true));
  await expect(holder.query('SELECT pg_sleep(0.05)')).resolves.toBeDefined();
  expect(hasStopped).toBe(false);
  await holder.query('COMMIT');
  await stopped;
});

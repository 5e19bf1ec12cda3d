// What every request gets: an id, and a line in the log. And what those who watch the process learn.

import { Writable } from 'node:stream';
import { Client } from 'pg';
import { jsonLogger } from '../../apps/api/src/logger.js';
import { startApp, type TestApp } from '../support/app.js';
import { A_UUID, clientOf, expectProblem, type Ask, type Json } from './client.js';

let app: TestApp;
let ask: Ask;
const lines: Json[] = [];

beforeAll(async () => {
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  app = await startApp({ POOL_SIZE: '1' }, jsonLogger('info', stream));
  ask = clientOf(app);
});
afterAll(() => app.close());

/** The line of a request is written when its answer is out, which may be a moment after the client has it. */
async function lineOf(requestId: string): Promise<Json> {
  for (;;) {
    const found = lines.find(({ request_id }) => request_id === requestId);
    if (found) return found;
    await new Promise(setImmediate);
  }
}

test('a request id is taken over, or made up, and always told', async () => {
  const { headers } = await ask('GET', '/health/live', undefined, { 'x-request-id': 'Mine-1.2_3' });
  expect(headers.get('x-request-id')).toBe('Mine-1.2_3');
  for (const unfit of ['with space', 'a'.repeat(129), 'a;b', '']) {
    const answer = await ask('GET', '/api/tokens/7', undefined, { 'x-request-id': unfit });
    expect(answer.headers.get('x-request-id')).toEqual(A_UUID);
    expectProblem(answer, 400, 'invalid_token_id');
  }
});

test('a request leaves one line in the log, without what it asked for', async () => {
  const headers = { 'x-request-id': 'logged', authorization: 'secret' };
  await ask('POST', '/api/tokens/allocate?secret=1', { metadata: { secret: 1 } }, headers);
  const line = await lineOf('logged');
  expect(line).toEqual({
    level: 'info',
    time: expect.any(String),
    request_id: 'logged',
    method: 'POST',
    path: '/api/tokens/allocate',
    status: 400,
    duration_ms: expect.any(Number),
    msg: 'request',
  });
  expect(lines.filter(({ request_id }) => request_id === 'logged')).toHaveLength(1);
});

test('the process is alive, and ready', async () => {
  expect(await ask('GET', '/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
  expect(await ask('GET', '/health/ready')).toMatchObject({ status: 200, body: { status: 'ok' } });
});

test('answers say nothing of what they are made with, and are not to be guessed at', async () => {
  const { headers } = await ask('GET', '/api/pools');
  expect(headers.get('x-powered-by')).toBeNull();
  expect(headers.get('etag')).toBeNull();
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
});

test('an error that nobody foresaw is told to the log, and not to the client', async () => {
  const client = new Client({ connectionString: app.databaseUrl });
  await client.connect();
  await client.query('ALTER TABLE tokens RENAME TO tokens_away');
  const answer = await ask('GET', '/api/tokens', undefined, { 'x-request-id': 'unforeseen' });
  await client.query('ALTER TABLE tokens_away RENAME TO tokens');
  await client.end();
  expectProblem(answer, 500, 'internal_error');
  expect(JSON.stringify(answer.body)).not.toMatch(/relation|tokens"/);
  const told = lines.filter(({ request_id, level }) => request_id === 'unforeseen' && level === 'error');
  expect(told).toMatchObject([{ msg: 'internal error', err: { stack: expect.stringMatching(/relation "tokens"/) } }]);
});

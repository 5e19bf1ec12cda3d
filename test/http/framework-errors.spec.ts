// What goes wrong before a route is reached: in Node, in Express, in the body. A problem document all the same.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { startApp, type TestApp } from '../support/app.js';
import { mustBeDocumented, mustBeProblem } from '../support/documented.js';
import { until } from '../support/waiting.js';
import { clientOf, expectProblem, type Answer, type Ask } from './client.js';

let app: TestApp;
let ask: Ask;

beforeAll(async () => {
  app = await startApp({ POOL_SIZE: '2' });
  ask = clientOf(app);
});
afterAll(() => app.close());

/** Sends these bytes and reads until the server hangs up. */
async function raw(bytes: string | Buffer): Promise<Answer> {
  const socket = connect(app.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.write(bytes);
  await once(socket, 'close');
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers = new Headers(lines.map((line) => line.split(': ') as [string, string]));
  const answer = { status: Number(first.split(' ')[1]), headers, body: JSON.parse(body) as unknown };
  const [, method = '', path = ''] = /^(\S+) (\S+) HTTP/.exec(String(bytes)) ?? [];
  if (headers.has('x-request-id')) mustBeDocumented(method, path, answer);
  else mustBeProblem(answer);
  return answer;
}

/** Problems that Node finds have a request id in the document alone: there was no request to answer with a header. */
function expectEarlyProblem(answer: Answer, status: number, error: string): void {
  answer.headers.set('x-request-id', answer.body.request_id as string);
  expectProblem(answer, status, error);
}

test.each([
  ['POST', '/'],
  ['GET', '/console/assets/nothing.js'],
  ['GET', '/api'],
  ['GET', '/api/tokens/available/more'],
  ['POST', '/api/tokens/release'],
  ['PUT', '/api/tokens'],
  ['GET', '/api/tokens/allocate/now'],
  ['PATCH', '/generate-token'],
  ['DELETE', '/docs'],
  ['GET', '/docs/%2e%2e/%2e%2e/package.json'],
  ['GET', '/docs/LICENSE'],
  ['GET', '/api/keep-alive'],
])('%s %s is no route', async (method, path) => {
  expectProblem(await ask(method, path), 404, 'route_not_found');
});

test('a path that has other methods says which, and answers OPTIONS with them', async () => {
  const wrong = await ask('PUT', '/api/tokens');
  expect(wrong.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS');
  const options = await ask('OPTIONS', '/delete-token');
  expect(options).toMatchObject({ status: 204, body: '' });
  expect(options.headers.get('allow')).toBe('DELETE, POST, OPTIONS');
  expectProblem(await ask('OPTIONS', '/nothing'), 404, 'route_not_found');
});

test('HEAD is answered as GET, without the body', async () => {
  const { status, headers, body } = await ask('HEAD', '/api/pools/default');
  expect({ status, body }).toEqual({ status: 200, body: '' });
  expect(Number(headers.get('content-length'))).toBeGreaterThan(100);
  expect(await ask('HEAD', '/api/tokens/7')).toMatchObject({ status: 400, body: '' });
});

test.each([
  ['plain text', 'text/plain'],
  ['a form', 'application/x-www-form-urlencoded'],
  ['a form with files', 'multipart/form-data; boundary=x'],
  ['XML', 'application/xml'],
  ['JSON of another kind', 'application/merge-patch+json'],
  ['JSON in another charset', 'application/json; charset=latin1'],
  ['JSON in UTF-16', 'application/json; charset=utf-16'],
  ['nonsense', ';;;'],
])('a body of %s is not supported', async (_, type) => {
  expectProblem(
    await ask('POST', '/api/tokens/allocate', '{}', { 'content-type': type }),
    415,
    'unsupported_media_type',
  );
});

test('a body without a content type, and one that is packed, are not supported', async () => {
  const length = 'content-length: 2\r\nconnection: close';
  const untyped = await raw(`POST /api/tokens/allocate HTTP/1.1\r\nhost: localhost\r\n${length}\r\n\r\n{}`);
  expectProblem(untyped, 415, 'unsupported_media_type');
  const packed = await ask('POST', '/api/tokens/allocate', '{}', { 'content-encoding': 'gzip' });
  expectProblem(packed, 415, 'unsupported_media_type');
});

test.each([
  'application/json',
  'application/json; charset=utf-8',
  'application/json;charset="UTF-8"',
  'APPLICATION/JSON',
])('a body of %s is read', async (type) => {
  const { status } = await ask('POST', '/api/tokens/allocate', '{"pool":"default"}', { 'content-type': type });
  expect(status).toBe(200);
});

test('an empty body needs no type, whatever its headers say', async () => {
  const head = 'POST /api/tokens/allocate HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: text/plain';
  expect(await raw(`${head}\r\ncontent-length: 0\r\n\r\n`)).toMatchObject({ status: 200 });
  expect(await raw(`${head}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`)).toMatchObject({ status: 200 });
});

test('a body that arrives in pieces is put together, within a character too', async () => {
  const head = 'POST /assign-token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json';
  const [first, second] = [Buffer.from('{"client_id":"\u2602').subarray(0, 16), Buffer.from('\u2602"}').subarray(2)];
  const piece = (bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
  const bytes = [
    Buffer.from(`${head}\r\ntransfer-encoding: chunked\r\n\r\n`),
    piece(first),
    piece(second),
    Buffer.from('0\r\n\r\n'),
  ];
  expectProblem(await raw(Buffer.concat(bytes)), 404, 'pool_exhausted');
});

test('a body that is not UTF-8 is not valid', async () => {
  const head = 'POST /assign-token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json';
  const body = Buffer.from([...Buffer.from('{"client_id":"'), 0xff, ...Buffer.from('"}')]);
  const bytes = Buffer.concat([Buffer.from(`${head}\r\ncontent-length: ${body.length}\r\n\r\n`), body]);
  expectProblem(await raw(bytes), 400, 'invalid_request');
});

test.each([100_000, 3_000_000])('a body of %d bytes is too large, and the connection stays usable', async (bytes) => {
  expectProblem(await ask('POST', '/api/pools', `"${'x'.repeat(bytes)}"`), 413, 'body_too_large');
  expect((await ask('GET', '/health/live')).status).toBe(200);
});

test('what is no HTTP is answered with 400, headers that are too large with 431', async () => {
  expectEarlyProblem(await raw('HELLO\r\n\r\n'), 400, 'invalid_request');
  expectEarlyProblem(await raw('GET / HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n'), 400, 'invalid_request');
  const both = 'transfer-encoding: chunked\r\ncontent-length: 5';
  expectEarlyProblem(await raw(`POST / HTTP/1.1\r\nhost: localhost\r\n${both}\r\n\r\n`), 400, 'invalid_request');
  const large = `GET / HTTP/1.1\r\nhost: localhost\r\nx-large: ${'x'.repeat(20_000)}\r\n\r\n`;
  expectEarlyProblem(await raw(large), 431, 'header_too_large');
});

test('a request without Host is refused, with whatever expectation it is not', async () => {
  expectProblem(await raw('GET /api/pools HTTP/1.1\r\nconnection: close\r\n\r\n'), 400, 'invalid_request');
  const expecting = 'GET /health/live HTTP/1.1\r\nhost: localhost\r\nexpect: wonders\r\nconnection: close\r\n\r\n';
  expect(await raw(expecting)).toMatchObject({ status: 200, body: { status: 'ok' } });
});

test('a client that goes away amid its body leaves the service as it was', async () => {
  const socket = connect(app.port, '127.0.0.1');
  const head =
    'POST /api/tokens/allocate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100';
  socket.write(`${head}\r\n\r\n{"pool":`);
  await once(socket, 'connect');
  socket.resetAndDestroy();
  await once(socket, 'close');
  expect((await ask('GET', '/health/ready')).status).toBe(200);
});

test('a connection whose request does not end is told so and closed, also where its other end stays open', async () => {
  const accepted: Socket[] = [];
  const accept = (message: unknown): unknown => accepted.push((message as { socket: Socket }).socket);
  subscribe('net.server.socket', accept);
  const head = 'POST /api/tokens/allocate HTTP/1.1\r\nhost: 127.0.0.1\r\n';
  const callers = ['', head, `${head}content-type: application/json\r\ncontent-length: 9\r\n\r\n{`].map((sent) => {
    const socket = connect({ port: app.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(sent);
    return socket;
  });
  try {
    const answers = callers.map(async (socket) => String(((await once(socket, 'data')) as [Buffer])[0]));
    await until(() => accepted.length === callers.length);
    const closed = accepted.map((socket) => once(socket, 'close'));
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1.1 408 [^]*"request_timeout"/);
    await Promise.all(closed);
  } finally {
    unsubscribe('net.server.socket', accept);
    for (const socket of callers) socket.destroy();
  }
});

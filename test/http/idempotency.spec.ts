// `Idempotency-Key` over HTTP: every route that has an effect worth repeating, and its aliases.

import { startApp, type TestApp } from '../support/app.js';
import { clientOf, type Answer, type Ask } from './client.js';

let app: TestApp;
let ask: Ask;
beforeAll(async () => {
  app = await startApp();
  ask = clientOf(app);
});
afterAll(() => app.close());

const USER = 'c0ffee00-0000-4000-8000-000000000001';

async function twice(key: string, method: string, path: string, body?: object): Promise<Answer> {
  const headers = { 'idempotency-key': key };
  const first = await ask(method, path, body, headers);
  expect(first.headers.get('idempotency-replayed')).toBeNull();
  const { last_seq } = (await ask('GET', '/api/pools/elastic')).body;
  const again = await ask(method, path, body, headers);
  expect(again).toMatchObject({ status: first.status, body: first.body });
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect((await ask('GET', '/api/pools/elastic')).body.last_seq).toBe(last_seq);
  return first;
}

test('each of them is done once, and answers twice', async () => {
  const { body: made } = await twice('1', 'POST', '/api/tokens', { pool: 'elastic' });
  const { body: grant } = await twice('2', 'POST', '/api/tokens/allocate', { pool: 'elastic', user_id: USER });
  expect(grant.token_id).toBe(made.id);
  const { token_id, lease_id } = grant;
  await twice('3', 'POST', `/api/tokens/${token_id}/keep-alive`, { lease_id });
  await twice('4', 'POST', `/api/tokens/${token_id}/release`, { lease_id });
  const alias = await ask('POST', `/api/tokens/release/${token_id}`, { lease_id }, { 'idempotency-key': '4' });
  expect([alias.status, alias.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
  await twice('5', 'POST', '/api/tokens/cleanup', { pool: 'elastic' });
  const clear = await ask('DELETE', '/api/tokens/clear-active?pool=elastic', undefined, { 'idempotency-key': '5' });
  expect([clear.status, clear.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
  await twice('6', 'POST', '/generate-token');
  const { body: assigned } = await twice('7', 'POST', '/assign-token', { client_id: 'browser-7' });
  await twice('8', 'POST', '/keep-alive', { token: assigned.token });
  await twice('9', 'POST', '/unblock-token', { token: assigned.token });
});

test('the order of fields makes no other request of it, another value does', async () => {
  const headers = { 'idempotency-key': 'order' };
  const first = await ask('POST', '/api/tokens/allocate', `{"user_id":"${USER}","metadata":{"a":1,"b":2}}`, headers);
  const same = await ask('POST', '/api/tokens/allocate', `{"metadata":{"b":2,"a":1},"user_id":"${USER}"}`, headers);
  expect(same.body).toEqual(first.body);
  const other = await ask('POST', '/api/tokens/allocate', `{"user_id":"${USER}","metadata":{"a":1,"b":3}}`, headers);
  expect(other).toMatchObject({ status: 422, body: { error: 'idempotency_key_reused' } });
});

test.each([[''], ['a b'], ['ü'], ['x'.repeat(256)]])('the key %j is refused, and nothing happens', async (key) => {
  const before = (await ask('GET', '/api/pools/default')).body;
  const { status, body } = await ask('POST', '/api/tokens/allocate', {}, { 'idempotency-key': key });
  expect([status, body.error]).toEqual([400, 'invalid_request']);
  expect((await ask('GET', '/api/pools/default')).body).toEqual(before);
});

test('a body that nests too deep to be told from others is refused', async () => {
  const body = `{"metadata":{"k":${'['.repeat(7000)}${']'.repeat(7000)}}}`;
  const { status, body: problem } = await ask('POST', '/api/tokens/allocate', body, { 'idempotency-key': 'deep' });
  expect([status, problem.error]).toEqual([400, 'invalid_request']);
});

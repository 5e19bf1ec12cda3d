// The elastic pool's five short routes.

import { randomUUID } from 'node:crypto';
import { startApp, type TestApp } from '../support/app.js';
import { A_UUID, clientOf, expectProblem, type Answer, type Ask } from './client.js';

let app: TestApp;
let ask: Ask;

beforeEach(async () => {
  app = await startApp({ POOL_SIZE: '1', ELASTIC_POOL_SIZE: '2' });
  ask = clientOf(app);
});
afterEach(() => app.close());

const generate = async (): Promise<string> => (await ask('POST', '/generate-token')).body.token;
const assign = async (client_id: string): Promise<string> =>
  (await ask('POST', '/assign-token', { client_id })).body.token;
const holderOf = async (id: string): Promise<string> => (await ask('GET', `/api/tokens/${id}`)).body.active_user_id;

function expectMessage(answer: Answer, status: number, error: string): void {
  expectProblem(answer, status, error);
  expect(answer.body.message).toBe(answer.body.detail);
}

test('generate-token makes tokens up to the limit, and says 403 beyond it', async () => {
  expect(await ask('POST', '/generate-token')).toMatchObject({ status: 201, body: { token: A_UUID } });
  await generate();
  expectMessage(await ask('POST', '/generate-token'), 403, 'pool_limit_reached');
});

test('assign-token gives a client the token that is free for the longest, and says 404 when none is', async () => {
  const token = await generate();
  expect(await ask('POST', '/assign-token', { client_id: 'kiosk 7 ☂' })).toMatchObject({
    status: 200,
    body: { token },
  });
  const answer = await ask('POST', '/assign-token', { client_id: 'another' });
  expectMessage(answer, 404, 'pool_exhausted');
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
});

test('the same client always has the same user id, and its name is kept as given', async () => {
  await generate();
  const [first, second] = [await generate(), await assign('kiosk-7'), await assign('kiosk-7')].slice(1) as [
    string,
    string,
  ];
  expect(await holderOf(first)).toBe(await holderOf(second));
  const { body } = await ask('GET', `/api/tokens/${first}/events?limit=1`);
  expect(body.events[0]).toMatchObject({ event: 'activated', metadata: { client_id: 'kiosk-7' } });
});

test('a client id that is no name of a holder is kept all the same', async () => {
  await generate();
  for (const client_id of ['two\nlines', 'Zoe\u0308']) {
    const token = await assign(client_id);
    expect((await ask('GET', `/api/tokens/${token}`)).body).toMatchObject({ status: 'active', holder: null });
    const { body } = await ask('GET', `/api/tokens/${token}/events?limit=1`);
    expect(body.events[0]).toMatchObject({ holder: null, metadata: { client_id } });
    await ask('POST', '/unblock-token', { token });
  }
});

test('a client id that is a UUID is the user id', async () => {
  const client = randomUUID();
  await generate();
  expect(await holderOf(await assign(client.toUpperCase()))).toBe(client);
});

test('keep-alive refreshes an assigned token, for any holder or for the client that is named', async () => {
  await generate();
  const token = await assign('a');
  const refreshed = { status: 200, body: { message: 'Token keep-alive refreshed' } };
  expect(await ask('POST', '/keep-alive', { token })).toMatchObject(refreshed);
  expect(await ask('POST', '/keep-alive', { token: token.toUpperCase(), client_id: 'a' })).toMatchObject(refreshed);
  const { body } = await ask('GET', `/api/tokens/${token}/events?limit=2`);
  expect(body.events).toMatchObject([{ event: 'renewed' }, { event: 'renewed' }]);
});

test('keep-alive says 403 for a token that is free, of another client, deleted, unknown, or of another pool', async () => {
  const free = await generate();
  expectMessage(await ask('POST', '/keep-alive', { token: free }), 403, 'token_not_active');
  expectMessage(await ask('POST', '/keep-alive', { token: free, client_id: 'a' }), 403, 'token_not_active');
  const held = await assign('a');
  expectMessage(await ask('POST', '/keep-alive', { token: held, client_id: 'b' }), 403, 'stale_lease');
  await ask('POST', '/delete-token', { token: held });
  expectMessage(await ask('POST', '/keep-alive', { token: held }), 403, 'token_deleted');
  expectMessage(await ask('POST', '/keep-alive', { token: randomUUID() }), 403, 'token_not_found');
  const { body: other } = await ask('POST', '/api/tokens/allocate');
  expectMessage(await ask('POST', '/keep-alive', { token: other.token_id }), 403, 'token_not_found');
  expectMessage(
    await ask('POST', '/keep-alive', { token: other.token_id, client_id: other.user_id }),
    403,
    'token_not_found',
  );
});

test('unblock-token frees an assigned token, and says 403 for any other', async () => {
  await generate();
  const token = await assign('a');
  const unblocked = { status: 200, body: { message: 'Token unblocked' } };
  expect(await ask('POST', '/unblock-token', { token })).toMatchObject(unblocked);
  expect(await assign('b')).toBe(token);
  await ask('POST', '/unblock-token', { token });
  expectMessage(await ask('POST', '/unblock-token', { token }), 403, 'token_not_active');
  expectMessage(await ask('POST', '/unblock-token', { token: randomUUID() }), 403, 'token_not_found');
  const { body: other } = await ask('POST', '/api/tokens/allocate');
  expectMessage(await ask('POST', '/unblock-token', { token: other.token_id }), 403, 'token_not_found');
  expect((await ask('GET', '/api/pools/default')).body.counts.active).toBe(1);
});

test.each(['POST', 'DELETE'])(
  '%s delete-token deletes a token, assigned or not, and says 404 for any other',
  async (method) => {
    await generate();
    await generate();
    const assigned = await assign('a');
    const deleted = { status: 200, body: { message: 'Token deleted successfully!' } };
    expect(await ask(method, '/delete-token', { token: assigned })).toMatchObject(deleted);
    const { body } = await ask('GET', `/api/tokens/${assigned}/events?limit=2`);
    expect(body.events).toMatchObject([{ event: 'deleted' }, { event: 'released', reason: 'deleted_by_client' }]);
    expectMessage(await ask(method, '/delete-token', { token: assigned }), 404, 'token_deleted');
    expectMessage(await ask(method, '/delete-token', { token: randomUUID() }), 404, 'token_not_found');
    const { body: other } = await ask('GET', '/api/tokens');
    expectMessage(await ask(method, '/delete-token', { token: other.tokens[0].id }), 404, 'token_not_found');
    expect((await ask('GET', '/api/pools')).body.pools).toMatchObject([
      { counts: { total: 1 } },
      { counts: { total: 1 } },
    ]);
  },
);

test('what is wrong with a request to a short route is said in a message, too', async () => {
  expectMessage(await ask('POST', '/assign-token', { client_id: '' }), 400, 'invalid_request');
  expectMessage(await ask('POST', '/keep-alive', '{'), 400, 'invalid_request');
  expectMessage(
    await ask('POST', '/unblock-token', 'x', { 'content-type': 'text/plain' }),
    415,
    'unsupported_media_type',
  );
  expectMessage(await ask('GET', '/delete-token'), 404, 'route_not_found');
});

// Tokens seen and managed over HTTP.

import { randomUUID } from 'node:crypto';
import { startApp, type TestApp } from '../support/app.js';
import { A_TIME, A_UUID, clientOf, type Answer, type Ask, type Json } from './client.js';

let app: TestApp;
let ask: Ask;

beforeEach(async () => {
  app = await startApp({ POOL_SIZE: '5' });
  ask = clientOf(app);
});
afterEach(() => app.close());

const ids = ({ body }: Answer): string[] => body.tokens.map(({ id }: { id: string }) => id);

async function allocate(body: object = {}): Promise<Json> {
  return (await ask('POST', '/api/tokens/allocate', body)).body;
}

async function pages(path: string): Promise<Json[]> {
  const all: Json[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { body }: Answer = await ask('GET', `${path}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    all.push(...(body.tokens ?? body.events ?? body.history));
    cursor = body.next_cursor;
  }
  return all;
}

test('a token that nobody has used is listed with all its fields', async () => {
  const { status, body } = await ask('GET', '/api/tokens');
  expect(status).toBe(200);
  expect(body.tokens).toHaveLength(5);
  expect(body.next_cursor).toBeNull();
  expect(body.tokens[0]).toEqual({
    id: A_UUID,
    pool: 'default',
    name: null,
    attributes: null,
    status: 'available',
    active_user_id: null,
    holder: null,
    lease_metadata: null,
    draining: false,
    available_at: null,
    disabled_reason: null,
    disabled_at: null,
    disabled_by: null,
    last_activated_at: null,
    expires_at: null,
    fence: null,
  });
});

test('active tokens are listed oldest first, available ones in the order they will be handed out', async () => {
  const granted = [await allocate(), await allocate(), await allocate()];
  await ask('POST', `/api/tokens/${granted[0].token_id}/release`);
  const active = granted.slice(1).map(({ token_id }) => token_id);
  expect(ids(await ask('GET', '/api/tokens/active'))).toEqual(active);
  expect(ids(await ask('GET', '/api/tokens?status=active'))).toEqual(active);
  const available = ids(await ask('GET', '/api/tokens/available'));
  expect(available).toHaveLength(3);
  expect(available.at(-1)).toBe(granted[0].token_id);
  expect(ids(await ask('GET', '/api/tokens?status=available'))).toEqual(available);
  expect((await allocate()).token_id).toBe(available[0]);
  expect(ids(await ask('GET', '/api/tokens?status=all'))).toHaveLength(5);
});

test('the tokens of a user are found, by the id in capitals too', async () => {
  const user_id = randomUUID();
  const { token_id } = await allocate({ user_id });
  await allocate();
  expect(ids(await ask('GET', `/api/tokens?user_id=${user_id.toUpperCase()}`))).toEqual([token_id]);
  expect(ids(await ask('GET', `/api/tokens/active?user_id=${user_id}`))).toEqual([token_id]);
  expect(ids(await ask('GET', `/api/tokens/available?user_id=${user_id}`))).toEqual([]);
});

test.each(['all', 'available', 'active'])('the pages of %s tokens together are the whole list', async (status) => {
  for (let i = 0; i < 2; i++) await allocate();
  const whole = (await ask('GET', `/api/tokens?status=${status}`)).body.tokens;
  expect(await pages(`/api/tokens?status=${status}&limit=2`)).toEqual(whole);
});

test('lists are those of the pool that is named', async () => {
  expect(ids(await ask('GET', '/api/tokens?pool=elastic'))).toEqual([]);
  const { body: token } = await ask('POST', '/api/tokens', { pool: 'elastic' });
  expect(ids(await ask('GET', '/api/tokens/available?pool=elastic'))).toEqual([token.id]);
});

test('a token is shown with its current user and its latest uses', async () => {
  const { token_id, user_id, activated_at, expires_at } = await allocate();
  const { status, body } = await ask('GET', `/api/tokens/${token_id}`);
  expect(status).toBe(200);
  expect(body).toEqual({
    id: token_id,
    pool: 'default',
    name: null,
    attributes: null,
    lease_metadata: null,
    status: 'active',
    active_user_id: user_id,
    holder: null,
    draining: false,
    available_at: null,
    disabled_reason: null,
    disabled_at: null,
    disabled_by: null,
    last_activated_at: activated_at,
    expires_at,
    fence: 1,
    current_user: { user_id, holder: null, activated_at, expires_at },
    history: [{ user_id, holder: null, fence: 1, started_at: activated_at, ended_at: null, end_reason: null }],
  });
  await ask('POST', `/api/tokens/${token_id}/release`);
  const { body: later } = await ask('GET', `/api/tokens/${token_id}`);
  expect(later).toMatchObject({
    current_user: null,
    history: [{ fence: 1, ended_at: A_TIME, end_reason: 'released_by_client' }],
  });
});

test('the latest 20 uses of a token are shown, and all of them page by page', async () => {
  await ask('POST', '/api/pools', { name: 'one', kind: 'fixed', size: 1 });
  let id = '';
  for (let i = 0; i < 23; i++) id = (await allocate({ pool: 'one' })).token_id;
  const { body } = await ask('GET', `/api/tokens/${id}`);
  expect(body.history.map(({ fence }: { fence: number }) => fence)).toEqual(
    Array.from({ length: 20 }, (_, i) => 23 - i),
  );
  const all = await pages(`/api/tokens/${id}/history?limit=10`);
  expect(all.map(({ fence }) => fence)).toEqual(Array.from({ length: 23 }, (_, i) => 23 - i));
  expect((await ask('GET', `/api/tokens/${id}/history`)).body).toMatchObject({ token_id: id, next_cursor: null });
});

test('the events of a token are listed newest first, page by page', async () => {
  const { token_id, user_id } = await allocate();
  await ask('POST', `/api/tokens/${token_id}/release`);
  const { body } = await ask('GET', `/api/tokens/${token_id}/events`);
  expect(body).toMatchObject({
    token_id,
    events: [
      { event: 'released', reason: 'released_by_client', user_id, fence: 1, metadata: { user_id } },
      { event: 'activated', reason: 'allocated', user_id, fence: 1 },
      { event: 'generated', reason: null, user_id: null, fence: null },
    ],
    next_cursor: null,
  });
  expect(body.events[0]).toMatchObject({
    id: A_UUID,
    pool: 'default',
    seq: 7,
    occurred_at: A_TIME,
    recorded_at: A_TIME,
  });
  expect(await pages(`/api/tokens/${token_id}/events?limit=1`)).toEqual(body.events);
});

test.each([
  ['cleanup', 'POST', '/api/tokens/cleanup'],
  ['clear-active', 'DELETE', '/api/tokens/clear-active'],
])('%s ends every active lease of the pool', async (_, method, path) => {
  await allocate();
  const { token_id } = await allocate();
  expect(await ask(method, path)).toMatchObject({ status: 200, body: { released: 2 } });
  expect(await ask(method, path)).toMatchObject({ status: 200, body: { released: 0 } });
  const { body } = await ask('GET', `/api/tokens/${token_id}/history`);
  expect(body.history).toMatchObject([{ fence: 2, end_reason: 'cleanup' }]);
});

test('cleanup and clear-active leave other pools alone', async () => {
  await allocate();
  expect((await ask('POST', '/api/tokens/cleanup', { pool: 'elastic' })).body).toEqual({ released: 0 });
  expect((await ask('DELETE', '/api/tokens/clear-active?pool=elastic')).body).toEqual({ released: 0 });
  expect((await ask('GET', '/api/pools/default')).body.counts.active).toBe(1);
});

test('a token is made in an elastic pool', async () => {
  const { status, body } = await ask('POST', '/api/tokens', { pool: 'elastic' });
  expect(status).toBe(201);
  expect(body).toEqual({
    id: A_UUID,
    pool: 'elastic',
    name: null,
    attributes: null,
    lease_metadata: null,
    status: 'available',
    active_user_id: null,
    holder: null,
    draining: false,
    available_at: null,
    disabled_reason: null,
    disabled_at: null,
    disabled_by: null,
    last_activated_at: null,
    expires_at: null,
    fence: null,
  });
  expect((await ask('GET', `/api/tokens/${body.id}`)).body).toMatchObject(body);
});

test('a deleted token is gone, and its past stays readable', async () => {
  const { body: token } = await ask('POST', '/api/tokens', { pool: 'elastic' });
  await allocate({ pool: 'elastic' });
  const { status, body } = await ask('DELETE', `/api/tokens/${token.id.toUpperCase()}?force=true`);
  expect(status).toBe(200);
  expect(body).toEqual({ deleted: true, token_id: token.id });
  const { body: page } = await ask('GET', `/api/tokens/${token.id}/events`);
  expect(page.events.map(({ event }: { event: string }) => event)).toEqual([
    'deleted',
    'released',
    'activated',
    'generated',
  ]);
  const { body: past } = await ask('GET', `/api/tokens/${token.id}/history`);
  expect(past.history).toMatchObject([{ fence: 1, end_reason: 'deleted_by_client' }]);
  expect((await ask('GET', '/api/pools/elastic')).body.counts.total).toBe(0);
});

test('a free token is deleted without force', async () => {
  const { body: token } = await ask('POST', '/api/tokens', { pool: 'elastic' });
  expect(await ask('DELETE', `/api/tokens/${token.id}?force=false`)).toMatchObject({ status: 200 });
});

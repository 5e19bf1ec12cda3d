// What happens between two users, over HTTP: each line of the contract.

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
  app = await startAppOn(database.url, { SWEEP_INTERVAL_MS: '200' });
  other = await startAppOn(database.url, { SWEEP_INTERVAL_MS: '200' });
  [ask, askOther] = [clientOf(app), clientOf(other)];
});
afterAll(async () => {
  await other.close();
  await app.close();
  await database.drop();
});
afterEach(async () => {
  const { findings } = (await ask('GET', `/api/pools/upkeep-${pools}/audit`)).body;
  expect(findings).toEqual([]);
});

const newPool = async (policy: Json = {}): Promise<string> => {
  const name = `upkeep-${++pools}`;
  const body = { name, kind: 'fixed', size: 1, on_exhausted: 'reject', ...policy };
  expect((await ask('POST', '/api/pools', body)).status).toBe(201);
  return name;
};
const done = async (path: string, body: Json = {}, by = ask): Promise<Json> => {
  const answer = await by('POST', path, body);
  expect([path, answer.status]).toEqual([path, 200]);
  return answer.body;
};
const take = (pool: string): Promise<Json> => done('/api/tokens/allocate', { pool });
const release = ({ token_id, lease_id }: Json, more: Json = {}, by = ask): Promise<Json> =>
  done(`/api/tokens/${token_id}/release`, { lease_id, ...more }, by);
const clean = (pool: string, body: Json = {}, by = ask): Promise<Answer> =>
  by('POST', `/api/pools/${pool}/clean`, body);
const token = async (id: string): Promise<Json> => (await ask('GET', `/api/tokens/${id}`)).body;
const countsOf = async (pool: string): Promise<Json> => (await ask('GET', `/api/pools/${pool}`)).body.counts;
const eventsOf = async (pool: string): Promise<Json[]> => (await ask('GET', `/api/pools/${pool}/events`)).body.events;

test('a policy has its fields, each with a default and bounds', async () => {
  const { body } = await ask('GET', '/api/pools/default');
  expect(body).toMatchObject({
    ...{ cooldown_seconds: null, cooldown_after: 'always', after_use: 'available', clean_within_seconds: null },
    ...{ max_cleans: 3, disable_after_unclean: null, counts: { total: 100, available: 100, active: 0 } },
  });
  const pool = await newPool();
  for (const wrong of [{ cooldown_seconds: 0 }, { after_use: 'wash' }, { max_cleans: 0 }, { cooldown_after: null }]) {
    expectProblem(await ask('PATCH', `/api/pools/${pool}`, wrong), 400, 'invalid_request');
  }
  const all = { cooldown_seconds: 1.5, cooldown_after: 'unclean', after_use: 'clean', clean_within_seconds: 60 };
  const changed = await ask('PATCH', `/api/pools/${pool}`, { ...all, max_cleans: 1, disable_after_unclean: 2 });
  expect(changed.body).toMatchObject({ ...all, max_cleans: 1, disable_after_unclean: 2 });
  const none = { cooldown_seconds: null, clean_within_seconds: null, disable_after_unclean: null };
  expect((await ask('PATCH', `/api/pools/${pool}`, none)).body).toMatchObject(none);
});

test('a token cools down after its lease, and is granted again when it has rested', async () => {
  const pool = await newPool({ cooldown_seconds: 1 });
  const grant = await take(pool);
  expect(await release(grant)).toEqual({ ok: true, token_id: grant.token_id, status: 'cooling' });
  const { status, available_at } = await token(grant.token_id);
  expect(status).toBe('cooling');
  expect(await countsOf(pool)).toEqual({
    ...{ total: 1, available: 0, active: 0, cooling: 1, dirty: 0, cleaning: 0, disabled: 0 },
  });
  const refused = await ask('POST', '/api/tokens/allocate', { pool });
  expectProblem(refused, 409, 'pool_exhausted');
  expect(refused.headers.get('retry-after')).toBe('1');
  const { tokens } = (await ask('GET', `/api/tokens?pool=${pool}&status=cooling`)).body;
  expect(tokens).toMatchObject([{ id: grant.token_id, status: 'cooling', available_at }]);
  await until(async () => (await token(grant.token_id)).status === 'available');
  expect((await take(pool)).activated_at >= available_at).toBe(true);
});

test('after_use clean: nobody gets the token before a janitor has released it', async () => {
  const pool = await newPool({ after_use: 'clean', clean_within_seconds: 60 });
  expectProblem(await clean(pool), 404, 'nothing_dirty');
  const grant = await take(pool);
  expect((await release(grant)).status).toBe('dirty');
  expectProblem(await ask('POST', '/api/tokens/allocate', { pool }), 409, 'pool_exhausted');
  const { status, body: cleaning } = await clean(pool, { holder: 'janitor-1', metadata: { image: 'v2' } });
  expect(status).toBe(200);
  expect(cleaning).toMatchObject({
    ...{ token_id: grant.token_id, status: 'cleaning', purpose: 'clean', holder: 'janitor-1', fence: 2, pool },
  });
  expect(await token(grant.token_id)).toMatchObject({ status: 'cleaning', holder: 'janitor-1', fence: 2 });
  expect((await ask('GET', '/api/leases?holder=janitor-1')).body.leases).toHaveLength(1);
  expect(await countsOf(pool)).toMatchObject({ total: 1, active: 0, cleaning: 1 });
  expect((await done('/api/leases/verify', { lease_id: cleaning.lease_id })).valid).toBe(true);
  await ask('PATCH', `/api/pools/${pool}`, { renewable: true });
  await done(`/api/tokens/${grant.token_id}/keep-alive`, { lease_id: cleaning.lease_id });
  expect(await release(cleaning, { condition: 'ok' })).toMatchObject({ status: 'available' });
  expect((await take(pool)).token_id).toBe(grant.token_id);
  const told = (await eventsOf(pool)).map(({ event, reason }) => [event, reason]);
  expect(told).toContainEqual(['soiled', 'used']);
  expect(told).toContainEqual(['activated', 'cleaning']);
  expect(told).toContainEqual(['cleaned', null]);
});

test('two janitors never get the same token, in two processes', async () => {
  const pool = await newPool({ size: 8, after_use: 'clean' });
  const grants = [];
  for (let n = 0; n < 8; n++) grants.push(await take(pool));
  for (const grant of grants) await release(grant);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => clean(pool, {}, n % 2 ? ask : askOther)));
  const given = answers.filter(({ status }) => status === 200).map(({ body }) => body.token_id);
  expect([given.length, new Set(given).size]).toEqual([8, 8]);
});

test('a janitor waits for a token that another process makes dirty, and is told when none is', async () => {
  const pool = await newPool({ after_use: 'clean' });
  const grant = await take(pool);
  const held = clean(pool, { wait_seconds: 20 });
  await sleep(50);
  await release(grant, {}, askOther);
  expect((await held).body).toMatchObject({ token_id: grant.token_id, purpose: 'clean' });
  expectProblem(await clean(pool, { wait_seconds: 0.05 }), 404, 'nothing_dirty');
});

test('the same request with its idempotency key gets the same token', async () => {
  const pool = await newPool({ size: 2, after_use: 'clean' });
  for (const grant of [await take(pool), await take(pool)]) await release(grant);
  const headers = { 'idempotency-key': 'janitor-1' };
  const [first, again] = [
    await ask('POST', `/api/pools/${pool}/clean`, {}, headers),
    await ask('POST', `/api/pools/${pool}/clean`, {}, headers),
  ];
  expect(again.body).toEqual(first.body);
});

test('a cleaning that expires leaves the token dirty, and after max_cleans disabled', async () => {
  const pool = await newPool({ after_use: 'clean', clean_within_seconds: 0.1, max_cleans: 2 });
  const { token_id } = await take(pool).then(async (grant) => (await release(grant), grant));
  expect((await clean(pool)).status).toBe(200);
  await until(async () => (await token(token_id)).status === 'dirty');
  expect((await clean(pool)).status).toBe(200);
  await until(async () => (await token(token_id)).disabled_reason !== null);
  expect(await token(token_id)).toMatchObject({ status: 'disabled', disabled_by: 'system' });
  const [last] = (await eventsOf(pool)).slice(-1);
  expect(last).toMatchObject({ event: 'disabled', reason: 'not_cleaned', actor: 'system' });
});

test('a token is disabled with a reason, is refused by name, and is enabled with a note', async () => {
  const pool = await newPool();
  const { token_id } = await take(pool);
  expectProblem(await ask('POST', `/api/tokens/${token_id}/disable`, {}), 400, 'invalid_request');
  const waiting = await done(`/api/tokens/${token_id}/disable`, { reason: 'recall', when: 'when_free' });
  expect(waiting).toMatchObject({ id: token_id, status: 'active', disabled_reason: 'recall', disabled_by: 'open' });
  const { status, disabled_at } = await done(`/api/tokens/${token_id}/disable`, { reason: 'fire', when: 'now' });
  expect([status, typeof disabled_at]).toEqual(['disabled', 'string']);
  expect((await ask('GET', `/api/tokens?pool=${pool}&status=disabled`)).body.tokens).toMatchObject([{ id: token_id }]);
  expect(await countsOf(pool)).toMatchObject({ total: 1, available: 0, active: 0, disabled: 1 });
  expectProblem(await ask('POST', '/api/tokens/allocate', { pool, token_id }), 409, 'token_disabled');
  expectProblem(await ask('POST', '/api/tokens/allocate', { pool }), 409, 'pool_exhausted');
  expect(await done(`/api/tokens/${token_id}/enable`, { note: 'extinguished' })).toMatchObject({
    ...{ id: token_id, status: 'available', disabled_reason: null, disabled_at: null, disabled_by: null },
  });
  const told = (await eventsOf(pool)).slice(-4).map(({ event, metadata }) => [event, metadata.note]);
  expect(told).toEqual([
    ['disabled', 'recall'],
    ['released', 'fire'],
    ['disabled', 'fire'],
    ['enabled', 'extinguished'],
  ]);
});

test('who releases says how the token is', async () => {
  const pool = await newPool({ size: 2 });
  const [a, b] = [await take(pool), await take(pool)];
  expectProblem(await ask('POST', `/api/tokens/${a.token_id}/release`, { condition: 'old' }), 400, 'invalid_request');
  expect((await release(a, { condition: 'dirty' })).status).toBe('dirty');
  expect((await release(b, { condition: 'broken', note: 'no picture' })).status).toBe('disabled');
  expect(await token(b.token_id)).toMatchObject({ disabled_reason: 'no picture' });
  const { body: cleaning } = await clean(pool);
  expect((await release(cleaning, { condition: 'dirty' })).status).toBe('dirty');
  expect((await release((await clean(pool)).body)).status).toBe('available');
});

test('a token is disabled after leases of different users that end uncleanly', async () => {
  const pool = await newPool({ ttl_seconds: 0.05, disable_after_unclean: 2 });
  const { token_id } = await take(pool);
  await until(async () => (await token(token_id)).status === 'available');
  await take(pool);
  await until(async () => (await token(token_id)).status === 'disabled');
});

test('a promise of the line counts the cool-down and the cleaning', async () => {
  const within = async (policy: Json): Promise<number | null> => {
    const pool = await newPool({ max_waiting: 5, ttl_seconds: 100, ...policy });
    const { expires_at } = await take(pool);
    const { not_later_than } = (await ask('POST', '/api/tickets', { pool })).body;
    return not_later_than && Math.round((Date.parse(not_later_than) - Date.parse(expires_at)) / 1000);
  };
  expect(await within({})).toBe(0);
  expect(await within({ cooldown_seconds: 30 })).toBe(30);
  expect(await within({ cooldown_seconds: 30, after_use: 'clean', clean_within_seconds: 20 })).toBe(50);
  expect(await within({ after_use: 'clean' })).toBeNull();
});

test('the state of then is shown with as_of', async () => {
  const pool = await newPool({ size: 4, after_use: 'clean', cooldown_seconds: 100, clean_within_seconds: 100 });
  const [a, b, c] = [await take(pool), await take(pool), await take(pool)];
  await release(a);
  await release((await clean(pool)).body);
  await release(b);
  await done(`/api/tokens/${c.token_id}/disable`, { reason: 'recall' });
  const { body: cleaning } = await clean(pool);
  const then = new Date(Date.parse((await eventsOf(pool)).at(-1)!.recorded_at) + 1).toISOString();
  await sleep(5);
  const shown = { ...(await countsOf(pool)) };
  const ids = [a, b, c].map(({ token_id }) => token_id as string);
  const before = await Promise.all(ids.map(token));
  await release(cleaning);
  await done(`/api/tokens/${c.token_id}/enable`);
  expect(shown).toEqual({ total: 4, available: 1, active: 0, cooling: 1, dirty: 0, cleaning: 1, disabled: 1 });
  expect((await ask('GET', `/api/pools/${pool}?as_of=${then}`)).body.counts).toEqual(shown);
  for (const [at, id] of ids.entries()) {
    const past = (await ask('GET', `/api/tokens/${id}?as_of=${then}`)).body;
    expect({ ...past, as_of: undefined, draining: false }).toEqual(before[at]);
  }
});

test('the metrics count states, cleanings and unclean ends', async () => {
  const pool = await newPool({ size: 2, after_use: 'clean' });
  const [a] = [await take(pool), await take(pool)];
  await release(a);
  await release((await clean(pool)).body);
  await done('/api/tokens/cleanup', { pool });
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  expect(metrics).toMatch(new RegExp(`^token_pool_tokens\\{pool="${pool}",state="dirty"\\} 1$`, 'm'));
  expect(metrics).toMatch(/^token_pool_clean_seconds_count [1-9]/m);
  expect(metrics).toMatch(new RegExp(`^token_pool_unclean_ends_total\\{pool="${pool}",reason="cleanup"\\} 1$`, 'm'));
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const began = performance.now(); !(await isSo()); await sleep(10)) {
    if (performance.now() - began > 10_000) throw new Error('it did not come to that');
  }
}

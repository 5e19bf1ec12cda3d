// Pools over HTTP.

import { Client } from 'pg';
import { startApp, type TestApp } from '../support/app.js';
import { clientOf, expectProblem, type Ask, type Json } from './client.js';

let app: TestApp;
let ask: Ask;

beforeAll(async () => {
  app = await startApp();
  ask = clientOf(app);
});
afterAll(() => app.close());

const DEFAULT = {
  name: 'default',
  kind: 'fixed',
  size: 100,
  ttl_seconds: 120,
  renewable: false,
  max_lifetime_seconds: null,
  idle_ttl_seconds: null,
  on_exhausted: 'evict_oldest',
  release_authority: 'anyone',
  max_per_user: null,
  max_per_key: null,
  protect_seconds: null,
  evict: 'oldest',
  max_waiting: 0,
  max_waiting_per_user: 1,
  claim_seconds: 10,
  patience_seconds: 30,
  cooldown_seconds: null,
  cooldown_after: 'always',
  after_use: 'available',
  clean_within_seconds: null,
  max_cleans: 3,
  disable_after_unclean: null,
  status: 'open',
  counts: { total: 100, available: 100, active: 0 },
  last_seq: 100,
};
const ELASTIC = {
  name: 'elastic',
  kind: 'elastic',
  size: 10,
  ttl_seconds: 60,
  renewable: true,
  max_lifetime_seconds: null,
  idle_ttl_seconds: 300,
  on_exhausted: 'reject',
  release_authority: 'anyone',
  max_per_user: null,
  max_per_key: null,
  protect_seconds: null,
  evict: 'oldest',
  max_waiting: 0,
  max_waiting_per_user: 1,
  claim_seconds: 10,
  patience_seconds: 30,
  cooldown_seconds: null,
  cooldown_after: 'always',
  after_use: 'available',
  clean_within_seconds: null,
  max_cleans: 3,
  disable_after_unclean: null,
  status: 'open',
  counts: { total: 0, available: 0, active: 0 },
  last_seq: 0,
};

test('after the first start there are the pools default and elastic, as the contract has them', async () => {
  expect(await ask('GET', '/api/pools')).toMatchObject({ status: 200, body: { pools: [DEFAULT, ELASTIC] } });
  expect((await ask('GET', '/api/pools/default')).body).toEqual(DEFAULT);
  expect((await ask('GET', '/api/pools/elastic')).body).toEqual(ELASTIC);
});

test('a pool is made with every part of its policy, and filled', async () => {
  const policy = {
    name: 'desks-2',
    kind: 'fixed',
    size: 7,
    ttl_seconds: 0.5,
    renewable: true,
    max_lifetime_seconds: 3600,
    idle_ttl_seconds: null,
    on_exhausted: 'reject',
    release_authority: 'holder',
    max_per_user: 3,
    max_per_key: 5,
    protect_seconds: 0.25,
    evict: 'over_share_first',
    max_waiting: 100,
    max_waiting_per_user: 2,
    claim_seconds: 5,
    patience_seconds: 60,
    cooldown_seconds: 0.5,
    cooldown_after: 'unclean',
    after_use: 'clean',
    clean_within_seconds: 60,
    max_cleans: 2,
    disable_after_unclean: 5,
    status: 'paused',
  };
  const { status, body } = await ask('POST', '/api/pools', policy);
  expect(status).toBe(201);
  const counts = { total: 7, available: 7, active: 0, cooling: 0, dirty: 0, cleaning: 0, disabled: 0 };
  expect(body).toEqual({ ...policy, counts, last_seq: 7 });
  expect((await ask('GET', '/api/pools/desks-2')).body).toEqual(body);
});

test('what is left out of a new pool is as in the two first ones', async () => {
  const { body: fixed } = await ask('POST', '/api/pools', { name: 'like-default', kind: 'fixed' });
  expect(fixed).toEqual({ ...DEFAULT, name: 'like-default' });
  const { body: elastic } = await ask('POST', '/api/pools', { name: 'like-elastic', kind: 'elastic' });
  expect(elastic).toEqual({ ...ELASTIC, name: 'like-elastic' });
});

test('a pool is changed and grows; what is not named stays', async () => {
  await ask('POST', '/api/pools', { name: 'grows', kind: 'fixed', size: 2 });
  const change = { size: 4, ttl_seconds: 30, renewable: true, max_lifetime_seconds: 90.5, release_authority: 'holder' };
  const { status, body } = await ask('PATCH', '/api/pools/grows', change);
  expect(status).toBe(200);
  const grown = { ...DEFAULT, name: 'grows', ...change, counts: { total: 4, available: 4, active: 0 }, last_seq: 5 };
  expect(body).toEqual(grown);
  expect((await ask('PATCH', '/api/pools/grows', { max_lifetime_seconds: null })).body).toEqual({
    ...grown,
    max_lifetime_seconds: null,
    last_seq: 6,
  });
  expect((await ask('PATCH', '/api/pools/grows')).body.size).toBe(4);
});

test('a paused pool grants nothing, and everything else goes on', async () => {
  const pool = 'pauses';
  await ask('POST', '/api/pools', { name: pool, kind: 'elastic', size: 3 });
  await ask('POST', '/api/tokens', { pool });
  const { body: second } = await ask('POST', '/api/tokens', { pool });
  const { body: grant } = await ask('POST', '/api/tokens/allocate', { pool }, { 'idempotency-key': 'grant-1' });
  const { body: paused } = await ask('PATCH', `/api/pools/${pool}`, { status: 'paused' });
  expect(paused).toMatchObject({ status: 'paused', counts: { total: 2, available: 1, active: 1 } });
  expectProblem(await ask('POST', '/api/tokens/allocate', { pool }), 409, 'pool_paused');
  // It was granted before.
  const again = await ask('POST', '/api/tokens/allocate', { pool }, { 'idempotency-key': 'grant-1' });
  expect(again).toMatchObject({ status: 200, body: { token_id: grant.token_id } });
  const { lease_id } = grant;
  expect((await ask('POST', `/api/tokens/${grant.token_id}/keep-alive`, { lease_id })).status).toBe(200);
  expect((await ask('POST', `/api/tokens/${grant.token_id}/release`, { lease_id })).status).toBe(200);
  expect((await ask('POST', '/api/tokens', { pool })).status).toBe(201);
  expect((await ask('DELETE', `/api/tokens/${second.id}`)).status).toBe(200);
  await ask('PATCH', `/api/pools/${pool}`, { status: 'open' });
  expect((await ask('POST', '/api/tokens/allocate', { pool })).status).toBe(200);
  const { body: feed } = await ask('GET', `/api/pools/${pool}/events`);
  const changes = feed.events.filter(({ event }: { event: string }) => event === 'policy_changed');
  expect(changes.map(({ metadata }: Json) => metadata.after)).toEqual([{ status: 'paused' }, { status: 'open' }]);
  expect((await ask('GET', `/api/pools/${pool}/audit`)).body.findings).toEqual([]);
});

test('a pool shrinks: free tokens go at once, held ones when they are given back, and no lease ends early', async () => {
  const pool = 'shrinks';
  await ask('POST', '/api/pools', { name: pool, kind: 'fixed', size: 5 });
  const { body: first } = await ask('POST', '/api/tokens/allocate', { pool });
  await ask('POST', '/api/tokens/allocate', { pool });
  const { body: shrunk } = await ask('PATCH', `/api/pools/${pool}`, { size: 1 });
  expect(shrunk).toMatchObject({ size: 1, counts: { total: 2, available: 0, active: 2 } });
  expect((await ask('GET', `/api/tokens/${first.token_id}`)).body).toMatchObject({ status: 'active', draining: true });
  const full = await ask('POST', '/api/tokens/allocate', { pool });
  expectProblem(full, 409, 'pool_exhausted');
  expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await ask('POST', `/api/tokens/${first.token_id}/release`)).body.status).toBe('deleted');
  expectProblem(await ask('GET', `/api/tokens/${first.token_id}`), 410, 'token_deleted');
  const { body: listed } = await ask('GET', `/api/tokens?pool=${pool}`);
  expect(listed.tokens).toMatchObject([{ status: 'active', draining: false }]);
  const { body: feed } = await ask('GET', `/api/pools/${pool}/events?after=7`);
  expect(feed.events.map(({ event, reason, actor }: Json) => [event, reason, actor])).toEqual([
    ['policy_changed', null, 'open'],
    ['deleted', 'shrunk', 'open'],
    ['deleted', 'shrunk', 'open'],
    ['deleted', 'shrunk', 'open'],
    ['released', 'released_by_client', 'open'],
    ['deleted', 'shrunk', 'system'],
  ]);
  expect((await ask('GET', `/api/pools/${pool}/audit`)).body.findings).toEqual([]);
  expect((await ask('PATCH', `/api/pools/${pool}`, { size: 3 })).body.counts.total).toBe(3);
});

test('a pool is deleted, stays readable in its events, and is opened again', async () => {
  const pool = 'ends';
  await ask('POST', '/api/pools', { name: pool, kind: 'fixed', size: 2 });
  const { body: grant } = await ask('POST', '/api/tokens/allocate', { pool });
  expectProblem(await ask('DELETE', `/api/pools/${pool}`), 409, 'token_in_use');
  expect((await ask('GET', `/api/pools/${pool}`)).body.counts.active).toBe(1);
  const deleted = await ask('DELETE', `/api/pools/${pool}?force=true`, undefined, { 'x-request-id': 'end-1' });
  expect(deleted).toMatchObject({ status: 200, body: { deleted: true, pool } });
  for (const [method, path, body] of [
    ['GET', `/api/pools/${pool}`],
    ['PATCH', `/api/pools/${pool}`, { size: 3 }],
    ['DELETE', `/api/pools/${pool}`],
    ['GET', `/api/tokens?pool=${pool}`],
    ['GET', `/api/tokens/active?pool=${pool}`],
    ['POST', '/api/tokens/allocate', { pool }],
    ['POST', '/api/tokens/cleanup', { pool }],
    ['POST', '/api/tokens', { pool }],
  ] as const) {
    expectProblem(await ask(method, path, body), 410, 'pool_deleted');
  }
  for (const path of ['release', 'keep-alive']) {
    const body = { lease_id: grant.lease_id };
    expectProblem(await ask('POST', `/api/tokens/${grant.token_id}/${path}`, body), 410, 'token_deleted');
  }
  const { body: all } = await ask('GET', '/api/pools');
  expect(all.pools.map(({ name }: Json) => name)).not.toContain(pool);
  const { body: feed } = await ask('GET', `/api/pools/${pool}/events?after=3`);
  expect(feed.events.map(({ event, reason, request_id }: Json) => [event, reason, request_id])).toEqual([
    ['deleted', 'pool_deleted', 'end-1'],
    ['released', 'pool_deleted', 'end-1'],
    ['deleted', 'pool_deleted', 'end-1'],
    ['pool_deleted', null, 'end-1'],
  ]);
  expect((await ask('GET', `/api/tokens/${grant.token_id}/history`)).body.history).toMatchObject([
    { end_reason: 'pool_deleted' },
  ]);
  expect((await ask('GET', `/api/pools/${pool}/audit`)).body).toMatchObject({ findings: [], tokens: 0, last_seq: 7 });
  const then = await ask('GET', `/api/pools/${pool}?as_of=${grant.activated_at}`);
  expect(then).toMatchObject({ status: 200, body: { counts: { total: 2, active: 1 } } });

  const opened = await ask('POST', '/api/pools', { name: pool, kind: 'elastic', size: 1 });
  expect(opened).toMatchObject({ status: 201, body: { kind: 'elastic', size: 1, counts: { total: 0 }, last_seq: 8 } });
  expectProblem(await ask('POST', '/api/pools', { name: pool, kind: 'elastic' }), 409, 'pool_exists');
  await ask('POST', '/api/tokens', { pool });
  expect((await ask('POST', '/api/tokens/allocate', { pool })).body.fence).toBe(grant.fence + 1);
  expect((await ask('GET', `/api/pools/${pool}/audit`)).body).toMatchObject({ findings: [], last_seq: 10 });
});

test('each change of a policy is an event of the pool, and a PATCH that changes nothing is none', async () => {
  await ask('POST', '/api/pools', { name: 'changes', kind: 'fixed', size: 1, ttl_seconds: 60 });
  const change = { size: 2, ttl_seconds: 0.5, max_per_user: 3, renewable: false };
  await ask('PATCH', '/api/pools/changes', change, { 'x-request-id': 'change-1' });
  await ask('PATCH', '/api/pools/changes', change);
  const { body } = await ask('GET', '/api/pools/changes/events');
  expect(body.events.map(({ event }: { event: string }) => event)).toEqual([
    'generated',
    'policy_changed',
    'generated',
  ]);
  expect(body.events[1]).toEqual({
    id: expect.any(String),
    pool: 'changes',
    seq: 2,
    token_id: null,
    event: 'policy_changed',
    user_id: null,
    holder: null,
    fence: null,
    reason: null,
    occurred_at: expect.any(String),
    recorded_at: expect.any(String),
    expires_at: null,
    actor: 'open',
    request_id: 'change-1',
    metadata: {
      before: { size: 1, ttl_seconds: 60, max_per_user: null },
      after: { size: 2, ttl_seconds: 0.5, max_per_user: 3 },
      user_id: null,
      reason: null,
    },
    lease_metadata: null,
  });
  const { body: found } = await ask('GET', '/api/pools/changes/events?request_id=change-1');
  expect(found.events.map(({ seq }: { seq: number }) => seq)).toEqual([2, 3]);
  expect((await ask('GET', '/api/pools/changes/audit')).body).toMatchObject({ is_sound: true, last_seq: 3 });
});

test('the audit finds a policy that was changed without an event', async () => {
  await ask('POST', '/api/pools', { name: 'meddled', kind: 'fixed', size: 1, ttl_seconds: 60 });
  await ask('PATCH', '/api/pools/meddled', { ttl_seconds: 61 });
  const meddler = new Client({ connectionString: app.databaseUrl });
  await meddler.connect();
  await meddler.query(`UPDATE pools SET ttl_seconds = 62 WHERE name = 'meddled'`);
  await meddler.end();
  expect((await ask('GET', '/api/pools/meddled/audit')).body.findings).toEqual([
    "the pool's ttl_seconds is 62, the feed says 61",
  ]);
});

test('an elastic pool that may keep its free tokens for good says null', async () => {
  await ask('POST', '/api/pools', { name: 'keeps', kind: 'elastic', idle_ttl_seconds: 5 });
  expect((await ask('PATCH', '/api/pools/keeps', { idle_ttl_seconds: null })).body.idle_ttl_seconds).toBeNull();
});

test('the feed of a pool is read from any seq on, oldest first and without gaps', async () => {
  await ask('POST', '/api/pools', { name: 'feed', kind: 'fixed', size: 2 });
  const { body: grant } = await ask('POST', '/api/tokens/allocate', { pool: 'feed' });
  const { status, body } = await ask('GET', '/api/pools/feed/events');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    pool: 'feed',
    last_seq: 3,
    events: [
      { seq: 1, event: 'generated' },
      { seq: 2, event: 'generated' },
      { seq: 3, event: 'activated', token_id: grant.token_id, expires_at: grant.expires_at },
    ],
  });
  const { body: part } = await ask('GET', '/api/pools/feed/events?after=1&limit=1');
  expect(part).toEqual({ pool: 'feed', last_seq: 3, events: [body.events[1]], restores: [] });
  expect((await ask('GET', '/api/pools/feed/events?after=3')).body).toEqual({
    pool: 'feed',
    last_seq: 3,
    events: [],
    restores: [],
  });
});

test('the audit of a pool says that all is well, or what is not', async () => {
  const name = 'audited';
  await ask('POST', '/api/pools', { name, kind: 'fixed', size: 2 });
  for (let i = 0; i < 3; i++) await ask('POST', '/api/tokens/allocate', { pool: name });
  const sound = await ask('GET', `/api/pools/${name}/audit`);
  expect(sound).toMatchObject({
    status: 200,
    body: { pool: name, last_seq: 6, tokens: 2, open_leases: 2, is_sound: true, findings: [], finding_count: 0 },
  });
  const meddler = new Client({ connectionString: app.databaseUrl });
  await meddler.connect();
  await meddler.query(`UPDATE tokens SET expires_at = expires_at + interval '1 hour' WHERE pool = $1 AND fence = 3`, [
    name,
  ]);
  await meddler.query(`UPDATE pools SET lease_count = 1 WHERE name = $1`, [name]);
  await meddler.end();
  const { body } = await ask('GET', `/api/pools/${name}/audit`);
  expect(body).toMatchObject({ is_sound: false, finding_count: 2 });
  expect(body.findings).toEqual([
    expect.stringMatching(/^token \S+: expires_at is shown as .*, the feed says/),
    "the pool's lease_count is 1, the feed says 2",
  ]);
  expect(await ask('GET', '/api/pools/nowhere/audit')).toMatchObject({
    status: 404,
    body: { error: 'pool_not_found' },
  });
});

// The scenario that the pool `default` is for; `npm test -- -t lru` runs it alone.

import { clientOf, type Ask } from './client.js';
import { startApp, type TestApp } from '../support/app.js';

let app: TestApp;
let ask: Ask;
beforeAll(async () => {
  app = await startApp();
  ask = clientOf(app);
});
afterAll(() => app.close());

test('lru: the 101st allocation takes the token of the oldest lease, and the audit has both sides of it', async () => {
  const user = (n: number): string => `c0ffee00-0000-4000-8000-${String(n).padStart(12, '0')}`;
  const grants: { token_id: string; lease_id: string; fence: number; activated_at: string; evicted: unknown }[] = [];
  for (let n = 1; n <= 100; n++) {
    const { status, body } = await ask('POST', '/api/tokens/allocate', { user_id: user(n) });
    expect([status, body.evicted]).toEqual([200, null]);
    grants.push(body);
  }
  expect(new Set(grants.map(({ token_id }) => token_id)).size).toBe(100);
  const oldest = grants[0]!;

  const { body: grant } = await ask('POST', '/api/tokens/allocate', { user_id: user(101) });
  expect(grant).toMatchObject({
    token_id: oldest.token_id,
    user_id: user(101),
    fence: 101,
    status: 'active',
    evicted: { user_id: user(1), fence: 1, activated_at: oldest.activated_at },
  });
  expect(Date.parse(grant.expires_at) - Date.parse(grant.activated_at)).toBe(120_000);

  const { body: feed } = await ask('GET', '/api/pools/default/events?after=200');
  expect(feed.events).toMatchObject([
    { seq: 201, event: 'released', reason: 'lru_eviction', user_id: user(1), fence: 1, token_id: oldest.token_id },
    { seq: 202, event: 'activated', reason: 'allocated_after_eviction', user_id: user(101), fence: 101 },
  ]);
  // One transaction: one instant.
  expect(feed.events[0].recorded_at).toBe(feed.events[1].recorded_at);

  const { body: active } = await ask('GET', '/api/tokens/active');
  expect(active.tokens.map(({ fence }: { fence: number }) => fence)).toEqual(
    Array.from({ length: 100 }, (_, i) => i + 2),
  );
  const { body: token } = await ask('GET', `/api/tokens/${oldest.token_id}`);
  expect(token).toMatchObject({
    current_user: { user_id: user(101) },
    history: [
      { fence: 101, ended_at: null, end_reason: null },
      { fence: 1, user_id: user(1), end_reason: 'lru_eviction', ended_at: grant.activated_at },
    ],
  });

  const late = await ask('POST', `/api/tokens/${oldest.token_id}/release`, { lease_id: oldest.lease_id });
  expect(late).toMatchObject({ status: 410, body: { error: 'lease_ended', end_reason: 'lru_eviction' } });
  const { body: pool } = await ask('GET', '/api/pools/default');
  expect(pool.counts).toEqual({ total: 100, available: 0, active: 100 });
});

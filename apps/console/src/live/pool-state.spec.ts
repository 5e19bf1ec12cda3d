import type { PoolEvent, Token } from '../api.js';
import { countByStatus, countHeld, isHeld, nextToBeEvicted, PoolState, statusOf } from './pool-state.js';

const NOON = Date.parse('2026-11-21T12:00:00Z');
const iso = (seconds: number): string => new Date(NOON + seconds * 1000).toISOString();

function free(id: string): Token {
  return {
    id,
    pool: 'p',
    name: null,
    attributes: null,
    status: 'available',
    active_user_id: null,
    holder: null,
    last_activated_at: null,
    expires_at: null,
    fence: null,
    lease_metadata: null,
    draining: false,
    available_at: null,
    disabled_reason: null,
    disabled_at: null,
    disabled_by: null,
  };
}

function held(id: string, fence: number, since = 0, until = 60): Token {
  return {
    ...free(id),
    status: 'active',
    active_user_id: `user-${fence}`,
    last_activated_at: iso(since),
    expires_at: iso(until),
    fence,
  };
}

function event(seq: number, token_id: string | null, of: Partial<PoolEvent>): PoolEvent {
  return {
    id: `event-${seq}`,
    seq,
    token_id,
    event: 'activated',
    user_id: of.fence === undefined ? null : `user-${of.fence}`,
    holder: null,
    fence: null,
    reason: null,
    occurred_at: iso(seq),
    recorded_at: iso(seq),
    expires_at: null,
    actor: 'open',
    request_id: null,
    metadata: {},
    lease_metadata: null,
    ...of,
  };
}

const activated = (seq: number, id: string, fence: number): PoolEvent =>
  event(seq, id, { event: 'activated', fence, reason: 'allocated', expires_at: iso(seq + 60) });
const released = (seq: number, id: string, fence: number, reason: PoolEvent['reason'] = 'released_by_client') =>
  event(seq, id, { event: 'released', fence, reason });

test('an event of the pool itself changes no token', () => {
  const state = new PoolState([free('a')], 2);
  const change = event(3, null, { event: 'policy_changed', metadata: { before: { size: 1 }, after: { size: 2 } } });
  expect(state.apply(change)).toEqual({ kind: 'policy-changed', token: null, ended: null });
  expect([state.seq, state.tokens]).toMatchObject([3, [{ id: 'a', name: null, lease: null }]]);
});

test('grants, renewals and ends change the lease of their token', () => {
  const state = new PoolState([free('a'), free('b')], 2);
  expect(state.apply(activated(3, 'b', 1))).toMatchObject({ kind: 'granted', token: { id: 'b' } });
  expect(state.find('b')!.lease).toEqual({
    fence: 1,
    userId: 'user-1',
    holder: null,
    isCleaning: false,
    activatedAt: NOON + 3_000,
    expiresAt: NOON + 63_000,
  });
  state.apply(event(4, 'b', { event: 'renewed', fence: 1, expires_at: iso(90) }));
  expect(state.find('b')!.lease!.expiresAt).toBe(NOON + 90_000);
  expect(state.apply(released(5, 'b', 1))).toMatchObject({ kind: 'released', ended: { fence: 1 } });
  expect(state.find('b')!.lease).toBeNull();
  expect(state.seq).toBe(5);
});

test('an already known event changes nothing', () => {
  const state = new PoolState([free('a')], 1);
  state.apply(activated(2, 'a', 1));
  state.apply(released(3, 'a', 1));
  expect(state.apply(activated(2, 'a', 1))).toBeNull();
  expect(state.find('a')!.lease).toBeNull();
});

test('apply throws when an event is missing', () => {
  const state = new PoolState([free('a')], 1);
  expect(() => state.apply(activated(3, 'a', 1))).toThrow(RangeError);
});

test('events that a newer snapshot already contains change nothing', () => {
  const truth = new PoolState([free('a'), free('b')], 2);
  const events = [
    activated(3, 'a', 1),
    activated(4, 'b', 2),
    released(5, 'a', 1, 'lru_eviction'),
    activated(6, 'a', 3),
    event(7, 'b', { event: 'expired', fence: 2, reason: 'ttl_expired' }),
    event(8, 'a', { event: 'renewed', fence: 3, expires_at: iso(100) }),
  ];
  for (const each of events) truth.apply(each);
  // Reads each token at every possible moment: the fold must always end in the same state.
  const moments: Token[][] = [
    [free('a'), held('a', 1, 3, 63), free('a'), held('a', 3, 6, 66), { ...held('a', 3, 6, 100) }],
    [free('b'), held('b', 2, 4, 64), free('b')],
  ];
  for (const a of moments[0]!) {
    for (const b of moments[1]!) {
      const state = new PoolState([a, b], 2);
      for (const each of events) state.apply(each);
      expect(state.tokens).toEqual(truth.tokens);
    }
  }
});

test('the end of an earlier lease does not touch its successor', () => {
  const state = new PoolState([held('a', 7)], 10);
  expect(state.apply(released(11, 'a', 6))).toMatchObject({ ended: null });
  expect(state.find('a')!.lease!.fence).toBe(7);
});

test('tokens come and go in the order of their ids', () => {
  const state = new PoolState([free('c'), free('a')], 2);
  state.apply(event(3, 'b', { event: 'generated' }));
  state.apply(event(4, 'd', { event: 'generated' }));
  expect(state.tokens.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
  state.apply(event(5, 'c', { event: 'deleted', reason: 'idle_ttl' }));
  expect(state.tokens.map(({ id }) => id)).toEqual(['a', 'b', 'd']);
  expect(state.find('c')).toBeUndefined();
});

test('a token generated before its page was read appears once, a deleted one does not return', () => {
  const state = new PoolState([free('a')], 0);
  state.apply(event(1, 'a', { event: 'generated' }));
  state.apply(event(2, 'z', { event: 'generated' }));
  state.apply(event(3, 'z', { event: 'deleted' }));
  state.apply(activated(4, 'gone', 1));
  expect(state.tokens.map(({ id }) => id)).toEqual(['a']);
});

test('in a pool that is shown in part, unknown tokens stay unknown', () => {
  const state = new PoolState([free('a')], 0, false);
  expect(state.apply(event(1, 'b', { event: 'generated' }))).toMatchObject({ kind: 'generated' });
  expect(state.apply(activated(2, 'b', 1))).toMatchObject({ kind: 'granted' });
  expect(state.tokens).toHaveLength(1);
});

test('a lease is over from its deadline on, even before its expired event', () => {
  const state = new PoolState([held('a', 1, 0, 60), free('b')], 5);
  expect(countHeld(state.tokens, NOON + 59_999)).toBe(1);
  expect(countHeld(state.tokens, NOON + 60_000)).toBe(0);
  expect(isHeld(state.find('a')!, NOON + 60_000)).toBe(false);
  // A renewal that was made in time counts, even if its event arrives late.
  state.apply(event(6, 'a', { event: 'renewed', fence: 1, expires_at: iso(120) }));
  expect(countHeld(state.tokens, NOON + 60_000)).toBe(1);
});

test('the smallest fence is next to be evicted, but only when no token is free', () => {
  const state = new PoolState([held('a', 12), held('b', 11), held('c', 13, 0, 30)], 20);
  const oldest = { evict: 'oldest', protect_seconds: null } as const;
  expect(nextToBeEvicted(state.tokens, oldest, NOON)!.id).toBe('b');
  expect(nextToBeEvicted(state.tokens, oldest, NOON + 30_000)).toBeNull();
  expect(nextToBeEvicted([], oldest, NOON)).toBeNull();
});

test('in a fair pool, the oldest lease of the user with the most leases is next, once its protection ends', () => {
  const of = (user: string, token: Token): Token => ({ ...token, active_user_id: user });
  const tokens = [held('a', 1), of('greedy', held('b', 3, 10)), of('greedy', held('c', 2, 5))];
  const next = (protect_seconds: number | null, seconds: number): string | undefined =>
    nextToBeEvicted(
      new PoolState(tokens, 3).tokens,
      { evict: 'over_share_first', protect_seconds },
      NOON + seconds * 1000,
    )?.id;
  expect(next(null, 20)).toBe('c');
  expect(next(15, 20)).toBe('c');
  // The pool does not evict another lease instead.
  expect(next(16, 20)).toBeUndefined();
});

test('status and deadline decide whether a token is held, even if its user is hidden', () => {
  const hidden = (token: Token): Token => ({ ...token, active_user_id: null });
  const state = new PoolState([hidden(held('a', 2)), hidden(held('b', 1, 0, 30)), free('c')], 5);
  expect(countHeld(state.tokens, NOON)).toBe(2);
  expect(countHeld(state.tokens, NOON + 30_000)).toBe(1);
  expect(state.find('a')!.lease).toMatchObject({ fence: 2, userId: null });
  state.apply({ ...activated(6, 'c', 3), user_id: null });
  expect(countHeld(state.tokens, NOON + 1_000)).toBe(3);
  expect(nextToBeEvicted(state.tokens, { evict: 'oldest', protect_seconds: null }, NOON)!.id).toBe('b');
  // The page does not know which user holds the most.
  expect(nextToBeEvicted(state.tokens, { evict: 'over_share_first', protect_seconds: null }, NOON)).toBeNull();
  state.apply({ ...released(7, 'c', 3), user_id: null });
  expect(countHeld(state.tokens, NOON + 1_000)).toBe(2);
});

test('a user id of zeros counts as hidden', () => {
  const zeros = { ...held('a', 1), active_user_id: '00000000-0000-0000-0000-000000000000' };
  expect(new PoolState([zeros], 1).find('a')!.lease!.userId).toBeNull();
});

test.each([
  ['released_by_client', 'released'],
  ['lru_eviction', 'evicted'],
  ['over_share_eviction', 'evicted'],
  ['cleanup', 'cleaned'],
  ['deleted_by_client', 'ended-by-deletion'],
] as const)('a lease that ended with %s was %s', (reason, kind) => {
  const state = new PoolState([held('a', 1)], 1);
  expect(state.apply(released(2, 'a', 1, reason))!.kind).toBe(kind);
});

test('names and attributes come from the snapshot and from events', () => {
  const named = { ...free('a'), name: 'Nokia 3', attributes: { os: 14, country: 'DE' } };
  const state = new PoolState([named], 1);
  expect(state.find('a')).toMatchObject({ name: 'Nokia 3', attributes: { os: 14 }, words: 'nokia 3 14 de' });
  const before = state.thingsVersion;
  state.apply(event(2, 'b', { event: 'generated', metadata: { name: 'new', attributes: { os: 15 } } }));
  expect(state.find('b')).toMatchObject({ name: 'new', attributes: { os: 15 }, words: 'new 15' });
  state.apply(event(3, 'b', { event: 'described', metadata: { before: {}, after: {}, secret: 'changed' } }));
  expect(state.find('b')).toMatchObject({ name: 'new', attributes: { os: 15 } });
  state.apply(
    event(4, 'a', { event: 'described', metadata: { before: {}, after: { name: 'Nokia 4', attributes: {} } } }),
  );
  expect(state.find('a')).toMatchObject({ name: 'Nokia 4', attributes: {}, words: 'nokia 4' });
  expect(state.thingsVersion).toBeGreaterThan(before);
  // What a user says about a lease is not about the thing.
  state.apply({ ...activated(5, 'a', 1), metadata: { name: 'no name' } });
  expect(state.find('a')!.name).toBe('Nokia 4');
  state.markDraining('a');
  expect(state.find('a')!.isDraining).toBe(true);
  expect(state.apply(event(6, 'a', { event: 'deleted', reason: 'removed' }))!.token).toMatchObject({ name: 'Nokia 4' });
});

test('a token is what happened to it between two users', () => {
  const state = new PoolState([free('a')], 1);
  const told: string[] = [];
  const tell = (at: number): void => void told.push(statusOf(state.find('a')!, NOON + at * 1000));
  const apply = (seq: number, of: Partial<PoolEvent>): void => {
    state.apply(event(seq, 'a', of));
    tell(seq);
  };
  apply(2, { event: 'activated', fence: 1, reason: 'allocated', expires_at: iso(60) });
  apply(3, { event: 'released', fence: 1, reason: 'released_by_client', metadata: { available_at: iso(12) } });
  apply(4, { event: 'soiled', reason: 'used' });
  apply(5, { event: 'activated', fence: 2, reason: 'cleaning', expires_at: iso(60) });
  apply(6, { event: 'released', fence: 2, reason: 'released_by_client', metadata: { available_at: iso(12) } });
  apply(7, { event: 'soiled', reason: 'not_cleaned' });
  expect(state.find('a')).toMatchObject({ dirtySince: Date.parse(iso(4)) });
  apply(8, { event: 'activated', fence: 3, reason: 'cleaning', expires_at: iso(60) });
  apply(9, { event: 'released', fence: 3, reason: 'released_by_client', metadata: { available_at: iso(12) } });
  apply(10, { event: 'cleaned' });
  apply(11, { event: 'disabled', reason: 'disabled_by_client', metadata: { note: 'fire' } });
  expect(state.find('a')!.disabled).toEqual({ reason: 'fire', since: Date.parse(iso(11)), by: 'open' });
  apply(12, { event: 'enabled' });
  expect(told).toEqual([
    ...['active', 'cooling', 'dirty', 'cleaning', 'dirty', 'dirty', 'cleaning', 'dirty'],
    ...['cooling', 'disabled', 'available'],
  ]);
  expect(countByStatus(state.tokens, NOON)).toMatchObject({ available: 0, cooling: 1 });
});

test('what the service says of a token that was enabled holds until its next event', () => {
  const broken = { ...free('a'), status: 'disabled' as const, disabled_reason: 'x', disabled_at: iso(0) };
  const state = new PoolState([broken], 1);
  state.apply(event(2, 'a', { event: 'enabled' }));
  expect(statusOf(state.find('a')!, NOON)).toBe('available');
  state.amend({ ...free('a'), status: 'dirty' }, 2);
  expect(statusOf(state.find('a')!, NOON)).toBe('dirty');
  state.apply(event(3, 'a', { event: 'cleaned' }));
  state.amend({ ...free('a'), status: 'dirty' }, 2);
  expect(statusOf(state.find('a')!, NOON)).toBe('available');
});

test('nobody evicts who cleans, nor a token that goes or is disabled with its lease', () => {
  const cleaning = { ...held('a', 1), status: 'cleaning' as const };
  const leaving = { ...held('b', 2), draining: true };
  const disabled = { ...held('c', 3), disabled_reason: 'x', disabled_at: iso(0) };
  const dirty = { ...free('d'), status: 'dirty' as const };
  const { tokens } = new PoolState([cleaning, leaving, disabled, dirty, held('e', 5), held('f', 6)], 6);
  expect(nextToBeEvicted(tokens, { evict: 'oldest', protect_seconds: null }, NOON + 1000)?.id).toBe('e');
});

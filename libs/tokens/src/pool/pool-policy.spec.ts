import type { DomainErrorCode } from '../kernel/domain-error.js';
import { changedPolicy, firstDeadline, newPolicy, renewedDeadline, type PolicyChange } from './pool-policy.js';
import { NOW, SECOND, elastic, fixed, lease, refusalOf } from '../testing/given.js';

const INVALID: DomainErrorCode = 'invalid_request';

describe('a new pool', () => {
  test('that is fixed is as the one made at the first start, unless told otherwise', () => {
    expect(newPolicy('a', 'fixed')).toEqual({
      name: 'a',
      kind: 'fixed',
      size: 100,
      ttlSeconds: 120,
      renewable: false,
      maxLifetimeSeconds: null,
      idleTtlSeconds: null,
      onExhausted: 'evict_oldest',
      releaseAuthority: 'anyone',
      maxPerUser: null,
      maxPerKey: null,
      protectSeconds: null,
      evict: 'oldest',
      maxWaiting: 0,
      maxWaitingPerUser: 1,
      claimSeconds: 10,
      patienceSeconds: 30,
      cooldownSeconds: null,
      cooldownAfter: 'always',
      afterUse: 'available',
      cleanWithinSeconds: null,
      maxCleans: 3,
      disableAfterUnclean: null,
      status: 'open',
    });
  });

  test('that is elastic is as the one made at the first start, unless told otherwise', () => {
    expect(newPolicy('b', 'elastic')).toEqual({
      name: 'b',
      kind: 'elastic',
      size: 10,
      ttlSeconds: 60,
      renewable: true,
      maxLifetimeSeconds: null,
      idleTtlSeconds: 300,
      onExhausted: 'reject',
      releaseAuthority: 'anyone',
      maxPerUser: null,
      maxPerKey: null,
      protectSeconds: null,
      evict: 'oldest',
      maxWaiting: 0,
      maxWaitingPerUser: 1,
      claimSeconds: 10,
      patienceSeconds: 30,
      cooldownSeconds: null,
      cooldownAfter: 'always',
      afterUse: 'available',
      cleanWithinSeconds: null,
      maxCleans: 3,
      disableAfterUnclean: null,
      status: 'open',
    });
  });

  test('has what is given, and null is given where undefined is not', () => {
    const policy = newPolicy('b', 'elastic', { size: 3, ttlSeconds: undefined, idleTtlSeconds: null });
    expect(policy).toMatchObject({ size: 3, ttlSeconds: 60, idleTtlSeconds: null });
  });

  test.each(['a', '0', 'a-b', 'a-', 'a'.repeat(63)])('may be called %j', (name) => {
    expect(newPolicy(name, 'fixed').name).toBe(name);
  });

  test.each(['', '-a', 'A', 'a_b', 'a b', 'ä', 'a\n', 'a'.repeat(64)])('must not be called %j', (name) => {
    expect(refusalOf(() => newPolicy(name, 'fixed')).code).toBe(INVALID);
  });

  test.each<[PolicyChange]>([
    [{ size: 1 }],
    [{ size: 1_000_000 }],
    [{ ttlSeconds: 0.000_001 }],
    [{ ttlSeconds: 31_536_000 }],
    [{ maxLifetimeSeconds: 31_536_000 }],
    [{ maxLifetimeSeconds: null }],
    [{ idleTtlSeconds: 0.5 }],
    [{ maxPerUser: 1, maxPerKey: 1_000_000 }],
    // Kept for the day on which the pool evicts: a change of one field alone must not fail for another.
    [{ onExhausted: 'reject', protectSeconds: 0.5, evict: 'over_share_first' }],
  ])('may have %j', (given) => {
    expect(elastic(given)).toMatchObject(given);
  });

  test.each<[string, PolicyChange]>([
    ['size', { size: 0 }],
    ['size', { size: -1 }],
    ['size', { size: 1.5 }],
    ['size', { size: NaN }],
    ['size', { size: 1_000_001 }],
    ['ttl_seconds', { ttlSeconds: 0 }],
    ['ttl_seconds', { ttlSeconds: -1 }],
    ['ttl_seconds', { ttlSeconds: NaN }],
    ['ttl_seconds', { ttlSeconds: 31_536_000.1 }],
    ['max_lifetime_seconds', { maxLifetimeSeconds: 0 }],
    ['max_lifetime_seconds', { maxLifetimeSeconds: Infinity }],
    ['idle_ttl_seconds', { idleTtlSeconds: 0 }],
    ['max_per_user', { maxPerUser: 0 }],
    ['max_per_user', { maxPerUser: 1.5 }],
    ['max_per_key', { maxPerKey: 1_000_001 }],
    ['protect_seconds', { protectSeconds: 0 }],
    ['protect_seconds', { protectSeconds: 31_536_000.1 }],
    ['idle_ttl_seconds', { idleTtlSeconds: 31_536_001 }],
  ])('is refused for its %s: %j', (field, given) => {
    const { code, message } = refusalOf(() => elastic(given));
    expect(code).toBe(INVALID);
    expect(message.startsWith(`${field} must`)).toBe(true);
  });

  test('that is fixed must not delete idle tokens', () => {
    expect(refusalOf(() => fixed({ idleTtlSeconds: 5 })).message).toContain('idle_ttl_seconds must be null');
  });
});

describe('a changed policy', () => {
  test('has what is changed and keeps the rest', () => {
    const policy = elastic({ size: 4 });
    const change = {
      ttlSeconds: 5,
      renewable: false,
      onExhausted: 'evict_oldest',
      releaseAuthority: 'holder',
    } as const;
    expect(changedPolicy(policy, { ...change, size: undefined })).toEqual({ ...policy, ...change });
    expect(policy).toEqual(elastic({ size: 4 }));
  });

  test('may be larger or smaller', () => {
    for (const size of [3, 4, 5]) expect(changedPolicy(fixed({ size: 4 }), { size }).size).toBe(size);
  });

  test('obeys the same rules as a new one', () => {
    expect(refusalOf(() => changedPolicy(fixed(), { ttlSeconds: 0 })).code).toBe(INVALID);
    expect(refusalOf(() => changedPolicy(fixed(), { idleTtlSeconds: 9 })).code).toBe(INVALID);
    expect(refusalOf(() => changedPolicy(elastic(), { size: 1_000_001 })).code).toBe(INVALID);
  });
});

describe('the first deadline', () => {
  const after = (given: PolicyChange, ttlSeconds?: number): number =>
    (firstDeadline(fixed(given), NOW, ttlSeconds) - NOW) / SECOND;

  test('is the TTL of the pool away', () => {
    expect(after({ ttlSeconds: 120 })).toBe(120);
  });

  test('is what was asked for, when that is less', () => {
    expect(after({ ttlSeconds: 120 }, 30)).toBe(30);
    expect(after({ ttlSeconds: 120 }, 0.5)).toBe(0.5);
  });

  test('is capped to the TTL of the pool, when more was asked for', () => {
    expect(after({ ttlSeconds: 120 }, 121)).toBe(120);
  });

  test('is never beyond the maximum lifetime', () => {
    expect(after({ ttlSeconds: 120, maxLifetimeSeconds: 50 })).toBe(50);
    expect(after({ ttlSeconds: 120, maxLifetimeSeconds: 50 }, 70)).toBe(50);
    expect(after({ ttlSeconds: 120, maxLifetimeSeconds: 50 }, 20)).toBe(20);
  });

  test('is at least a microsecond away', () => {
    expect(firstDeadline(fixed(), NOW, 1e-9)).toBe(NOW + 1);
  });
});

describe('the deadline of a renewed lease', () => {
  /** Of a lease that has 20 seconds left and began 40 seconds ago. */
  const after = (given: PolicyChange, ttlSeconds?: number): number =>
    (renewedDeadline(fixed({ renewable: true, ...given }), lease(1, 20, 40), NOW, ttlSeconds) - NOW) / SECOND;

  test('counts from now', () => {
    expect(after({ ttlSeconds: 60 })).toBe(60);
  });

  test('is what was asked for, and never sooner than before', () => {
    expect(after({ ttlSeconds: 60 }, 30)).toBe(30);
    expect(after({ ttlSeconds: 60 }, 5)).toBe(20);
  });

  test('is not sooner than was promised when the TTL was tightened meanwhile', () => {
    expect(after({ ttlSeconds: 5 })).toBe(20);
    expect(after({ ttlSeconds: 5 }, 60)).toBe(20);
  });

  test('is capped to the TTL of the pool', () => {
    expect(after({ ttlSeconds: 60 }, 61)).toBe(60);
  });

  test('is never beyond the maximum lifetime, which counts from the beginning of the lease', () => {
    expect(after({ ttlSeconds: 60, maxLifetimeSeconds: 90 })).toBe(50);
    expect(after({ ttlSeconds: 60, maxLifetimeSeconds: 60 })).toBe(20);
  });

  test('is not sooner than was promised when the maximum lifetime was tightened meanwhile', () => {
    expect(after({ ttlSeconds: 60, maxLifetimeSeconds: 41 })).toBe(20);
    expect(after({ ttlSeconds: 60, maxLifetimeSeconds: 1 })).toBe(20);
  });

  test('does not exist where leases are not renewed', () => {
    expect(refusalOf(() => after({ renewable: false })).code).toBe('not_renewable');
  });
});

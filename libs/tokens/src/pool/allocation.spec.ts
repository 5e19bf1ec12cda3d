import {
  NOW,
  SECOND,
  fixed,
  freeToken,
  heldToken,
  lasting,
  leaseOf,
  poolOf,
  refusalOf,
  story,
  tokenId,
  user,
  wholeSlice,
} from '../testing/given.js';
import type { PolicyChange } from './pool-policy.js';
import { TokenPool } from './token-pool.js';
import type { Token } from './token.js';

const ASKER = user(99);

describe('which token is handed out', () => {
  test('the one that is free for the longest', () => {
    const pool = poolOf(fixed(), [freeToken(1, 5), freeToken(2, 9), freeToken(3, 7)]);
    const order = [1, 2, 3].map(() => pool.allocate({ userId: ASKER }).tokenId);
    expect(order).toEqual([2, 3, 1].map(tokenId));
  });

  test('the one of the smaller id, when two are free for equally long', () => {
    const pool = poolOf(fixed(), [freeToken(3, 5), freeToken(1, 5), freeToken(2, 5)]);
    const order = [1, 2, 3].map(() => pool.allocate({ userId: ASKER }).tokenId);
    expect(order).toEqual([1, 2, 3].map(tokenId));
  });

  test('an overdue one counts as free since its deadline', () => {
    const pool = poolOf(fixed(), [freeToken(1, 5), heldToken(2, 1, -7), heldToken(3, 2, -3), freeToken(4, 4)]);
    const order = [1, 2, 3, 4].map(() => pool.allocate({ userId: ASKER }).tokenId);
    expect(order).toEqual([2, 1, 4, 3].map(tokenId));
  });

  test('one whose deadline is this very instant', () => {
    const pool = poolOf(fixed({ onExhausted: 'reject' }), [heldToken(1, 1, 0)]);
    expect(pool.allocate({ userId: ASKER })).toMatchObject({ tokenId: tokenId(1), evicted: null });
  });

  test('one that was just released comes after all that were free before', () => {
    const pool = poolOf(fixed(), [heldToken(1, 1), freeToken(2, 0.000_001)]);
    pool.release(tokenId(1), {});
    const order = [1, 2].map(() => pool.allocate({ userId: ASKER }).tokenId);
    expect(order).toEqual([2, 1].map(tokenId));
  });

  test('one that was just generated comes after all that were free before', () => {
    const pool = poolOf(lasting(), [freeToken(1, 1)]);
    const made = pool.generate();
    const order = [1, 2].map(() => pool.allocate({ userId: ASKER }).tokenId);
    expect(order).toEqual([tokenId(1), made.id]);
  });
});

describe('a grant', () => {
  test('tells everything about the lease', () => {
    const pool = poolOf(fixed({ ttlSeconds: 120 }), [freeToken(1), heldToken(2, 41)]);
    const grant = pool.allocate({ userId: ASKER });
    expect(grant).toEqual({
      tokenId: tokenId(1),
      name: null,
      attributes: null,
      secret: null,
      userId: ASKER,
      holder: null,
      keyId: null,
      fence: 42,
      leaseId: expect.stringMatching(/^00000000-002a-8/) as string,
      activatedAt: NOW,
      expiresAt: NOW + 120 * SECOND,
      evicted: null,
    });
  });

  test('leaves the token leased and the lease in the audit, with the metadata', () => {
    const token = freeToken(1);
    const pool = poolOf(fixed(), [token]);
    const {
      tokenId: id,
      evicted,
      name,
      attributes,
      secret,
      ...lease
    } = pool.allocate({
      userId: ASKER,
      metadata: { job: 7 },
    });
    expect([id, evicted, name, attributes, secret]).toEqual([token.id, null, null, null, null]);
    expect(token).toMatchObject({ lease, lastActivatedAt: NOW });
    expect([...pool.changed]).toEqual([token]);
    expect(pool.events).toEqual([
      {
        seq: 101,
        tokenId: token.id,
        event: 'activated',
        reason: 'allocated',
        occurredAt: NOW,
        lease,
        actor: 'system',
        requestId: null,
        tokensAfter: 1,
        leasesAfter: 1,
        metadata: { job: 7 },
      },
    ]);
  });

  test.each<[string, PolicyChange, number | undefined, number]>([
    ['the TTL of the pool', { ttlSeconds: 120 }, undefined, 120],
    ['what was asked for', { ttlSeconds: 120 }, 30, 30],
    ['a fraction of a second', { ttlSeconds: 120 }, 0.5, 0.5],
    ['the TTL of the pool, a fraction itself', { ttlSeconds: 0.25 }, undefined, 0.25],
    ['no longer than the TTL of the pool', { ttlSeconds: 120 }, 121, 120],
    ['no longer than the maximum lifetime', { ttlSeconds: 120, maxLifetimeSeconds: 45.5 }, undefined, 45.5],
    ['no longer than the maximum lifetime, whatever is asked for', { ttlSeconds: 120, maxLifetimeSeconds: 9 }, 10, 9],
  ])('lasts for %s', (_, policy, ttlSeconds, seconds) => {
    const { expiresAt } = poolOf(fixed(policy), [freeToken(1)]).allocate({ userId: ASKER, ttlSeconds });
    expect((expiresAt - NOW) / SECOND).toBe(seconds);
  });
});

describe('a full pool that evicts', () => {
  test('ends the active lease of the smallest fence', () => {
    const tokens = [heldToken(1, 7, 5), heldToken(2, 5, 90), heldToken(3, 9, 1)];
    const oldest = leaseOf(tokens[1] as Token);
    const pool = poolOf(fixed(), tokens);
    const grant = pool.allocate({ userId: ASKER });
    expect(grant).toMatchObject({ tokenId: tokenId(2), userId: ASKER, fence: 10, evicted: oldest });
    expect(tokens.map(({ lease }) => lease?.fence)).toEqual([7, 10, 9]);
  });

  test('writes the end before the beginning, each with its reason', () => {
    const pool = poolOf(fixed(), [heldToken(1, 1), heldToken(2, 2)]);
    const { evicted, fence } = pool.allocate({ userId: ASKER });
    expect(pool.events).toMatchObject([
      { seq: 101, event: 'released', reason: 'lru_eviction', tokenId: tokenId(1), occurredAt: NOW, lease: evicted },
      { seq: 102, event: 'activated', reason: 'allocated_after_eviction', tokenId: tokenId(1), lease: { fence } },
    ]);
    expect(pool.events[1]?.lease?.userId).toBe(ASKER);
  });

  test('evicts one after the other in the order of granting', () => {
    const pool = poolOf(fixed(), [heldToken(1, 3), heldToken(2, 1), heldToken(3, 2)]);
    const fences = [1, 2, 3, 4].map(() => pool.allocate({ userId: ASKER }).evicted?.fence);
    expect(fences).toEqual([1, 2, 3, 4]);
  });

  test('does not spare a lease that was kept alive', () => {
    const pool = poolOf(fixed({ renewable: true }), [heldToken(1, 1, 1), heldToken(2, 2, 50)]);
    pool.keepAlive(tokenId(1), { userId: user(1) });
    expect(pool.allocate({ userId: ASKER }).evicted?.fence).toBe(1);
  });

  test('evicts nobody while a token is free', () => {
    const pool = poolOf(fixed(), [heldToken(1, 1), freeToken(2)]);
    expect(pool.allocate({ userId: ASKER })).toMatchObject({ tokenId: tokenId(2), evicted: null });
    expect(story(pool)).toEqual(['activated, allocated, token 2, fence 2']);
  });

  test('evicts nobody while a lease is overdue, but writes down its end first', () => {
    const pool = poolOf(fixed(), [heldToken(1, 1, 50), heldToken(2, 2, -3)]);
    expect(pool.allocate({ userId: ASKER })).toMatchObject({ tokenId: tokenId(2), evicted: null });
    expect(story(pool)).toEqual(['expired, ttl_expired, token 2, fence 2', 'activated, allocated, token 2, fence 3']);
  });

  test('refuses when it has no token at all, and cannot say when to ask again', () => {
    const refusal = refusalOf(() => poolOf(lasting({ onExhausted: 'evict_oldest' }), []).allocate({ userId: ASKER }));
    expect(refusal.code).toBe('pool_exhausted');
    expect(refusal.facts.retryAfterSeconds).toBeUndefined();
  });
});

describe('a full pool that does not evict', () => {
  const reject = fixed({ onExhausted: 'reject', ttlSeconds: 300 });

  test('refuses, and says after how many seconds the next lease ends at the latest', () => {
    const pool = poolOf(reject, [heldToken(1, 1, 50), heldToken(2, 2, 12.3), heldToken(3, 3, 90)]);
    const refusal = refusalOf(() => pool.allocate({ userId: ASKER }));
    expect(refusal).toMatchObject({ code: 'pool_exhausted', facts: { retryAfterSeconds: 13 } });
    expect(refusal.message).not.toContain('renewed');
    expect(pool.events).toEqual([]);
  });

  test('says so where the lease that ends next may be renewed', () => {
    const pool = poolOf({ ...reject, renewable: true }, [heldToken(1, 1, 50), heldToken(2, 2, 12.3)]);
    const refusal = refusalOf(() => pool.allocate({ userId: ASKER }));
    expect(refusal.facts.retryAfterSeconds).toBe(13);
    expect(refusal.message).toContain('the lease that ends next may be renewed');
  });

  test('counts from the deadlines that earlier commands of the batch have left', () => {
    const pool = poolOf({ ...reject, renewable: true }, [heldToken(1, 1, 5), heldToken(2, 2, 9), heldToken(3, 3, 50)]);
    const refusal = () => refusalOf(() => pool.allocate({ userId: ASKER })).facts.retryAfterSeconds;
    pool.keepAlive(tokenId(1), { userId: user(1) }, 70);
    expect(refusal()).toBe(9);
    pool.release(tokenId(2), {});
    pool.allocate({ userId: ASKER, ttlSeconds: 80 });
    expect(refusal()).toBe(50);
  });

  test('knows of deadlines outside of the tokens that were loaded', () => {
    const { state } = wholeSlice(reject, [heldToken(1, 1, 50), heldToken(2, 2, 8)]);
    const pool = TokenPool.restore({ state, now: NOW, tokens: [], nextExpiryAt: NOW + 8 * SECOND });
    expect(refusalOf(() => pool.allocate({ userId: ASKER })).facts.retryAfterSeconds).toBe(8);
  });

  test('counts the leases that were granted just now', () => {
    const pool = poolOf(reject, [heldToken(1, 1, 50), freeToken(2)]);
    pool.allocate({ userId: ASKER, ttlSeconds: 4 });
    expect(refusalOf(() => pool.allocate({ userId: ASKER })).facts.retryAfterSeconds).toBe(4);
  });

  test('grants again as soon as a lease is over', () => {
    const pool = poolOf(reject, [heldToken(1, 1, 50), heldToken(2, 2, 60)]);
    pool.release(tokenId(2), {});
    expect(pool.allocate({ userId: ASKER }).tokenId).toBe(tokenId(2));
  });
});

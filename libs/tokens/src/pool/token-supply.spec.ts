import { ANYBODY } from '../kernel/caller.js';
import {
  NOW,
  elastic,
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
import { TokenPool } from './token-pool.js';
import type { Token } from './token.js';

const ASKER = user(99);

describe('deleting idle tokens', () => {
  test('takes those that nobody used for the idle time, to the microsecond', () => {
    const pool = poolOf(elastic({ idleTtlSeconds: 5 }), [freeToken(1, 4.999_999), freeToken(2, 5), freeToken(3, 60)]);
    pool.deleteIdle();
    expect(story(pool)).toEqual(['deleted, idle_ttl, token 3', 'deleted, idle_ttl, token 2']);
    expect(pool.events.map(({ occurredAt, lease }) => [occurredAt, lease])).toEqual([
      [NOW, null],
      [NOW, null],
    ]);
    expect([...pool.deleted].map(({ id }) => id)).toEqual([tokenId(3), tokenId(2)]);
    expect(pool.state).toMatchObject({ tokenCount: 1, leaseCount: 0 });
  });

  test('takes those whose lease has been over for the idle time: its end is written first', () => {
    const tokens = [heldToken(1, 1, -5), heldToken(2, 2, -4)];
    const pool = poolOf(elastic({ idleTtlSeconds: 5 }), tokens);
    pool.deleteIdle();
    expect(story(pool)).toEqual([
      'expired, ttl_expired, token 1, fence 1',
      'expired, ttl_expired, token 2, fence 2',
      'deleted, idle_ttl, token 1',
    ]);
    expect([...pool.changed]).toEqual([tokens[1]]);
    expect([...pool.deleted]).toEqual([tokens[0]]);
    expect(pool.state).toMatchObject({ tokenCount: 1, leaseCount: 0 });
  });

  test('happens once', () => {
    const pool = poolOf(elastic({ idleTtlSeconds: 5 }), [freeToken(1, 9)]);
    pool.deleteIdle();
    pool.deleteIdle();
    expect(story(pool)).toEqual(['deleted, idle_ttl, token 1']);
  });

  test('takes nothing that is held, and nothing where tokens stay', () => {
    const held = poolOf(elastic({ idleTtlSeconds: 5, ttlSeconds: 900 }), [heldToken(1, 1, 60, 800)]);
    held.deleteIdle();
    const free = poolOf(lasting(), [freeToken(1, 100_000)]);
    free.deleteIdle();
    expect([...held.events, ...free.events]).toEqual([]);
  });
});

describe('generating', () => {
  test('makes a free token with an id of its own', () => {
    const pool = poolOf(lasting({ size: 3 }), [freeToken(1)]);
    const [a, b] = [pool.generate(), pool.generate()];
    expect(a).toMatchObject({ lease: null, freeSince: NOW, lastActivatedAt: null });
    expect(a.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(b.id).not.toBe(a.id);
    expect([...pool.generated]).toEqual([a, b]);
    expect(pool.events).toMatchObject([
      { seq: 101, event: 'generated', reason: null, tokenId: a.id, occurredAt: NOW, lease: null },
      { seq: 102, event: 'generated', tokenId: b.id },
    ]);
    expect(pool.state).toMatchObject({ tokenCount: 3, leaseCount: 0 });
  });

  test('is refused beyond the size, which counts held and overdue tokens', () => {
    const pool = poolOf(lasting({ size: 3 }), [freeToken(1), heldToken(2, 1), heldToken(3, 2, -1)]);
    expect(refusalOf(() => pool.generate()).code).toBe('pool_limit_reached');
    expect(pool.state.tokenCount).toBe(3);
  });

  test('counts tokens that were not loaded', () => {
    const { state } = wholeSlice(lasting({ size: 2 }), [heldToken(1, 1), heldToken(2, 2)]);
    const pool = TokenPool.restore({ state, now: NOW, tokens: [], nextExpiryAt: null });
    expect(refusalOf(() => pool.generate()).code).toBe('pool_limit_reached');
  });

  test('has room again once an idle token is deleted, or any other', () => {
    const idle = poolOf(elastic({ size: 1, idleTtlSeconds: 5 }), [freeToken(1, 5)]);
    expect(idle.generate().id).not.toBe(tokenId(1));
    expect(story(idle)[0]).toBe('deleted, idle_ttl, token 1');
    const full = poolOf(lasting({ size: 1 }), [heldToken(1, 1)]);
    full.delete(tokenId(1), true);
    expect(full.generate().id).not.toBe(tokenId(1));
    expect(full.state).toMatchObject({ tokenCount: 1, leaseCount: 0 });
  });

  test('deletes no idle token while there is room', () => {
    const pool = poolOf(elastic({ size: 2, idleTtlSeconds: 5 }), [freeToken(1, 6)]);
    pool.generate();
    expect(pool.events.map(({ event }) => event)).toEqual(['generated']);
  });

  test('is refused in a fixed pool, full or not', () => {
    expect(refusalOf(() => poolOf(fixed({ size: 1 }), [freeToken(1)]).generate()).code).toBe('pool_is_fixed');
    expect(refusalOf(() => poolOf(fixed({ size: 2 }), [freeToken(1)]).generate()).code).toBe('pool_is_fixed');
  });

  test('makes a token that can be used and deleted at once', () => {
    const pool = poolOf(lasting(), []);
    const { id } = pool.generate();
    pool.allocate({ userId: ASKER });
    pool.delete(id, true);
    expect(pool.events.map(({ event }) => event)).toEqual(['generated', 'activated', 'released', 'deleted']);
    expect([...pool.generated, ...pool.changed, ...pool.deleted]).toEqual([]);
    expect(pool.state).toMatchObject({ tokenCount: 0, leaseCount: 0, lastSeq: 104, lastFence: 1 });
  });
});

describe('deleting', () => {
  test('removes a free token', () => {
    const tokens = [freeToken(1), freeToken(2)];
    const pool = poolOf(lasting(), tokens);
    pool.delete(tokenId(1), false);
    expect(story(pool)).toEqual(['deleted, deleted_by_client, token 1']);
    expect(pool.events[0]).toMatchObject({ occurredAt: NOW, lease: null });
    expect([...pool.deleted]).toEqual([tokens[0]]);
    expect(pool.state.tokenCount).toBe(1);
    expect(pool.allocate({ userId: ASKER }).tokenId).toBe(tokenId(2));
  });

  test('is refused while the token is held, unless it is forced', () => {
    const token = heldToken(1, 1);
    const before = { ...token };
    const pool = poolOf(lasting(), [token]);
    expect(refusalOf(() => pool.delete(token.id, false)).code).toBe('token_in_use');
    expect(token).toEqual(before);
    expect(pool.events).toEqual([]);
  });

  test('by force ends the lease first', () => {
    const token = heldToken(1, 1);
    const lease = leaseOf(token);
    const pool = poolOf(lasting(), [token]);
    pool.delete(token.id, true);
    expect(story(pool)).toEqual([
      'released, deleted_by_client, token 1, fence 1',
      'deleted, deleted_by_client, token 1',
    ]);
    expect(pool.events[0]).toMatchObject({ occurredAt: NOW, lease });
    expect([...pool.changed]).toEqual([]);
    expect([...pool.deleted]).toEqual([token]);
    expect(pool.state).toMatchObject({ tokenCount: 0, leaseCount: 0 });
  });

  test('needs no force when the lease is overdue: it has expired', () => {
    const pool = poolOf(lasting(), [heldToken(1, 1, 0)]);
    pool.delete(tokenId(1), false);
    expect(story(pool)).toEqual(['expired, ttl_expired, token 1, fence 1', 'deleted, deleted_by_client, token 1']);
  });

  test('leaves nothing to hand out, to evict or to delete again', () => {
    const pool = poolOf(lasting({ onExhausted: 'evict_oldest' }), [freeToken(1), heldToken(2, 1)]);
    pool.delete(tokenId(1), false);
    pool.delete(tokenId(2), true);
    expect(refusalOf(() => pool.allocate({ userId: ASKER })).code).toBe('pool_exhausted');
    expect(refusalOf(() => pool.delete(tokenId(1), true)).code).toBe('token_deleted');
    expect(refusalOf(() => pool.release(tokenId(2), {})).code).toBe('token_deleted');
    expect(pool.releaseOldest(10, Infinity)).toBe(0);
  });

  test('is refused in a fixed pool, forced or not', () => {
    const pool = poolOf(fixed(), [freeToken(1), heldToken(2, 1)]);
    expect(refusalOf(() => pool.delete(tokenId(1), false)).code).toBe('pool_is_fixed');
    expect(refusalOf(() => pool.delete(tokenId(2), true)).code).toBe('pool_is_fixed');
    expect(pool.events).toEqual([]);
  });
});

describe('filling', () => {
  test('makes the tokens that a fixed pool lacks, in portions, and says how many are still lacking', () => {
    const pool = poolOf(fixed({ size: 5 }), [freeToken(1)]);
    expect([pool.fill(3), pool.fill(3), pool.fill(3)]).toEqual([1, 0, 0]);
    expect(pool.events.map(({ event, reason }) => [event, reason])).toEqual(Array(4).fill(['generated', null]));
    expect(pool.generated.size).toBe(4);
    expect(pool.state).toMatchObject({ tokenCount: 5, lastSeq: 104 });
  });

  test('makes none in an elastic pool', () => {
    const pool = poolOf(elastic({ size: 5 }), []);
    expect(pool.fill(3)).toBe(0);
    expect(pool.events).toEqual([]);
  });
});

describe('a size that became smaller', () => {
  const ids = (tokens: Iterable<Token>): string[] => [...tokens].map(({ id }) => id);

  test('deletes free tokens at once, the longest free first, and as many as it is told', () => {
    const pool = poolOf(fixed({ size: 5 }), [
      freeToken(1, 1),
      freeToken(2, 9),
      freeToken(3, 5),
      heldToken(4, 1),
      freeToken(5, 7),
    ]);
    pool.caller = { ...ANYBODY, keyId: 'key-1' };
    pool.changePolicy({ size: 2 });
    expect(pool.shrink(2)).toBe(true);
    expect(pool.shrink(2)).toBe(false);
    expect(ids(pool.deleted)).toEqual([2, 5, 3].map(tokenId));
    expect(story(pool).slice(1)).toEqual([2, 5, 3].map((n) => `deleted, shrunk, token ${n}`));
    expect(pool.events.map(({ actor }) => actor)).toEqual(['key-1', 'key-1', 'key-1', 'key-1']);
    expect(pool.state).toMatchObject({ tokenCount: 2, leaseCount: 1 });
  });

  test('ends no lease: its token goes at the end of the lease, whichever ends first, until the pool has its size', () => {
    const pool = poolOf(fixed({ size: 4 }), [heldToken(1, 1), heldToken(2, 2), heldToken(3, 3, 5), heldToken(4, 4)]);
    pool.changePolicy({ size: 2 });
    expect(pool.shrink(9)).toBe(false);
    expect(pool.state).toMatchObject({ tokenCount: 4, leaseCount: 4 });
    pool.release(tokenId(3), {});
    pool.releaseOldest(2, Infinity);
    expect(story(pool).slice(1)).toEqual([
      'released, released_by_client, token 3, fence 3',
      'deleted, shrunk, token 3',
      'released, cleanup, token 1, fence 1',
      'deleted, shrunk, token 1',
      'released, cleanup, token 2, fence 2',
    ]);
    expect(pool.events.filter(({ reason }) => reason === 'shrunk').map(({ actor }) => actor)).toEqual([
      'system',
      'system',
    ]);
    expect(pool.state).toMatchObject({ tokenCount: 2, leaseCount: 1 });
  });

  test('deletes the token of a lease that expires, too', () => {
    const policy = fixed({ size: 1 });
    const pool = poolOf(policy, [heldToken(1, 1, -1), heldToken(2, 2, -2), heldToken(3, 3)]);
    pool.settle();
    expect(story(pool)).toEqual([
      'expired, ttl_expired, token 2, fence 2',
      'deleted, shrunk, token 2',
      'expired, ttl_expired, token 1, fence 1',
      'deleted, shrunk, token 1',
    ]);
  });

  test('evicts nothing, and grants no more leases than the size', () => {
    const full = poolOf(fixed({ size: 2 }), [heldToken(1, 1, 5), heldToken(2, 2), heldToken(3, 3)]);
    const refusal = refusalOf(() => full.allocate({ userId: ASKER }));
    expect(refusal).toMatchObject({ code: 'pool_exhausted', facts: { retryAfterSeconds: 5 } });
    expect(refusal.message).toContain('shrinks');
    // Two of these free ones go in the next chunk, whichever they are.
    const half = poolOf(fixed({ size: 2 }), [heldToken(1, 1), freeToken(2), freeToken(3), freeToken(4)]);
    expect(half.allocate({ userId: ASKER }).evicted).toBeNull();
    expect(refusalOf(() => half.allocate({ userId: ASKER })).code).toBe('pool_exhausted');
    expect(half.shrink(9)).toBe(false);
    expect(half.state).toMatchObject({ tokenCount: 2, leaseCount: 2 });
    expect(half.allocate({ userId: ASKER }).evicted?.fence).toBe(1);
  });

  test('lets a token be deleted by force once, and by its own reason', () => {
    const pool = poolOf(elastic({ size: 1 }), [heldToken(1, 1), heldToken(2, 2)]);
    pool.delete(tokenId(1), true);
    expect(story(pool)).toEqual([
      'released, deleted_by_client, token 1, fence 1',
      'deleted, deleted_by_client, token 1',
    ]);
  });
});

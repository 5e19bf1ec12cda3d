// Quotas, and who loses a lease in a full pool that is fair.

import { decideBatch, type Outcome } from '../commands/batch.js';
import { ANYBODY } from '../kernel/caller.js';
import { allocate, deleteToken, release, type Command } from '../commands/command.js';
import type { PolicyChange } from './pool-policy.js';
import {
  NOW,
  SECOND,
  elastic,
  fixed,
  freeToken,
  heldToken,
  poolOf,
  refusalOf,
  tokenId,
  user,
} from '../testing/given.js';
import type { Grant } from './requests.js';
import type { TokenPool } from './token-pool.js';
import type { Lease, Token } from './token.js';

const ANN = user(1);
const BOB = user(2);
const EVE = user(3);
const NEW = user(4);

/** Token number `n` whose lease number `n` is this user's. */
function held(n: number, userId: string, otherwise: Partial<Lease> = {}): Token {
  const token = heldToken(n, n);
  token.lease = { ...token.lease!, userId, ...otherwise };
  return token;
}
const since = (seconds: number): Partial<Lease> => ({ activatedAt: NOW - seconds * SECOND });
const until = (seconds: number): Partial<Lease> => ({ expiresAt: NOW + seconds * SECOND });
const withKey = (keyId: string): Partial<Lease> => ({ keyId });

const askOf = (userId: string, keyId: string | null = null): Command<Grant> =>
  allocate({ userId }, { ...ANYBODY, keyId });
const short = (outcome: Outcome | undefined): unknown => {
  if (outcome === undefined || outcome === 'deferred') return outcome;
  if ('error' in outcome) return outcome.error.code;
  return (outcome.value as Grant | undefined)?.evicted?.fence ?? 'granted';
};
const decide = (pool: TokenPool, ...commands: Command<unknown>[]): unknown[] => decideBatch(pool, commands).map(short);
const asking = (...users: string[]) => ({ users, keys: ['k', 'l'] });

describe('a quota for users', () => {
  const quota = fixed({ maxPerUser: 2 });

  test('refuses one lease more, and says when the next of that user ends at the latest', () => {
    const tokens = [held(1, ANN, until(50)), held(2, ANN, until(7.5)), held(3, BOB, until(2)), freeToken(4)];
    const pool = poolOf(quota, tokens, asking(ANN));
    const refusal = refusalOf(() => pool.allocate({ userId: ANN }));
    expect(refusal).toMatchObject({ code: 'quota_exceeded', facts: { retryAfterSeconds: 8 } });
    expect(refusal.message).toBe(`user ${ANN} holds as many leases as pool fixed allows, 2`);
    expect(pool.events).toEqual([]);
  });

  test('counts what the batch has granted and what it has given back', () => {
    const free = [freeToken(1), freeToken(2), freeToken(3), freeToken(4)];
    expect(decide(poolOf(quota, free, asking(ANN, BOB)), ...[ANN, ANN, ANN, BOB].map((one) => askOf(one)))).toEqual([
      'granted',
      'granted',
      'quota_exceeded',
      'granted',
    ]);
    const pool = poolOf(quota, [held(1, ANN), held(2, ANN)], asking(ANN));
    expect(decide(pool, askOf(ANN), release(tokenId(2), {}), askOf(ANN))).toEqual([
      'granted',
      'granted',
      'quota_exceeded',
    ]);
  });

  test('does not count what is overdue, written down or not', () => {
    const pool = poolOf(quota, [held(1, ANN), held(2, ANN, { ...since(90), ...until(-1) })], asking(ANN));
    expect(decide(pool, askOf(ANN), askOf(ANN))).toEqual(['granted', 'quota_exceeded']);
  });

  test('goes before an eviction: nobody makes room for himself by it', () => {
    const pool = poolOf(fixed({ size: 2, maxPerUser: 1 }), [held(1, ANN), held(2, BOB)], asking(ANN, BOB));
    expect(decide(pool, askOf(ANN))).toEqual(['quota_exceeded']);
  });

  test('counts again when the lease was evicted', () => {
    const pool = poolOf(fixed({ size: 2, maxPerUser: 1 }), [held(1, ANN), held(2, BOB)], asking(ANN, NEW));
    expect(decide(pool, askOf(NEW), askOf(ANN))).toEqual([1, 2]);
  });

  test('that was lowered takes nothing away', () => {
    const tokens = [held(1, ANN), held(2, ANN), held(3, ANN), freeToken(4)];
    expect(decide(poolOf(fixed({ maxPerUser: 1 }), tokens, asking(ANN, BOB)), askOf(ANN), askOf(BOB))).toEqual([
      'quota_exceeded',
      'granted',
    ]);
  });

  test('is not guessed at: who was not announced is a bug', () => {
    expect(() => poolOf(quota, [freeToken(1)]).allocate({ userId: ANN })).toThrow('not loaded');
  });
});

describe('a quota for API keys', () => {
  const quota = fixed({ maxPerKey: 2 });

  test('counts the leases of the key for all of its users', () => {
    const tokens = [held(1, ANN, withKey('k')), freeToken(2), freeToken(3), freeToken(4)];
    const pool = poolOf(quota, tokens, asking(ANN, BOB, EVE));
    const commands = [askOf(BOB, 'k'), askOf(EVE, 'k'), askOf(ANN, 'l')];
    expect(decide(pool, ...commands)).toEqual(['granted', 'quota_exceeded', 'granted']);
  });

  test('says nothing of users, and when the next lease of the key ends', () => {
    const tokens = [held(1, ANN, { ...withKey('k'), ...until(3) }), held(2, BOB, withKey('k')), freeToken(3)];
    const [outcome] = decideBatch(poolOf(quota, tokens, asking(EVE)), [askOf(EVE, 'k')]);
    expect(outcome).toMatchObject({ error: { code: 'quota_exceeded', facts: { retryAfterSeconds: 3 } } });
    expect((outcome as { error: Error }).error.message).not.toContain(ANN);
  });

  test('limits nobody who asks without a key', () => {
    const free = [freeToken(1), freeToken(2), freeToken(3)];
    expect(decide(poolOf(quota, free), askOf(ANN), askOf(ANN), askOf(ANN))).toEqual(['granted', 'granted', 'granted']);
  });
});

describe('a lease that is protected', () => {
  const protecting = (given: PolicyChange = {}) => fixed({ size: 2, protectSeconds: 10, ...given });

  test('is not evicted until its time has come, to the microsecond', () => {
    const young = { activatedAt: NOW - 10 * SECOND + 1 };
    expect(decide(poolOf(protecting(), [held(1, ANN, young), held(2, BOB, young)]), askOf(NEW))).toEqual([
      'pool_exhausted',
    ]);
    expect(decide(poolOf(protecting(), [held(1, ANN, since(10)), held(2, BOB, since(0))]), askOf(NEW))).toEqual([1]);
  });

  test.each([
    ['the end of the protection', 90, 7],
    ['a deadline that is sooner', 3, 3],
  ])('tells the next one to come back at %s', (_, ttl, seconds) => {
    const tokens = [held(1, ANN, { ...since(3), ...until(90) }), held(2, BOB, { ...since(2), ...until(ttl) })];
    const refusal = refusalOf(() => poolOf(protecting(), tokens).allocate({ userId: NEW }));
    expect(refusal.facts.retryAfterSeconds).toBe(seconds);
    expect(refusal.message).toContain('is protected');
  });

  test('is as any other to its holder, to a cleanup and to a pool that refuses', () => {
    const pool = poolOf(protecting({ onExhausted: 'reject' }), [held(1, ANN, since(1)), held(2, BOB, since(0))]);
    pool.release(tokenId(2), {});
    expect(pool.releaseOldest(5, Infinity)).toBe(1);
  });

  test('keeps a batch from taking back what it has just given', () => {
    const pool = poolOf(protecting(), [held(1, ANN, since(20)), held(2, BOB, since(1))]);
    expect(decide(pool, askOf(NEW), askOf(EVE))).toEqual([1, 'pool_exhausted']);
  });
});

describe('where the user who holds the most loses first', () => {
  const fair = (given: PolicyChange = {}) => fixed({ size: 6, evict: 'over_share_first', ...given });

  test('it is the oldest lease of that user, although others are older', () => {
    const pool = poolOf(fair(), [held(1, ANN), held(2, BOB), held(3, EVE), held(4, EVE)], asking(NEW));
    const grant = pool.allocate({ userId: NEW });
    expect(grant.evicted).toMatchObject({ userId: EVE, fence: 3 });
    expect(pool.events.map(({ reason }) => reason)).toEqual(['over_share_eviction', 'allocated_after_eviction']);
  });

  test('among equals it is the one with the oldest lease', () => {
    const tokens = [held(1, BOB), held(2, ANN), held(3, EVE), held(4, EVE), held(5, ANN)];
    expect(decide(poolOf(fair(), tokens, asking(NEW)), askOf(NEW), askOf(NEW))).toEqual([2, 3]);
  });

  test('a greedy one flushes only himself', () => {
    const tokens = [held(1, ANN), held(2, BOB), held(3, EVE), held(4, EVE), held(5, EVE)];
    expect(decide(poolOf(fair(), tokens, asking(EVE)), ...Array.from({ length: 3 }, () => askOf(EVE)))).toEqual([
      3, 4, 5,
    ]);
  });

  test('so does a user who asks for more at once than they hold: the next grants evict the first ones', () => {
    const tokens = [held(1, ANN), held(2, BOB), held(3, EVE)];
    const pool = poolOf(fair(), tokens, asking(EVE, NEW));
    expect(decide(pool, askOf(EVE), askOf(EVE), askOf(EVE), askOf(NEW))).toEqual([1, 3, 4, 'deferred']);
    expect(tokens.map(({ lease }) => lease?.userId)).toEqual([EVE, BOB, EVE]);
  });

  test('grants of the batch count, those of free tokens, too', () => {
    const tokens = [held(1, ANN), held(2, BOB), held(3, BOB), held(4, ANN), freeToken(5)];
    expect(decide(poolOf(fair(), tokens, asking(BOB, NEW)), askOf(BOB), askOf(NEW))).toEqual(['granted', 2]);
  });

  test('so do releases, and tokens that are deleted', () => {
    const tokens = [held(1, ANN), held(2, ANN), held(3, BOB), held(4, BOB), held(5, EVE)];
    const policy = elastic({ size: 5, onExhausted: 'evict_oldest', evict: 'over_share_first', idleTtlSeconds: null });
    const pool = poolOf(policy, tokens, asking(NEW));
    expect(decide(pool, askOf(NEW), deleteToken(tokenId(2), true))).toEqual([3, 'granted']);
  });

  test('a lease that is overdue counts for nothing', () => {
    const tokens = [
      held(1, ANN),
      held(2, BOB, { ...since(90), ...until(-1) }),
      held(3, BOB),
      held(4, EVE),
      held(5, EVE),
    ];
    expect(decide(poolOf(fair(), tokens, asking(NEW)), askOf(NEW), askOf(NEW))).toEqual(['granted', 4]);
  });

  describe('and leases are protected', () => {
    const protecting = fair({ protectSeconds: 10 });

    test('no other user loses a lease instead while it is protected', () => {
      const tokens = () => [held(1, ANN, since(60)), held(2, EVE, since(4)), held(3, EVE, since(1))];
      for (const asker of [EVE, ANN, NEW]) {
        const refusal = refusalOf(() => poolOf(protecting, tokens(), asking(asker)).allocate({ userId: asker }));
        expect(refusal).toMatchObject({ code: 'pool_exhausted', facts: { retryAfterSeconds: 6 } });
      }
    });

    test('it goes when its protection is over', () => {
      const tokens = [held(1, ANN, since(60)), held(2, EVE, since(10)), held(3, EVE, since(1))];
      expect(decide(poolOf(protecting, tokens, asking(NEW, EVE)), askOf(NEW), askOf(EVE))).toEqual([2, 1]);
    });
  });

  test('a pool that refuses does so', () => {
    const pool = poolOf(fair({ onExhausted: 'reject' }), [held(1, EVE), held(2, EVE)]);
    expect(decide(pool, askOf(NEW))).toEqual(['pool_exhausted']);
  });
});

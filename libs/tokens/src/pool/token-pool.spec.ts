import { ANYBODY } from '../kernel/caller.js';
import type { LeaseClaim } from './lease-claim.js';
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
  wholeSlice,
} from '../testing/given.js';
import { TokenPool } from './token-pool.js';
import type { Lease, Token } from './token.js';

const ASKER = user(99);
const STRANGER = user(77);
const NEVER: string = 'ffffffff-ffff-8fff-bfff-ffffffffffff';

/** An elastic pool that deletes nothing by itself. */
const lasting = (given: PolicyChange = {}) => elastic({ idleTtlSeconds: null, ...given });

/** Free now, leased once before. */
const usedToken = (n: number, freeForSeconds = 1): Token => ({
  ...freeToken(n, freeForSeconds),
  lastActivatedAt: NOW - 500 * SECOND,
});

const leaseOf = (token: Token): Lease => {
  if (!token.lease) throw new Error(`token ${token.id} is free`);
  return token.lease;
};

/** Each event as one line. */
const story = (pool: TokenPool): string[] =>
  pool.events.map(({ event, reason, tokenId: id, lease }) =>
    [event, reason, id && `token ${Number(id.slice(-12))}`, lease && `fence ${lease.fence}`].filter(Boolean).join(', '),
  );

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

describe('settling', () => {
  test('expires overdue leases in the order of their deadlines, each at its own', () => {
    const tokens = [heldToken(1, 1, -2), heldToken(2, 2, -9), heldToken(3, 3, 5), heldToken(4, 4, 0)];
    const deadlines = [2, 1, 4].map((n) => leaseOf(tokens[n - 1] as Token));
    const pool = poolOf(fixed(), tokens);
    pool.settle();
    expect(story(pool)).toEqual([
      'expired, ttl_expired, token 2, fence 2',
      'expired, ttl_expired, token 1, fence 1',
      'expired, ttl_expired, token 4, fence 4',
    ]);
    expect(pool.events.map(({ occurredAt }) => occurredAt)).toEqual([-9, -2, 0].map((at) => NOW + at * SECOND));
    expect(pool.events.map(({ lease }) => lease)).toEqual(deadlines);
    expect(tokens.map(({ lease, freeSince }) => lease ?? (freeSince - NOW) / SECOND)).toEqual([
      -2,
      -9,
      leaseOf(tokens[2] as Token),
      0,
    ]);
    expect(pool.state).toMatchObject({ tokenCount: 4, leaseCount: 1, lastSeq: 103, lastFence: 4 });
  });

  test('does not end a lease a microsecond before its deadline', () => {
    const pool = poolOf(fixed(), [heldToken(1, 1, 0.000_001)]);
    pool.settle();
    expect(pool.events).toEqual([]);
  });

  test('happens once', () => {
    const pool = poolOf(fixed(), [heldToken(1, 1, -2), freeToken(2, 9)]);
    pool.settle();
    pool.settle();
    expect(story(pool)).toEqual(['expired, ttl_expired, token 1, fence 1']);
  });

  test('deletes no token, idle or not: until the sweep does, it is as available as it is shown', () => {
    const pool = poolOf(elastic({ idleTtlSeconds: 5 }), [freeToken(1, 9)]);
    pool.settle();
    expect(pool.events).toEqual([]);
    expect(pool.allocate({ userId: ASKER }).tokenId).toBe(tokenId(1));
  });
});

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

describe('every command settles first', () => {
  const commands: [string, (pool: TokenPool) => unknown][] = [
    ['allocate', (pool) => pool.allocate({ userId: ASKER })],
    ['release', (pool) => pool.release(tokenId(3), {})],
    ['keep-alive', (pool) => pool.keepAlive(tokenId(3), { userId: user(3) })],
    ['generate', (pool) => pool.generate()],
    ['delete', (pool) => pool.delete(tokenId(3), true)],
    ['clean up', (pool) => pool.releaseOldest(10, Infinity)],
  ];

  test.each(commands)('%s', (_, command) => {
    const pool = poolOf(lasting(), [heldToken(1, 1, -2), heldToken(3, 3)]);
    command(pool);
    expect(story(pool)[0]).toBe('expired, ttl_expired, token 1, fence 1');
    expect(pool.events.length).toBeGreaterThan(1);
  });
});

describe('whose lease it is', () => {
  // Token 1 was never leased, token 2 was leased before, token 3 is held with fence 3.
  const tokens = (): Token[] => [freeToken(1), usedToken(2), heldToken(3, 3)];
  const held = leaseOf(heldToken(3, 3));

  type Case = [what: string, token: number, claim: (lease: Lease) => LeaseClaim, code: string];
  const byAnyone: Case[] = [
    ['a token never leased, by its id', 1, () => ({}), 'token_not_active'],
    ['a token never leased, by a user', 1, () => ({ userId: STRANGER }), 'token_not_active'],
    ['a token never leased, by a fence', 1, () => ({ fence: 1 }), 'token_not_active'],
    ['a token never leased, by a lease', 1, () => ({ leaseId: NEVER }), 'token_not_active'],
    ['a free token, by its id', 2, () => ({}), 'token_not_active'],
    ['a free token, by a user', 2, () => ({ userId: STRANGER }), 'stale_lease'],
    ['a free token, by a fence', 2, () => ({ fence: 1 }), 'stale_lease'],
    ['a free token, by a lease', 2, () => ({ leaseId: NEVER }), 'stale_lease'],
    ['a held token, by another lease', 3, () => ({ leaseId: NEVER }), 'stale_lease'],
    ['a held token, by another user', 3, () => ({ userId: STRANGER }), 'stale_lease'],
    ['a held token, by an earlier fence', 3, ({ userId }) => ({ userId, fence: 2 }), 'stale_lease'],
    ['a held token, by a later fence', 3, ({ leaseId }) => ({ leaseId, fence: 4 }), 'stale_lease'],
    ['its lease, by another user', 3, ({ leaseId }) => ({ leaseId, userId: STRANGER }), 'stale_lease'],
    ['its user, by another lease', 3, ({ userId }) => ({ userId, leaseId: NEVER }), 'stale_lease'],
    ['a token that is not there any more', 9, () => ({ leaseId: NEVER }), 'token_deleted'],
  ];
  const byHolder: Case[] = [
    ['a token never leased, by its id', 1, () => ({}), 'token_not_active'],
    ['a token never leased, by a user', 1, () => ({ userId: STRANGER }), 'lease_handle_required'],
    ['a token never leased, by a lease', 1, () => ({ leaseId: NEVER }), 'token_not_active'],
    ['a free token, by its id', 2, () => ({}), 'token_not_active'],
    ['a free token, by a user', 2, () => ({ userId: STRANGER }), 'lease_handle_required'],
    ['a free token, by a lease', 2, () => ({ leaseId: NEVER }), 'stale_lease'],
    ['a held token, by its id', 3, () => ({}), 'lease_handle_required'],
    ['a held token, by its user', 3, ({ userId }) => ({ userId }), 'lease_handle_required'],
    ['a held token, by user and fence', 3, ({ userId, fence }) => ({ userId, fence }), 'lease_handle_required'],
    ['a held token, by another user', 3, () => ({ userId: STRANGER }), 'lease_handle_required'],
    ['a held token, by another lease', 3, () => ({ leaseId: NEVER }), 'stale_lease'],
    ['its lease, by another user', 3, ({ leaseId }) => ({ leaseId, userId: STRANGER }), 'stale_lease'],
    ['a token that is not there any more', 9, () => ({}), 'token_deleted'],
  ];

  describe.each([
    ['anyone', byAnyone],
    ['holder', byHolder],
  ] as const)('in a pool of authority %s', (releaseAuthority, cases) => {
    const policy = lasting({ releaseAuthority });
    const attempt = (act: (pool: TokenPool, lease: Lease) => unknown): [string, TokenPool] => {
      const all = tokens();
      const pool = poolOf(policy, all);
      return [refusalOf(() => act(pool, leaseOf(all[2] as Token))).code, pool];
    };

    test.each(cases)('release is refused: %s', (_, n, claim, code) => {
      const [refused, pool] = attempt((pool, lease) => pool.release(tokenId(n), claim(lease)));
      expect(refused).toBe(code);
      expect(pool.events).toEqual([]);
    });

    test.each(cases)('keep-alive is refused: %s', (_, n, claim, code) => {
      const [refused, pool] = attempt((pool, lease) => pool.keepAlive(tokenId(n), claim(lease)));
      expect(refused).toBe(code);
      expect(pool.events).toEqual([]);
    });

    test('release by force is refused where what is given does not match, and where nothing is open', () => {
      for (const [, n, claim, code] of byAnyone) {
        const [refused, pool] = attempt((pool, lease) => pool.release(tokenId(n), { ...claim(lease), force: true }));
        expect([refused, pool.events]).toEqual([code, []]);
      }
    });

    test('release by force is not for a caller who may not operate', () => {
      const [refused, pool] = attempt((pool, { leaseId }) => {
        pool.caller = { ...ANYBODY, mayOperate: false };
        pool.release(tokenId(3), { leaseId, force: true });
      });
      expect([refused, pool.events]).toEqual(['insufficient_scope', []]);
    });

    test('release by force takes no handle of the lease, and revokes it', () => {
      const pool = poolOf(policy, tokens());
      pool.release(tokenId(3), { force: true });
      expect(story(pool)).toEqual(['released, revoked, token 3, fence 3']);
    });

    test('a claim that does not match is refused as stale before the lease is refused as not renewable', () => {
      const pool = poolOf({ ...policy, renewable: false }, tokens());
      expect(refusalOf(() => pool.keepAlive(tokenId(3), { leaseId: NEVER })).code).toBe('stale_lease');
    });
  });

  test('a grant that did not reach its caller is given back, and no successor of it', () => {
    const all = [heldToken(1, 1), heldToken(2, 2)];
    const [{ leaseId }] = all.map(leaseOf) as [Lease, Lease];
    const pool = poolOf(lasting({ releaseAuthority: 'holder' }), all);
    for (const n of [1, 2, 9]) pool.giveBack(tokenId(n), leaseId);
    pool.giveBack(tokenId(1), leaseId);
    expect(story(pool)).toEqual(['released, undelivered, token 1, fence 1']);
  });

  test('revoking ends the leases that are named, and no successor of them', () => {
    const pool = poolOf(lasting({ releaseAuthority: 'holder' }), [
      heldToken(1, 1),
      heldToken(2, 2),
      heldToken(3, 3, -1),
    ]);
    const names = [1, 2, 3, 4].map((n) => ({ tokenId: tokenId(n), fence: n === 2 ? 9 : n }));
    expect(pool.revoke(names, 'gone')).toBe(1);
    expect(story(pool)).toEqual(['expired, ttl_expired, token 3, fence 3', 'released, revoked, token 1, fence 1']);
    expect(pool.events[1]!.metadata).toEqual({ note: 'gone' });
  });

  type Right = [what: string, claim: (lease: Lease) => LeaseClaim];
  const withHandle: Right[] = [
    ['the lease', ({ leaseId }) => ({ leaseId })],
    ['lease and fence', ({ leaseId, fence }) => ({ leaseId, fence })],
    ['lease, user and fence', ({ leaseId, userId, fence }) => ({ leaseId, userId, fence })],
  ];
  const withoutHandle: Right[] = [
    ['the user', ({ userId }) => ({ userId })],
    ['user and fence', ({ userId, fence }) => ({ userId, fence })],
  ];
  const weak: Right[] = [
    ['nothing but the token', () => ({})],
    ['the fence', ({ fence }) => ({ fence })],
  ];
  const may = (policy: PolicyChange, rights: Right[]) =>
    rights.map(([what, claim]): [string, PolicyChange, Right[1]] => [what, policy, claim]);

  test.each([
    ...may({ releaseAuthority: 'anyone' }, [...weak, ...withoutHandle, ...withHandle]),
    ...may({ releaseAuthority: 'holder' }, withHandle),
  ])('naming %s, one may release it where %j', (_, policy, claim) => {
    const all = tokens();
    const lease = leaseOf(all[2] as Token);
    const pool = poolOf(lasting(policy), all);
    pool.release(tokenId(3), claim(lease));
    expect(pool.events).toMatchObject([{ event: 'released', reason: 'released_by_client', occurredAt: NOW, lease }]);
    expect(all[2]).toMatchObject({ lease: null, freeSince: NOW });
    expect(pool.state.leaseCount).toBe(0);
  });

  test.each([
    ['a note', 'the desk is closed', { note: 'the desk is closed' }],
    ['no note', undefined, null],
    ['an empty note', '', null],
  ])('the event of a release with %s has that in its metadata', (_, note, metadata) => {
    for (const force of [false, true]) {
      const pool = poolOf(lasting(), tokens());
      pool.release(tokenId(3), { note, force });
      expect(pool.events).toMatchObject([{ event: 'released', metadata }]);
    }
  });

  test.each([
    ...may({ releaseAuthority: 'anyone' }, [...withoutHandle, ...withHandle]),
    ...may({ releaseAuthority: 'holder' }, withHandle),
  ])('naming %s, one may keep it alive where %j', (_, policy, claim) => {
    const all = tokens();
    const lease = leaseOf(all[2] as Token);
    const renewed = poolOf(lasting(policy), all).keepAlive(tokenId(3), claim(lease));
    expect(renewed).toMatchObject({ ...lease, expiresAt: NOW + 60 * SECOND });
  });

  test.each(weak)('naming %s is not enough to keep it alive', (_, claim) => {
    const pool = poolOf(lasting(), tokens());
    expect(refusalOf(() => pool.keepAlive(tokenId(3), claim(held))).code).toBe('invalid_request');
    expect(pool.events).toEqual([]);
  });
});

describe('a lease that is overdue is over, seen by nobody yet', () => {
  const claims: [string, (lease: Lease) => LeaseClaim, string][] = [
    ['its id', ({ leaseId }) => ({ leaseId }), 'stale_lease'],
    ['its user', ({ userId }) => ({ userId }), 'stale_lease'],
    ['nothing', () => ({}), 'token_not_active'],
  ];

  test.each(claims)('so release naming %s is refused, and its end is written down', (_, claim, code) => {
    const token = heldToken(1, 1, 0);
    const lease = leaseOf(token);
    const pool = poolOf(fixed({ renewable: true }), [token]);
    expect(refusalOf(() => pool.release(token.id, claim(lease))).code).toBe(code);
    expect(pool.events).toMatchObject([
      { event: 'expired', reason: 'ttl_expired', occurredAt: lease.expiresAt, lease },
    ]);
  });

  test.each(claims)('so keep-alive naming %s is refused, and its end is written down', (_, claim, code) => {
    const token = heldToken(1, 1, 0);
    const lease = leaseOf(token);
    const pool = poolOf(fixed({ renewable: true }), [token]);
    expect(refusalOf(() => pool.keepAlive(token.id, claim(lease))).code).toBe(code);
    expect(story(pool)).toEqual(['expired, ttl_expired, token 1, fence 1']);
    expect(token.lease).toBeNull();
  });
});

describe('keep-alive', () => {
  const renewable = fixed({ renewable: true, ttlSeconds: 60 });
  /** Seconds left of a lease that had 20 left and began 40 ago. */
  const secondsLeft = (policy: PolicyChange, ttlSeconds?: number): number => {
    const pool = poolOf({ ...renewable, ...policy }, [heldToken(1, 1, 20, 40)]);
    return (pool.keepAlive(tokenId(1), { userId: user(1) }, ttlSeconds).expiresAt - NOW) / SECOND;
  };

  test('counts from now, not from the old deadline', () => {
    expect(secondsLeft({})).toBe(60);
    expect(secondsLeft({}, 25)).toBe(25);
    expect(secondsLeft({}, 20.5)).toBe(20.5);
  });

  test('never makes the deadline earlier, whatever is asked for and however the policy was tightened', () => {
    expect(secondsLeft({}, 0.5)).toBe(20);
    expect(secondsLeft({ ttlSeconds: 5 })).toBe(20);
  });

  test('is capped to the TTL of the pool', () => {
    expect(secondsLeft({}, 61)).toBe(60);
  });

  test('never reaches beyond the maximum lifetime', () => {
    expect(secondsLeft({ maxLifetimeSeconds: 70 })).toBe(30);
    expect(secondsLeft({ maxLifetimeSeconds: 70 }, 29)).toBe(29);
  });

  test('does not shorten what was promised before the maximum lifetime was tightened', () => {
    expect(secondsLeft({ maxLifetimeSeconds: 30 })).toBe(20);
  });

  test('changes the deadline and nothing else, and is in the audit with it', () => {
    const token = heldToken(1, 1, 20);
    const before = leaseOf(token);
    const pool = poolOf(renewable, [token]);
    const answer = pool.keepAlive(token.id, { leaseId: before.leaseId });
    const renewed = { ...before, expiresAt: NOW + 60 * SECOND };
    expect(answer).toEqual({ ...renewed, renewedAt: NOW });
    expect(token.lease).toEqual(renewed);
    expect([...pool.changed]).toEqual([token]);
    expect(pool.events).toEqual([
      {
        seq: 101,
        tokenId: token.id,
        event: 'renewed',
        reason: null,
        occurredAt: NOW,
        lease: renewed,
        actor: 'system',
        requestId: null,
        tokensAfter: 1,
        leasesAfter: 1,
        metadata: null,
      },
    ]);
    expect(pool.state).toMatchObject({ leaseCount: 1, lastFence: 1 });
  });

  test('may follow keep-alive without end', () => {
    const pool = poolOf(renewable, [heldToken(1, 1)]);
    for (let i = 0; i < 5; i++) pool.keepAlive(tokenId(1), { userId: user(1), fence: 1 });
    expect(pool.state).toMatchObject({ lastSeq: 105, leaseCount: 1 });
  });

  test('is refused where leases are not renewable', () => {
    const token = heldToken(1, 1);
    const before = { ...leaseOf(token) };
    const pool = poolOf(fixed({ renewable: false }), [token]);
    expect(refusalOf(() => pool.keepAlive(token.id, { userId: user(1) })).code).toBe('not_renewable');
    expect(token.lease).toEqual(before);
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

describe('cleaning up', () => {
  const tokens = (): Token[] => [heldToken(1, 4), heldToken(2, 2), freeToken(3), heldToken(4, 3), heldToken(5, 1, -1)];

  test('ends every active lease, the oldest first', () => {
    const pool = poolOf(fixed(), tokens());
    expect(pool.releaseOldest(10, Infinity)).toBe(3);
    expect(story(pool)).toEqual([
      'expired, ttl_expired, token 5, fence 1',
      'released, cleanup, token 2, fence 2',
      'released, cleanup, token 4, fence 3',
      'released, cleanup, token 1, fence 4',
    ]);
    expect(pool.state.leaseCount).toBe(0);
  });

  test('ends at most as many as it is told', () => {
    const pool = poolOf(fixed(), tokens());
    expect(pool.releaseOldest(2, Infinity)).toBe(2);
    expect(pool.events.map(({ lease }) => lease?.fence)).toEqual([1, 2, 3]);
  });

  test('ends none that was granted after the given fence', () => {
    const all = tokens();
    const pool = poolOf(fixed(), all);
    expect(pool.releaseOldest(10, 3)).toBe(2);
    expect(all.filter(({ lease }) => lease !== null).map(({ lease }) => lease?.fence)).toEqual([4]);
    expect(pool.releaseOldest(10, 3)).toBe(0);
  });
});

describe('changing the policy', () => {
  test('is in force from the next command on, and running leases keep what they were promised', () => {
    const held = heldToken(1, 1, 50);
    const before = { ...leaseOf(held) };
    const pool = poolOf(fixed({ ttlSeconds: 120 }), [held, freeToken(2)]);
    pool.changePolicy({ ttlSeconds: 5, maxLifetimeSeconds: 3 });
    expect(held.lease).toEqual(before);
    expect(pool.allocate({ userId: ASKER }).expiresAt).toBe(NOW + 3 * SECOND);
    expect(pool.policy).toEqual(fixed({ ttlSeconds: 5, maxLifetimeSeconds: 3 }));
  });

  test('leaves everything as it is when it is refused', () => {
    const pool = poolOf(fixed({ size: 2 }), []);
    const before = pool.state;
    expect(refusalOf(() => pool.changePolicy({ size: 0, ttlSeconds: 5 })).code).toBe('invalid_request');
    expect(pool.state).toEqual(before);
  });

  test('records the fields that changed, with the names of the wire, and who did it', () => {
    const pool = poolOf(fixed({ size: 2, maxPerUser: 3 }), [heldToken(1, 1)]);
    pool.caller = { ...ANYBODY, keyId: 'key-1', requestId: 'request-1' };
    pool.changePolicy({ size: 3, ttlSeconds: 0.5, renewable: false, maxPerUser: null });
    expect(pool.events).toEqual([
      {
        seq: 101,
        tokenId: null,
        event: 'policy_changed',
        reason: null,
        occurredAt: NOW,
        lease: null,
        actor: 'key-1',
        requestId: 'request-1',
        tokensAfter: 1,
        leasesAfter: 1,
        metadata: {
          before: { size: 2, ttl_seconds: 120, max_per_user: 3 },
          after: { size: 3, ttl_seconds: 0.5, max_per_user: null },
        },
      },
    ]);
  });

  test('that pauses the pool refuses grants, and lets everything else go on', () => {
    const pool = poolOf(elastic({ size: 3 }), [freeToken(1), heldToken(2, 2), heldToken(3, 3, -1)]);
    pool.changePolicy({ status: 'paused' });
    expect(refusalOf(() => pool.allocate({ userId: ASKER })).code).toBe('pool_paused');
    expect(pool.keepAlive(tokenId(2), { userId: user(2) }).fence).toBe(2);
    pool.release(tokenId(2), {});
    pool.delete(tokenId(2), false);
    pool.generate();
    pool.changePolicy({ status: 'open' });
    expect(pool.allocate({ userId: ASKER }).tokenId).toBe(tokenId(1));
  });

  test('records nothing when nothing changes', () => {
    const pool = poolOf(fixed({ size: 2 }), []);
    const before = pool.policy;
    pool.changePolicy({ size: 2, renewable: false });
    expect(pool.events).toEqual([]);
    expect(pool.policy).toBe(before);
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

describe('the end of a pool', () => {
  const tokens = (): Token[] => [heldToken(1, 1), freeToken(2), heldToken(3, 3, -1), heldToken(4, 4)];

  test('is refused while leases are open, and leaves everything as it is', () => {
    const pool = poolOf(fixed({ size: 4 }), tokens());
    const refusal = refusalOf(() => pool.atomically(() => pool.beginDeletion(false)));
    expect(refusal.code).toBe('token_in_use');
    expect(pool.state).toMatchObject({ life: 'live', tokenCount: 4, leaseCount: 2 });
  });

  test('ends the leases, deletes the tokens, and is recorded last', () => {
    const pool = poolOf(fixed({ size: 4 }), tokens());
    pool.beginDeletion(true);
    expect(pool.deleteRest(9)).toBe(false);
    expect(story(pool)).toEqual([
      'expired, ttl_expired, token 3, fence 3',
      'deleted, pool_deleted, token 2',
      'deleted, pool_deleted, token 3',
      'released, pool_deleted, token 1, fence 1',
      'deleted, pool_deleted, token 1',
      'released, pool_deleted, token 4, fence 4',
      'deleted, pool_deleted, token 4',
      'pool_deleted',
    ]);
    expect(pool.state).toMatchObject({ life: 'deleted', tokenCount: 0, leaseCount: 0, lastFence: 4 });
  });

  test('needs no force where all leases are over', () => {
    const pool = poolOf(fixed({ size: 1 }), [heldToken(1, 1, -1)]);
    pool.beginDeletion(false);
    expect(pool.deleteRest(9)).toBe(false);
    expect(pool.state.life).toBe('deleted');
  });

  test('comes in parts, and from the first one on every command is refused', () => {
    const pool = poolOf(elastic({ size: 4 }), tokens());
    pool.beginDeletion(true);
    expect(pool.deleteRest(1)).toBe(true);
    expect(pool.state).toMatchObject({ life: 'deleting', tokenCount: 3 });
    const codeOf = (work: () => unknown): string => refusalOf(work).code;
    const refused = (): string[] => [
      codeOf(() => pool.allocate({ userId: ASKER })),
      codeOf(() => pool.generate()),
      codeOf(() => pool.releaseOldest(9, 9)),
      codeOf(() => pool.changePolicy({ ttlSeconds: 5 })),
      codeOf(() => pool.beginDeletion(true)),
      codeOf(() => pool.release(tokenId(1), {})),
      codeOf(() => pool.keepAlive(tokenId(1), { userId: user(1) })),
      codeOf(() => pool.delete(tokenId(1), true)),
    ];
    const ofPool = Array<string>(5).fill('pool_deleted');
    const ofTokens = Array<string>(3).fill('token_deleted');
    expect(refused()).toEqual([...ofPool, ...ofTokens]);
    expect(codeOf(() => pool.reopen(fixed()))).toBe('pool_exists');
    pool.deleteIdle();
    expect([pool.fill(9), pool.shrink(9)]).toEqual([0, false]);
    expect(pool.deleteRest(9)).toBe(false);
    expect(refused()).toEqual([...ofPool, ...ofTokens]);
  });

  test('can be taken back by opening it again, with another policy and the same counters', () => {
    const pool = poolOf(fixed({ size: 4 }), tokens());
    expect(refusalOf(() => pool.reopen(fixed())).code).toBe('pool_exists');
    pool.beginDeletion(true);
    pool.deleteRest(9);
    const { lastSeq } = pool.state;
    const policy = { ...elastic({ size: 7 }), name: 'fixed' };
    pool.reopen(policy);
    expect(pool.policy).toBe(policy);
    expect(pool.events.at(-1)).toMatchObject({ seq: lastSeq + 1, tokenId: null, event: 'pool_opened' });
    expect(pool.events.at(-1)?.metadata).toMatchObject({ kind: 'elastic', after: { size: 7, ttl_seconds: 60 } });
    pool.generate();
    expect(pool.allocate({ userId: ASKER }).fence).toBe(5);
  });
});

describe('a refusal changes nothing but what the clock has decided', () => {
  const tokens = (): Token[] => [heldToken(1, 1, -2), usedToken(2, 20), heldToken(3, 3), heldToken(4, 4, 7)];
  const policy = elastic({ size: 4, idleTtlSeconds: 30, renewable: false });
  const refused: [string, (pool: TokenPool) => unknown][] = [
    ['release by a stranger', (pool) => pool.release(tokenId(3), { userId: STRANGER })],
    ['release of a lease that is overdue', (pool) => pool.release(tokenId(1), { userId: user(1) })],
    ['release of a free token', (pool) => pool.release(tokenId(2), {})],
    ['keep-alive by a stranger', (pool) => pool.keepAlive(tokenId(3), { leaseId: NEVER })],
    ['keep-alive by fence', (pool) => pool.keepAlive(tokenId(3), { fence: 3 })],
    ['keep-alive where leases are not renewable', (pool) => pool.keepAlive(tokenId(3), { userId: user(3) })],
    ['generate beyond the size', (pool) => pool.generate()],
    ['delete of a held token', (pool) => pool.delete(tokenId(3), false)],
    ['delete of an unknown token', (pool) => pool.delete(tokenId(9), true)],
  ];

  const picture = (pool: TokenPool, all: Token[]) => ({
    state: pool.state,
    events: pool.events,
    tokens: all,
    changed: [...pool.changed],
    generated: [...pool.generated],
    deleted: [...pool.deleted],
  });

  test.each(refused)('%s', (_, command) => {
    const [all, settledOnly] = [tokens(), tokens()];
    // The lease ids are random.
    all.forEach((token, place) => (token.lease = settledOnly[place]?.lease ?? null));
    const [pool, twin] = [poolOf(policy, all), poolOf(policy, settledOnly)];
    refusalOf(() => command(pool));
    twin.settle();
    expect(picture(pool, all)).toEqual(picture(twin, settledOnly));
    expect(story(pool)).toEqual(['expired, ttl_expired, token 1, fence 1']);
  });

  test('allocate from a full pool', () => {
    const all = [heldToken(3, 3), heldToken(4, 4, 7)];
    const before = structuredClone(all);
    const pool = poolOf(policy, all);
    const state = pool.state;
    refusalOf(() => pool.allocate({ userId: ASKER }));
    expect(picture(pool, all)).toEqual({ state, events: [], tokens: before, changed: [], generated: [], deleted: [] });
  });
});

describe('the counters', () => {
  test('rise by one an event and by one a grant, and count what there is', () => {
    const pool = poolOf(lasting({ size: 4, onExhausted: 'evict_oldest' }), [heldToken(1, 8, -1), heldToken(2, 9)]);
    pool.generate();
    for (let i = 0; i < 5; i++) pool.allocate({ userId: ASKER });
    pool.release(tokenId(1), {});
    pool.delete(tokenId(1), false);
    expect(pool.events.map(({ seq }) => seq)).toEqual(pool.events.map((_, place) => 101 + place));
    const granted = pool.events.filter(({ event }) => event === 'activated').map(({ lease }) => lease?.fence);
    expect(granted).toEqual([10, 11, 12, 13, 14]);
    expect(pool.state).toEqual({
      policy: pool.policy,
      life: 'live',
      lastSeq: 100 + pool.events.length,
      lastFence: 14,
      tokenCount: 2,
      leaseCount: 2,
      lastPlace: 0,
      openTickets: 0,
    });
  });
});

describe('restoring', () => {
  test('runs no rule and writes nothing, whatever the rows say', () => {
    const tokens = [heldToken(1, 1, -5), freeToken(2, 100_000), heldToken(3, 2, 5)];
    const before = structuredClone(tokens);
    // More tokens than its size, a TTL that nobody may ask for, an idle time in a fixed pool.
    const slice = wholeSlice({ ...fixed(), size: 1, ttlSeconds: -1, idleTtlSeconds: 1 }, tokens);
    const pool = TokenPool.restore(slice);
    expect(tokens).toEqual(before);
    expect(pool.state).toBe(slice.state);
    expect(pool.now).toBe(NOW);
    expect([...pool.events, ...pool.changed, ...pool.generated, ...pool.deleted]).toEqual([]);
  });

  test('takes a token once that is in several lists of the slice', () => {
    const tokens = [heldToken(1, 1), heldToken(2, 2)];
    const slice = wholeSlice(fixed(), tokens);
    const pool = TokenPool.restore({ ...slice, tokens: [...tokens, ...tokens.map((token) => ({ ...token }))] });
    expect(pool.releaseOldest(10, Infinity)).toBe(2);
    expect(pool.state.leaseCount).toBe(0);
  });
});

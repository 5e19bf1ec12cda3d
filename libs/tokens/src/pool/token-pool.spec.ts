import { ANYBODY } from '../kernel/caller.js';
import {
  NOW,
  SECOND,
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
  usedToken,
  user,
  wholeSlice,
} from '../testing/given.js';
import type { PolicyChange } from './pool-policy.js';
import { TokenPool } from './token-pool.js';
import type { Token } from './token.js';

const ASKER = user(99);
const STRANGER = user(77);
const NEVER: string = 'ffffffff-ffff-8fff-bfff-ffffffffffff';

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
      hasUpkeep: false,
      dirtyCount: 0,
      disabledCount: 0,
      cleaningCount: 0,
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

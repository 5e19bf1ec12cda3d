import { ANYBODY } from '../kernel/caller.js';
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
  usedToken,
  user,
} from '../testing/given.js';
import type { LeaseClaim } from './lease-claim.js';
import type { PolicyChange } from './pool-policy.js';
import type { TokenPool } from './token-pool.js';
import type { Lease, Token } from './token.js';

const STRANGER = user(77);
const NEVER: string = 'ffffffff-ffff-8fff-bfff-ffffffffffff';

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

// Makes tokens and pools for tests. What a test does not give does not matter to it.

import { DomainError } from '../kernel/domain-error.js';
import type { LeaseCount } from '../pool/lease-counts.js';
import type { Instant } from '../kernel/instant.js';
import { newLeaseId } from '../pool/lease-id.js';
import { countsLeases, keepsBack, newPolicy, type PolicyChange, type PoolPolicy } from '../pool/pool-policy.js';
import type { PoolSlice, PoolState } from '../pool/pool-slice.js';
import { TokenPool } from '../pool/token-pool.js';
import { statusOf, type Lease, type Token } from '../pool/token.js';

export const NOW: Instant = Date.UTC(2026, 10, 21, 9, 30) * 1000;
/** One second in the unit of Instant. */
export const SECOND = 1_000_000;

export const user = (n: number): string => `0a000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
export const tokenId = (n: number): string => `0b000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

export const fixed = (given: PolicyChange = {}): PoolPolicy => newPolicy('fixed', 'fixed', given);
export const elastic = (given: PolicyChange = {}): PoolPolicy => newPolicy('elastic', 'elastic', given);
/** An elastic pool that deletes nothing by itself. */
export const lasting = (given: PolicyChange = {}): PoolPolicy => elastic({ idleTtlSeconds: null, ...given });

export const lease = (fence: number, endsInSeconds = 60, startedSecondsAgo = 10): Lease => ({
  leaseId: newLeaseId(fence),
  userId: user(fence),
  holder: null,
  keyId: null,
  fence,
  activatedAt: NOW - startedSecondsAgo * SECOND,
  expiresAt: NOW + endsInSeconds * SECOND,
});

/** Token number `n`, never leased, free for `freeForSeconds`. */
export const freeToken = (n: number, freeForSeconds = 1): Token => ({
  id: tokenId(n),
  lease: null,
  freeSince: NOW - freeForSeconds * SECOND,
  lastActivatedAt: null,
});

/** Free now, leased once before. */
export const usedToken = (n: number, freeForSeconds = 1): Token => ({
  ...freeToken(n, freeForSeconds),
  lastActivatedAt: NOW - 500 * SECOND,
});

/** Token number `n` with an open lease; a negative `endsInSeconds` makes it overdue. */
export function heldToken(n: number, fence: number, endsInSeconds = 60, startedSecondsAgo = 10): Token {
  const held = lease(fence, endsInSeconds, Math.max(startedSecondsAgo, 10 - endsInSeconds));
  return { id: tokenId(n), lease: held, freeSince: held.activatedAt - SECOND, lastActivatedAt: held.activatedAt };
}

/** The users and keys of the callers, for policies that count leases. */
export interface Askers {
  readonly users?: readonly string[];
  readonly keys?: readonly string[];
}

/** A slice with a whole pool, whose counters follow from the tokens. */
export function wholeSlice(
  policy: PoolPolicy,
  tokens: Token[],
  now = NOW,
  { users = [], keys = [] }: Askers = {},
): PoolSlice {
  const leases = tokens.flatMap(({ lease }) => lease ?? []);
  const running = leases.filter(({ expiresAt }) => expiresAt > now);
  const state: PoolState = {
    policy,
    life: 'live',
    lastSeq: 100,
    lastFence: Math.max(0, ...leases.map(({ fence }) => fence)),
    tokenCount: tokens.length,
    leaseCount: leases.length,
    lastPlace: 0,
    openTickets: 0,
    hasUpkeep: keepsBack(policy) || tokens.some(({ upkeep }) => upkeep !== undefined),
    dirtyCount: tokens.filter((token) => statusOf(token, now) === 'dirty').length,
    disabledCount: tokens.filter((token) => statusOf(token, now) === 'disabled').length,
    cleaningCount: tokens.filter((token) => statusOf(token, now) === 'cleaning').length,
  };
  const holding = (holders: readonly string[], holderOf: (lease: Lease) => string | null) =>
    countsLeases(policy) ? leaseCountsOf(holders, running, holderOf) : undefined;
  return {
    state,
    now,
    tokens,
    nextExpiryAt: null,
    users: holding([...users, ...running.map(({ userId }) => userId)], ({ userId }) => userId),
    keys: holding(keys, ({ keyId }) => keyId),
  };
}

export const leaseCountsOf = (
  holders: readonly string[],
  running: readonly Lease[],
  holderOf: (lease: Lease) => string | null,
): LeaseCount[] =>
  [...new Set(holders)].map((holder) => {
    const held = running.filter((lease) => holderOf(lease) === holder);
    return {
      holder,
      leases: held.length,
      nextExpiryAt: held.length === 0 ? null : Math.min(...held.map(({ expiresAt }) => expiresAt)),
    };
  });

export const poolOf = (policy: PoolPolicy, tokens: Token[], askers?: Askers): TokenPool =>
  TokenPool.restore(wholeSlice(policy, tokens, NOW, askers));

export const leaseOf = ({ id, lease }: Token): Lease => {
  if (!lease) throw new Error(`token ${id} is free`);
  return lease;
};

/** Each event as one line. */
export const story = (pool: TokenPool): string[] =>
  pool.events.map(({ event, reason, tokenId: id, lease }) =>
    [event, reason, id && `token ${Number(id.slice(-12))}`, lease && `fence ${lease.fence}`].filter(Boolean).join(', '),
  );

/** The DomainError with which `work` is refused. Passes other errors on, and throws if nothing is refused. */
export function refusalOf(work: () => unknown): DomainError {
  try {
    work();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

export const refusalFrom = (work: Promise<unknown>): Promise<DomainError> =>
  work.then(
    (value) => refusalOf(() => value),
    (error: unknown) =>
      refusalOf(() => {
        throw error;
      }),
  );

// A pool's policy: its rules, their limits, and what happens to them when they are changed.

import { DomainError } from '../kernel/domain-error.js';
import { fromSeconds, type Instant } from '../kernel/instant.js';
import type { Lease } from './token.js';

export type PoolKind = 'fixed' | 'elastic';
export type OnExhausted = 'evict_oldest' | 'reject';
export type ReleaseAuthority = 'anyone' | 'holder';
export type Evict = 'oldest' | 'over_share_first';

export interface PoolPolicy {
  readonly name: string;
  readonly kind: PoolKind;
  /** Tokens of a fixed pool; the most tokens an elastic pool may have. */
  readonly size: number;
  /** Length of a lease, and the most that a request may ask for. */
  readonly ttlSeconds: number;
  readonly renewable: boolean;
  /** No lease outlives `activatedAt` by more; null: no limit. */
  readonly maxLifetimeSeconds: number | null;
  /** After how long a free token of an elastic pool is deleted; null: never. */
  readonly idleTtlSeconds: number | null;
  readonly onExhausted: OnExhausted;
  readonly releaseAuthority: ReleaseAuthority;
  /** Open leases that a user may hold; null: no limit. */
  readonly maxPerUser: number | null;
  /** Open leases that were taken with one API key; null: no limit. Without keys it limits nobody. */
  readonly maxPerKey: number | null;
  /** A lease younger than this is not evicted, nor another in its place; null: any may be. */
  readonly protectSeconds: number | null;
  /** Whose lease goes when a full pool evicts: the oldest of all, or the oldest of the user who holds the most. */
  readonly evict: Evict;
}

/** What may be changed later. Running leases keep their deadline. */
export type PolicyChange = Partial<Omit<PoolPolicy, 'name' | 'kind'>>;

export const POOL_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
export const MAX_POOL_SIZE = 1_000_000;
/** A year. */
export const MAX_TTL_SECONDS = 31_536_000;

/** Any number of leases, and the oldest goes first. */
const FREE_FOR_ALL = { maxPerUser: null, maxPerKey: null, protectSeconds: null, evict: 'oldest' } as const;

const DEFAULTS: Record<PoolKind, Omit<PoolPolicy, 'name' | 'kind'>> = {
  fixed: {
    size: 100,
    ttlSeconds: 120,
    renewable: false,
    maxLifetimeSeconds: null,
    idleTtlSeconds: null,
    onExhausted: 'evict_oldest',
    releaseAuthority: 'anyone',
    ...FREE_FOR_ALL,
  },
  elastic: {
    size: 10,
    ttlSeconds: 60,
    renewable: true,
    maxLifetimeSeconds: null,
    idleTtlSeconds: 300,
    onExhausted: 'reject',
    releaseAuthority: 'anyone',
    ...FREE_FOR_ALL,
  },
};

/** The policy of a new pool; what is not given is as in the two pools made at the first start. */
export function newPolicy(name: string, kind: PoolKind, given: PolicyChange = {}): PoolPolicy {
  return checked({ name, kind, ...DEFAULTS[kind], ...definedOnly(given) });
}

/** @throws DomainError `invalid_request` when a rule is broken or the pool would shrink. */
export function changedPolicy(policy: PoolPolicy, change: PolicyChange): PoolPolicy {
  const changed = checked({ ...policy, ...definedOnly(change) });
  if (changed.size < policy.size) {
    refuse(`size must not be smaller than the pool's present size of ${policy.size}: a pool only grows`);
  }
  return changed;
}

/** The deadline of a lease granted now. */
export function firstDeadline(policy: PoolPolicy, now: Instant, ttlSeconds?: number): Instant {
  return Math.min(now + leaseLength(policy, ttlSeconds), latestEnd(policy, now));
}

/**
 * The deadline of a lease renewed now: it counts from now, stays within the maximum lifetime, and is never earlier than
 * it was. Neither a shorter time that is asked for nor a policy that was tightened meanwhile shortens what was promised.
 * @throws DomainError `not_renewable`
 */
export function renewedDeadline(policy: PoolPolicy, lease: Lease, now: Instant, ttlSeconds?: number): Instant {
  if (!policy.renewable) {
    throw new DomainError('not_renewable', `leases of pool ${policy.name} end when their time is up`);
  }
  const asked = Math.min(now + leaseLength(policy, ttlSeconds), latestEnd(policy, lease.activatedAt));
  return Math.max(asked, lease.expiresAt);
}

/** Whether decisions depend on how many leases somebody holds. */
export const countsHoldings = (policy: PoolPolicy): boolean =>
  policy.maxPerUser !== null || policy.maxPerKey !== null || evictsOverShare(policy);

export const evictsOverShare = ({ onExhausted, evict }: PoolPolicy): boolean =>
  onExhausted === 'evict_oldest' && evict === 'over_share_first';

/** From when on a lease that began then may be evicted. */
export const protectedUntil = ({ protectSeconds }: PoolPolicy, activatedAt: Instant): Instant =>
  protectSeconds === null ? -Infinity : activatedAt + fromSeconds(protectSeconds);

const leaseLength = (policy: PoolPolicy, ttlSeconds = policy.ttlSeconds): number =>
  fromSeconds(Math.min(ttlSeconds, policy.ttlSeconds));

const latestEnd = ({ maxLifetimeSeconds }: PoolPolicy, activatedAt: Instant): Instant =>
  maxLifetimeSeconds === null ? Infinity : activatedAt + fromSeconds(maxLifetimeSeconds);

function checked(policy: PoolPolicy): PoolPolicy {
  if (!POOL_NAME.test(policy.name)) refuse(`name must match ${POOL_NAME.source}`);
  checkNumber('size', policy.size);
  checkDuration('ttl_seconds', policy.ttlSeconds);
  if (policy.maxLifetimeSeconds !== null) checkDuration('max_lifetime_seconds', policy.maxLifetimeSeconds);
  if (policy.idleTtlSeconds !== null) checkDuration('idle_ttl_seconds', policy.idleTtlSeconds);
  if (policy.maxPerUser !== null) checkNumber('max_per_user', policy.maxPerUser);
  if (policy.maxPerKey !== null) checkNumber('max_per_key', policy.maxPerKey);
  if (policy.protectSeconds !== null) checkDuration('protect_seconds', policy.protectSeconds);
  if (policy.kind === 'fixed' && policy.idleTtlSeconds !== null) {
    refuse('idle_ttl_seconds must be null in a fixed pool: its tokens are never deleted');
  }
  return policy;
}

function checkNumber(field: string, value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > MAX_POOL_SIZE) {
    refuse(`${field} must be a whole number from 1 to ${MAX_POOL_SIZE}`);
  }
}

function checkDuration(field: string, seconds: number): void {
  if (!(seconds > 0 && seconds <= MAX_TTL_SECONDS)) {
    refuse(`${field} must be more than 0 and at most ${MAX_TTL_SECONDS} seconds`);
  }
}

function refuse(detail: string): never {
  throw new DomainError('invalid_request', detail);
}

const definedOnly = <T extends object>(given: T): T =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;

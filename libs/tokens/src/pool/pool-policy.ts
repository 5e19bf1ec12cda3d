// The policy of a pool: its rules, and what it decides about deadlines and evictions.

import { DomainError } from '../kernel/domain-error.js';
import { fromSeconds, type Instant } from '../kernel/instant.js';
import { defaultPolicy, policyFields, type PolicyField, type PolicyValues, type PoolKind } from './policy-fields.js';
import type { Lease } from './token.js';

export interface PoolPolicy extends PolicyValues {
  readonly name: string;
  readonly kind: PoolKind;
}

/** The fields to change; a field that is left out or undefined stays. Running leases keep their deadline. */
export type PolicyChange = Partial<PolicyValues>;

export const POOL_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * The policy of a new pool, with the defaults of its kind for the fields that are not given.
 * @throws DomainError `invalid_request` when it breaks a rule
 */
export function newPolicy(name: string, kind: PoolKind, given: PolicyChange = {}): PoolPolicy {
  return checked({ name, kind, ...defaultPolicy(kind), ...definedOnly(given) });
}

/** @throws DomainError `invalid_request` when the change breaks a rule */
export const changedPolicy = (policy: PoolPolicy, change: PolicyChange): PoolPolicy =>
  checked({ ...policy, ...definedOnly(change) });

/** The deadline of a lease that the pool grants now. */
export function firstDeadline(policy: PoolPolicy, now: Instant, ttlSeconds?: number): Instant {
  return Math.min(now + leaseLength(policy, ttlSeconds), latestEnd(policy, now));
}

/**
 * The deadline of a lease that the pool renews now. It counts from now, stays within the maximum lifetime, and is never
 * earlier than before: the pool keeps its promise even if the caller asks for less or the policy has become stricter.
 * @throws DomainError `not_renewable`
 */
export function renewedDeadline(policy: PoolPolicy, lease: Lease, now: Instant, ttlSeconds?: number): Instant {
  if (!policy.renewable) {
    throw new DomainError('not_renewable', `leases of pool ${policy.name} end when their time is up`);
  }
  const hardEnd = lease.purpose
    ? cleaningEnd(policy, lease)
    : (lease.hardEndAt ?? latestEnd(policy, lease.activatedAt));
  return Math.max(Math.min(now + leaseLength(policy, ttlSeconds), hardEnd), lease.expiresAt);
}

/**
 * Whether a full pool ends a lease for somebody else. Where tokens rest or are cleaned after a lease, none does: the
 * token of an evicted lease could not be granted.
 */
export const evicts = ({ onExhausted, cooldownSeconds, afterUse }: PoolPolicy): boolean =>
  onExhausted === 'evict_oldest' && cooldownSeconds === null && afterUse === 'available';

/** Whether the policy may keep tokens back between two users. */
export const keepsBack = ({ cooldownSeconds, afterUse, disableAfterUnclean }: PoolPolicy): boolean =>
  cooldownSeconds !== null || afterUse === 'clean' || disableAfterUnclean !== null;

/** The instant until which a token rests whose lease ended. */
export const cooledAt = ({ cooldownSeconds, cooldownAfter }: PoolPolicy, end: Instant, isClean: boolean): Instant =>
  cooldownSeconds === null || (isClean && cooldownAfter === 'unclean') ? end : end + fromSeconds(cooldownSeconds);

/** The deadline of the lease of somebody who cleans a token from now on. */
export const cleaningDeadline = ({ cleanWithinSeconds, ttlSeconds }: PoolPolicy, now: Instant): Instant =>
  now + fromSeconds(cleanWithinSeconds ?? ttlSeconds);

/** Whether callers may wait for tokens. */
export const hasLine = ({ maxWaiting }: PoolPolicy): boolean => maxWaiting > 0;

/**
 * The longest that a lease may last that the pool grants now, in seconds; null when nothing limits it. The deadline of
 * a lease that cannot be renewed is its hard end.
 */
export function longestLease(policy: PoolPolicy, ttlSeconds?: number): number | null {
  const { renewable, maxLifetimeSeconds } = policy;
  if (renewable) return maxLifetimeSeconds;
  return Math.min(ttlSeconds ?? Infinity, policy.ttlSeconds, maxLifetimeSeconds ?? Infinity);
}

/** The hard end of a lease that the pool grants now; undefined when nothing limits it. */
export function hardEndFrom(policy: PoolPolicy, now: Instant, ttlSeconds?: number): Instant | undefined {
  const longest = longestLease(policy, ttlSeconds);
  return longest === null ? undefined : now + fromSeconds(longest);
}

/** The instant at which a lease is over at the latest, as far as its grant or the policy of now limits it. */
export function hardEndOf(policy: PoolPolicy, { hardEndAt, activatedAt, expiresAt }: Lease): Instant {
  if (hardEndAt !== undefined) return hardEndAt;
  return policy.renewable ? Math.max(expiresAt, latestEnd(policy, activatedAt)) : expiresAt;
}

/** Whether decisions depend on how many leases a user or a key holds. */
export const countsLeases = (policy: PoolPolicy): boolean =>
  policy.maxPerUser !== null || policy.maxPerKey !== null || evictsOverShare(policy);

export const evictsOverShare = (policy: PoolPolicy): boolean => evicts(policy) && policy.evict === 'over_share_first';

/** The instant from which the pool may evict a lease that began at `activatedAt`. */
export const protectedUntil = ({ protectSeconds }: PoolPolicy, activatedAt: Instant): Instant =>
  protectSeconds === null ? -Infinity : activatedAt + fromSeconds(protectSeconds);

/** Who cleans a token must be done in the time that the policy gives. */
const cleaningEnd = ({ cleanWithinSeconds }: PoolPolicy, { activatedAt }: Lease): Instant =>
  cleanWithinSeconds === null ? Infinity : activatedAt + fromSeconds(cleanWithinSeconds);

const leaseLength = (policy: PoolPolicy, ttlSeconds = policy.ttlSeconds): number =>
  fromSeconds(Math.min(ttlSeconds, policy.ttlSeconds));

const latestEnd = ({ maxLifetimeSeconds }: PoolPolicy, activatedAt: Instant): Instant =>
  maxLifetimeSeconds === null ? Infinity : activatedAt + fromSeconds(maxLifetimeSeconds);

function checked(policy: PoolPolicy): PoolPolicy {
  if (!POOL_NAME.test(policy.name)) refuse(`name must match ${POOL_NAME.source}`);
  for (const field of policyFields) checkField(field, policy);
  return policy;
}

function checkField(field: PolicyField, policy: PoolPolicy): void {
  const value = policy[field.name];
  if (value === null && field.nullable) return;
  const rule = broken(field, value);
  if (rule !== null) refuse(`${field.wire} must ${rule}`);
  if (field.elasticOnly && policy.kind !== 'elastic') {
    refuse(`${field.wire} must be null in a ${policy.kind} pool: only an elastic one deletes free tokens`);
  }
}

/** The rule that the value breaks; null when it breaks none. The wire has checked booleans and words already. */
function broken(field: PolicyField, value: unknown): string | null {
  switch (field.type) {
    case 'whole':
      return isWhole(value) && value >= field.least && value <= field.most
        ? null
        : `be a whole number from ${field.least} to ${field.most}`;
    case 'seconds':
      return typeof value === 'number' && value > 0 && value <= field.most
        ? null
        : `be more than 0 and at most ${field.most} seconds`;
    case 'boolean':
    case 'word':
      return null;
  }
}

const isWhole = (value: unknown): value is number => Number.isInteger(value);

function refuse(detail: string): never {
  throw new DomainError('invalid_request', detail);
}

const definedOnly = <T extends object>(given: T): T =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;

// The rules of a grant: a free token, longest free first; otherwise that of the lease which the policy evicts, or none.
// No grant passes over somebody in the line whom the token would serve.

import { DomainError, tokenNotFound } from '../kernel/domain-error.js';
import { toIso } from '../kernel/instant.js';
import { nextVictim } from './eviction.js';
import { promiseIfQueued } from './line-promises.js';
import { evicts, firstDeadline, hardEndFrom, hasLine, protectedUntil } from './pool-policy.js';
import { isDraining } from './pool-slice.js';
import { mustBeWithinQuota } from './quota.js';
import * as refusals from './refusals.js';
import type { AllocateRequest, Grant, PlaceRequest } from './requests.js';
import * as things from './thing.js';
import type { GrantReason } from './token-event.js';
import { statusOf, type Lease, type Token } from './token.js';
import type { UnitOfWork } from './unit-of-work.js';

/**
 * The only leases that a selection could evict are those of the same transaction: its command must wait for the next
 * one, so that no grant is evicted by its own batch.
 */
export class LeaseOfBatch extends Error {}

/** As TokenPool.allocate, after the pool is settled. */
export function allocate(work: UnitOfWork, request: AllocateRequest): Grant {
  const { state, policy, now, tickets, candidates } = work;
  if (policy.status === 'paused') throw refusals.poolPaused(policy);
  mustBeWithinQuota(work, request.userId, 1);
  const mustKeepFree = isDraining(state) && state.leaseCount >= policy.size;
  if (request.tokenId !== undefined || request.name !== undefined) {
    const token = named(work, request);
    if (mustKeepFree) throw exhausted(work, 'the pool shrinks to its size at the ends of leases');
    if (tickets.isAwaited(token)) throw exhausted(work, 'others wait for it', request);
    return grant(work, token, request, 'allocated', null);
  }
  const { select } = request;
  const isSelected = select && (({ thing }: Token) => things.isSelected(thing?.attributes, select));
  const free = mustKeepFree ? undefined : candidates.longestFree(unlessAwaited(work, isSelected));
  if (free) return grant(work, free.token, request, 'allocated', null);
  // The slice has at least one token of each selection, if there is one.
  if (isSelected && !work.tokens.all().some(isSelected)) throw refusals.unsatisfiable(policy);
  if (isDraining(state)) throw exhausted(work, 'the pool shrinks to its size at the ends of leases', request);
  const [victim, reason] = nextVictim(work, isSelected);
  const evicted = victim?.lease;
  if (!evicts(policy)) throw exhausted(work, 'the pool does not evict', request);
  if (!evicted) {
    throw exhausted(work, 'the pool evicts no lease that is offered, nor one whose token goes with it', request);
  }
  if (tickets.isAwaited(victim)) throw exhausted(work, 'others wait for the next one', request);
  const mayBeEvictedAt = protectedUntil(policy, evicted.activatedAt);
  if (mayBeEvictedAt > now) {
    throw exhausted(work, 'the lease whose turn it is is protected', request, mayBeEvictedAt);
  }
  if (select && evicted.fence > work.fenceBefore) throw new LeaseOfBatch();
  work.endLease(victim, 'released', reason, now, select ? { select } : null);
  return grant(work, victim, request, 'allocated_after_eviction', evicted);
}

/** As TokenPool.allocateSeveral, after the pool is settled. */
export function allocateSeveral(work: UnitOfWork, { count, ...request }: PlaceRequest): Grant[] {
  if (count > work.policy.size) throw refusals.tooMany(work.policy, count);
  const grants = Array.from({ length: count }, () => allocate(work, request));
  // A later one must not evict an earlier one.
  const areAllOpen = new Set(grants.map(({ tokenId }) => tokenId)).size === count;
  if (!areAllOpen) throw exhausted(work, 'the pool evicts for no one what it has just granted', request);
  return grants;
}

/**
 * The grant of a token that is held. It names each field, here and in `beginLease`: copies of objects were a fiftieth
 * of the time of a grant.
 */
export function grantOf({ id: tokenId, lease, thing }: Token, evicted: Lease | null = null): Grant {
  const { leaseId, userId, holder, keyId, fence, activatedAt, expiresAt } = lease as Lease;
  const { name = null, attributes = null, secret = null } = thing ?? {};
  return {
    tokenId,
    leaseId,
    userId,
    holder,
    keyId,
    fence,
    activatedAt,
    expiresAt,
    name,
    attributes,
    secret,
    evicted,
  };
}

function grant(
  work: UnitOfWork,
  token: Token,
  request: AllocateRequest,
  reason: GrantReason,
  evicted: Lease | null,
): Grant {
  const { policy, now } = work;
  const { userId, holder = null, ttlSeconds, metadata } = request;
  const expiresAt = firstDeadline(policy, now, ttlSeconds);
  const hardEndAt = hasLine(policy) ? hardEndFrom(policy, now, ttlSeconds) : undefined;
  const { keyId } = work.callerOrAnybody;
  work.beginLease(token, { userId, holder, keyId, expiresAt, hardEndAt }, reason, metadata);
  return grantOf(token, evicted);
}

/** The free token that a request names. @throws DomainError `token_not_found`, `token_in_use` */
function named(work: UnitOfWork, { tokenId, name }: AllocateRequest): Token {
  const token = tokenId === undefined ? work.tokens.named(name as string) : work.tokens.get(tokenId);
  if (!token)
    throw tokenId === undefined ? refusals.noTokenOfName(work.policy, name as string) : tokenNotFound(tokenId);
  if (token.lease) throw refusals.tokenInUse(name ?? token.id, work.secondsUntil(token.lease.expiresAt));
  const status = statusOf(token, work.now);
  if (status === 'available') return token;
  const freeAt = status === 'cooling' ? token.freeSince : null;
  throw refusals.tokenNotReady(name ?? token.id, status, work.secondsUntil(freeAt));
}

/** Which tokens a command may take: those that it wants, and that nobody waits for. */
function unlessAwaited(
  { tickets }: UnitOfWork,
  isWanted?: (token: Token) => boolean,
): ((token: Token) => boolean) | undefined {
  if (tickets.isEmpty) return isWanted;
  return (token) => (isWanted?.(token) ?? true) && !tickets.isAwaited(token);
}

/** @param mayBeEvictedAt when the protection of the next victim ends; Infinity when the pool does not evict */
function exhausted(
  work: UnitOfWork,
  why: string,
  request: Partial<PlaceRequest> = {},
  mayBeEvictedAt = Infinity,
): DomainError {
  const { policy, tickets } = work;
  const { select } = request;
  const deadline = work.nextFreeAt(select);
  const mayBeLater = policy.renewable && deadline < mayBeEvictedAt ? '; the lease that ends next may be renewed' : '';
  const what = `no token ${select ? 'with what is selected ' : ''}of pool ${policy.name}`;
  // There may be free ones that are kept for somebody.
  const whom = tickets.isEmpty ? '' : ' for anybody who does not wait in line';
  return new DomainError('pool_exhausted', `${what} is free${whom}, and ${why}${mayBeLater}`, {
    retryAfterSeconds: work.secondsUntil(Math.min(deadline, mayBeEvictedAt)),
    ...(hasLine(policy) && { fields: ifQueued(work, request) }),
  });
}

/** What the caller would get in the line. */
function ifQueued(work: UnitOfWork, request: Partial<PlaceRequest>): Readonly<Record<string, unknown>> {
  const notLaterThan = promiseIfQueued(work, request);
  return {
    position_if_queued: work.tickets.waiting.length + 1,
    not_later_than_if_queued: notLaterThan === null ? null : toIso(notLaterThan),
  };
}

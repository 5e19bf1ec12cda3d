// What a token is after a lease, as the policy, the end of the lease and its holder say: it may rest, be dirty, or be
// out of service.

import { fromSeconds, toIso, type Instant } from '../kernel/instant.js';
import type { Condition } from './lease-claim.js';
import { cooledAt } from './pool-policy.js';
import type { DisableReason, EndReason, SoilReason } from './token-event.js';
import { NO_UPKEEP, type Lease, type Token } from './token.js';
import { actorOf, type LeaseEndEvent, type UnitOfWork } from './unit-of-work.js';

/** How a lease has ended. */
interface Ended {
  readonly event: LeaseEndEvent;
  readonly reason: EndReason;
  readonly at: Instant;
  readonly condition: Condition | undefined;
  readonly note: string | undefined;
}

/** The ends of leases that nobody used: an offer that nobody claimed, and a grant that its caller did not receive. */
const UNUSED: readonly EndReason[] = ['unclaimed', 'undelivered'];

/** Whether the holder has released the lease itself. Every other end is an unclean one. */
const isOwnRelease = ({ reason }: Ended): boolean => reason === 'released_by_client';

const isUnused = ({ offeredTo }: Lease, { reason }: Ended): boolean =>
  offeredTo !== undefined || UNUSED.includes(reason);

/** The instant until which a token rests after a lease that ends; the end itself if it does not. */
export function restsUntil({ policy }: UnitOfWork, { lease, upkeep }: Token, end: Ended): Instant {
  if (lease?.purpose === 'clean') return Math.max(end.at, upkeep?.restsUntil ?? 0);
  return lease && isUnused(lease, end) ? end.at : cooledAt(policy, end.at, isOwnRelease(end));
}

/** Decides whether a token can be granted after a lease. @param rested when it has rested, as `restsUntil` */
export function afterLease(work: UnitOfWork, token: Token, lease: Lease, end: Ended, rested: Instant): void {
  if (lease.purpose === 'clean') afterCleaning(work, token, end);
  else if (!isUnused(lease, end)) afterUse(work, token, lease, end, rested);
}

function afterUse(work: UnitOfWork, token: Token, lease: Lease, end: Ended, rested: Instant): void {
  const { policy } = work;
  const { condition, at, note } = end;
  const most = policy.disableAfterUnclean;
  const unclean = most === null ? [] : uncleanUsers(token, lease, end);
  if (unclean.length > 0 || (token.upkeep?.uncleanUsers.length ?? 0) > 0) {
    work.keepUp(token, { uncleanUsers: unclean });
  }
  if (condition === 'dirty' || policy.afterUse === 'clean') {
    work.keepUp(token, { dirtySince: at, restsUntil: rested > at ? rested : null, failedCleanings: 0 });
    work.tokens.change(token, { freeSince: at });
    recordSoiled(work, token, condition === 'dirty' ? 'reported_dirty' : 'used', end);
  }
  if (condition === 'broken') takeOut(work, token, 'reported_broken', note ?? 'broken', end);
  else if (most !== null && unclean.length >= most && !token.upkeep?.disabled) {
    takeOut(work, token, 'unclean_ends', `${most} leases of different users in a row ended uncleanly`, end);
  }
}

/** The different users of the unclean ends in a row, with this one. */
function uncleanUsers({ upkeep = NO_UPKEEP }: Token, { userId }: Lease, end: Ended): readonly string[] {
  if (isOwnRelease(end)) return [];
  return upkeep.uncleanUsers.includes(userId) ? upkeep.uncleanUsers : [...upkeep.uncleanUsers, userId];
}

/** A cleaning has failed when its lease expires, or when who cleaned says so. Any other end is no attempt. */
function afterCleaning(work: UnitOfWork, token: Token, end: Ended): void {
  const { condition = 'ok', note, at } = end;
  const { dirtySince, restsUntil: rested, failedCleanings } = token.upkeep ?? NO_UPKEEP;
  if (isOwnRelease(end) && condition === 'ok') {
    work.keepUp(token, { dirtySince: null, restsUntil: null, failedCleanings: 0 });
    work.free(token, Math.max(at, rested ?? at));
    work.record('cleaned', null, { token, at });
    return;
  }
  work.tokens.change(token, { freeSince: dirtySince ?? at });
  const isFailure = isOwnRelease(end) || end.event === 'expired';
  if (!isFailure) return;
  work.keepUp(token, { failedCleanings: failedCleanings + 1 });
  recordSoiled(work, token, 'not_cleaned', end);
  const { maxCleans } = work.policy;
  if (condition === 'broken') takeOut(work, token, 'reported_broken', note ?? 'broken', end);
  else if (failedCleanings + 1 >= maxCleans && !token.upkeep?.disabled) {
    takeOut(work, token, 'not_cleaned', `not clean after ${failedCleanings + 1} cleanings`, end);
  }
}

function recordSoiled(work: UnitOfWork, token: Token, reason: SoilReason, { event, at }: Ended): void {
  const { cleanWithinSeconds } = work.policy;
  // Who waits in line knows of a cleaning after each use, and of nothing else.
  if (reason !== 'used') work.mayBreakPromises = true;
  const metadata = cleanWithinSeconds === null ? null : { clean_by: toIso(at + fromSeconds(cleanWithinSeconds)) };
  work.record('soiled', reason, { token, at, metadata, by: event === 'expired' ? null : work.caller });
}

/** Takes a token out of service; a held one when its lease ends. */
export function takeOut(
  work: UnitOfWork,
  token: Token,
  why: DisableReason,
  reason: string,
  { event, at }: Pick<Ended, 'event' | 'at'>,
): void {
  const isDecided = why === 'disabled_by_client' || (why === 'reported_broken' && event === 'released');
  const by = isDecided ? work.caller : null;
  work.keepUp(token, { disabled: { reason, at, by: actorOf(by) } });
  work.mayBreakPromises = true;
  const metadata = { note: reason, ...(token.lease && { when_free: true }) };
  work.record('disabled', why, { token, at, by, metadata });
}

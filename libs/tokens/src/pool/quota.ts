// How many leases a user and a key may have. What somebody waits for in the line counts together with what they hold.

import type { LeaseCount } from './lease-counts.js';
import * as refusals from './refusals.js';
import type { UnitOfWork } from './unit-of-work.js';

/** @throws DomainError `quota_exceeded` when the caller may not have so many more leases for a user */
export function mustBeWithinQuota(work: UnitOfWork, userId: string, more: number): void {
  const { policy, tickets, users, keys, callerOrAnybody } = work;
  const { maxPerUser, maxPerKey } = policy;
  const { keyId } = callerOrAnybody;
  if (maxPerUser !== null) {
    const awaited = tickets.awaited((ticket) => ticket.userId === userId);
    mustHoldLess(work, users.of(userId), maxPerUser, `user ${userId} holds`, awaited + more);
  }
  if (maxPerKey !== null && keyId !== null) {
    const awaited = tickets.awaited((ticket) => ticket.keyId === keyId);
    mustHoldLess(work, keys.of(keyId), maxPerKey, 'the leases taken with this key are', awaited + more);
  }
}

function mustHoldLess(
  work: UnitOfWork,
  { leases, nextExpiryAt }: LeaseCount,
  most: number,
  holder: string,
  more: number,
): void {
  if (leases + more > most) throw refusals.overQuota(work.policy, holder, most, work.secondsUntil(nextExpiryAt));
}

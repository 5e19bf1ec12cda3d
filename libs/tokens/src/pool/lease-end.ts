// What the end of a lease entails: its token may be deleted with it, or be kept back, and an offer ends with all of its
// leases.

import { toIso, type Instant } from '../kernel/instant.js';
import { afterLease, restsUntil } from './after-lease.js';
import type { Condition } from './lease-claim.js';
import { isDraining } from './pool-slice.js';
import type { Ticket } from './ticket.js';
import type { EndReason, Metadata } from './token-event.js';
import type { Lease, Token } from './token.js';
import type { LeaseEndEvent, UnitOfWork } from './unit-of-work.js';

/** What is known of the end of a lease. */
export interface LeaseEnd {
  /** Left out: the present instant. */
  readonly at?: Instant;
  /** What its holder says of the token. */
  readonly condition?: Condition;
  readonly note?: string;
}

/**
 * Ends a lease, and deletes the token with it if it waits for that, or if the pool has more tokens than its size. The
 * caller of the end has not decided that. Otherwise the policy decides whether the token can be granted again.
 */
export function giveBack(
  work: UnitOfWork,
  token: Token,
  event: LeaseEndEvent,
  reason: EndReason,
  { at = work.now, condition, note }: LeaseEnd = {},
): void {
  const lease = token.lease as Lease;
  const end = { event, reason, at, condition, note };
  const rested = restsUntil(work, token, end);
  work.endLease(token, event, reason, at, noted(note, condition, rested > at ? rested : null), rested);
  if (token.isLeaving) work.remove(token, 'removed', null);
  else if (work.isLive && isDraining(work.state)) work.remove(token, 'shrunk', null);
  else afterLease(work, token, lease, end, rested);
  endOffer(work, lease, reason);
}

/** Ends the ticket whose offer a lease was, and the other leases of that offer. */
export function endOffer(work: UnitOfWork, { offeredTo }: Lease, reason: EndReason): void {
  const ticket = offeredTo ? work.tickets.get(offeredTo) : undefined;
  if (ticket?.status !== 'offered') return;
  work.closeTicket(ticket, { status: 'ended', endReason: reason });
  // Those that are overdue expire by themselves.
  if (reason !== 'unclaimed') withdraw(work, ticket, reason);
}

/** Ends the offer of a ticket with all of its leases. */
export function withdraw(work: UnitOfWork, { leases }: Ticket, reason: EndReason, note?: string): void {
  for (const { tokenId, fence } of leases) {
    const token = work.tokens.get(tokenId);
    if (token?.lease?.fence === fence) giveBack(work, token, 'released', reason, { note });
  }
}

/** The metadata of an event; null when there is nothing to say. */
function noted(
  note: string | undefined,
  condition: Condition | undefined,
  availableAt: Instant | null,
): Metadata | null {
  if (!note && !condition && availableAt === null) return null;
  return {
    ...(note && { note }),
    ...(condition && { condition }),
    ...(availableAt !== null && { available_at: toIso(availableAt) }),
  };
}

// What the end of a lease entails: its token may be deleted with it, and an offer ends with all of its leases.

import type { Instant } from '../kernel/instant.js';
import { isDraining } from './pool-slice.js';
import type { Ticket } from './ticket.js';
import type { EndReason, Metadata } from './token-event.js';
import type { Lease, Token } from './token.js';
import type { LeaseEndEvent, UnitOfWork } from './unit-of-work.js';

/**
 * Ends a lease, and deletes the token with it if it waits for that, or if the pool has more tokens than its size. The
 * caller of the end has not decided that.
 */
export function giveBack(
  work: UnitOfWork,
  token: Token,
  event: LeaseEndEvent,
  reason: EndReason,
  at?: Instant,
  metadata?: Metadata | null,
): void {
  const lease = token.lease as Lease;
  work.endLease(token, event, reason, at, metadata);
  if (token.isLeaving) work.remove(token, 'removed', null);
  else if (work.isLive && isDraining(work.state)) work.remove(token, 'shrunk', null);
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
    if (token?.lease?.fence === fence) giveBack(work, token, 'released', reason, work.now, noted(note));
  }
}

export const noted = (note: string | undefined): Metadata | null => (note ? { note } : null);

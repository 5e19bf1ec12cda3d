// A ticket: a place in the line of a pool, from the moment at which it is taken to what became of it. It is a value; a
// change makes a new one.

import type { Instant } from '../kernel/instant.js';
import * as things from './thing.js';
import type { Selector } from './thing.js';
import type { EndReason, LeaveReason, Metadata } from './token-event.js';
import type { OpenLeaseName, Token } from './token.js';

/**
 * A waiting ticket is offered its tokens, and becomes granted when its owner claims them. It ends when its owner gives
 * the place back or shows no sign of life, or when an offer is over.
 */
export const TICKET_STATUSES = ['waiting', 'offered', 'granted', 'ended'] as const;
export type TicketStatus = (typeof TICKET_STATUSES)[number];

/** Why a ticket ended: why its owner has left the line, or how the leases of an offer ended. */
export type TicketEnd = LeaveReason | EndReason;

export interface Ticket {
  readonly id: string;
  /** The number of the place in its pool: 1, 2, 3 …, never reused. A smaller one is served first. */
  readonly place: number;
  readonly userId: string;
  /** The name from which the user id follows; null when the caller gave the id. */
  readonly holder: string | null;
  /** The id of the API key that took the place; null where the service asks for no keys. */
  readonly keyId: string | null;
  /** How many tokens it waits for, all at once. */
  readonly count: number;
  readonly select: Selector | null;
  readonly ttlSeconds: number | null;
  readonly metadata: Metadata | null;
  readonly queuedAt: Instant;
  /** The latest instant at which it is offered its tokens; null when none was proven. */
  readonly notLaterThan: Instant | null;
  /** The longest lease that it may have, in seconds; null when nothing limits it. A later policy does not change it. */
  readonly holdSeconds: number | null;
  /** How long an offer waits for its owner, in seconds. A later policy does not change it. */
  readonly claimSeconds: number;
  /** When a waiting ticket ends unless its owner shows a sign of life. */
  readonly patienceUntil: Instant;
  readonly status: TicketStatus;
  readonly endReason: TicketEnd | null;
  /** The leases of the offer; none while it waits. */
  readonly leases: readonly OpenLeaseName[];
  /** Until when the offer must be claimed; null when there was none. */
  readonly claimBy: Instant | null;
}

/** Whether a token would serve somebody. */
export const serves = ({ thing }: Token, { select }: Pick<Ticket, 'select'>): boolean =>
  select === null || things.isSelected(thing?.attributes, select);

/** Whether its owner has shown no sign of life for too long. */
export const isGivenUp = ({ status, patienceUntil }: Ticket, now: Instant): boolean =>
  status === 'waiting' && patienceUntil <= now;

// The requests about places in the line of a pool.

import type { Grant, Ticket, TicketCancellation } from './api-types.js';
import type { CallOptions, RepeatableOptions } from './call-options.js';
import type { Attempts, Calls, Timed } from './calls.js';
import type { LeaseRequest } from './lease-request.js';
import { TokenPoolError } from './token-pool-error.js';

export interface PlaceRequest extends Omit<LeaseRequest, 'token_id' | 'name'> {
  /** How many tokens, 1 to 100: all at once or none. Default: 1. */
  readonly count?: number;
}

export interface LeaveRequest {
  /** Why the place is given back, at most 200 characters; the service stores it with the `left` event. */
  readonly note?: string;
}

/** Whether the service has answered with a place in the line, and not with a lease. */
export const isTicket = (answer: Grant | Ticket): answer is Ticket => 'queued_at' in answer;

export function takePlace(
  calls: Calls,
  pool: string,
  { user_id, holder, ttl_seconds, select, metadata, count }: PlaceRequest,
  options: RepeatableOptions,
): Promise<Ticket> {
  const body = { pool, user_id, holder, ttl_seconds, select, metadata, count };
  return calls.answer((http, init) => http.POST('/api/tickets', { body, ...init }), options);
}

/** It takes no idempotency key: claiming again answers the same lease while that is open. */
export function claim(
  calls: Calls,
  ticketId: string,
  waitSeconds: number,
  options: Attempts,
): Promise<Timed<Grant | Ticket>> {
  const params = { path: { id: ticketId } };
  const body = { wait_seconds: waitSeconds };
  return calls.timed((http, init) => http.POST('/api/tickets/{id}/claim', { params, body, ...init }), {
    waitMs: waitSeconds * 1000,
    ...options,
  });
}

export function showTicket(calls: Calls, ticketId: string, options: CallOptions): Promise<Ticket> {
  const params = { path: { id: ticketId } };
  return calls.answer((http, init) => http.GET('/api/tickets/{id}', { params, ...init }), options);
}

export async function leave(
  calls: Calls,
  ticketId: string,
  { note, ...options }: LeaveRequest & CallOptions,
): Promise<TicketCancellation> {
  const params = { path: { id: ticketId }, query: { note } };
  let attempts = 0;
  try {
    return await calls.answer((http, init) => {
      attempts++;
      return http.DELETE('/api/tickets/{id}', { params, ...init });
    }, options);
  } catch (error) {
    // The first attempt gave the place back, or what it was offered, and its response was lost.
    const isOurs = TokenPoolError.is(error, 'ticket_ended') && LEFT.includes(error.problem.end_reason);
    if (attempts > 1 && isOurs) return { cancelled: true, ticket_id: ticketId };
    throw error;
  }
}

const LEFT: readonly unknown[] = ['cancelled', 'released_by_client'];

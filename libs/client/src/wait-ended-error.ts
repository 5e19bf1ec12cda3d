// The error for a wait in the line that ended without a token.

import type { Problem, Ticket } from './api-types.js';

export class WaitEndedError extends Error {
  override readonly name = 'WaitEndedError';
  /**
   * Why the place is lost: `patience` if the service heard nothing of the client for too long, `cancelled` or `cleared`
   * if a request ended it, or how the offer ended. Null if the time to wait was over; the place is given back then.
   */
  readonly endReason: Problem['end_reason'] | null;

  constructor(
    /** The place as it was seen last. */
    readonly ticket: Ticket,
    endReason: Problem['end_reason'] | null,
    options?: ErrorOptions,
  ) {
    const how = endReason === null ? 'the time to wait was over' : `the place was lost: ${endReason}`;
    super(`no token of pool ${ticket.pool}: ${how}`, options);
    this.endReason = endReason;
  }
}

// The port for reading the lines of pools. The store's clock decides which places and offers are over.

import type { PageRequest } from './token-reader.js';
import type { LineAgesView, OwnedTicket, TicketPage } from './views.js';

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class LineReader {
  /** The same reader for one caller, who may hang up (TokenReader.until). */
  abstract until(gone: AbortSignal): LineReader;

  /** @throws DomainError `ticket_not_found`, also for a ticket that was over for so long that it was deleted */
  abstract ticket(ticketId: string): Promise<OwnedTicket>;

  /**
   * Those that wait or have an offer, in the order of their places.
   * @throws DomainError `pool_not_found`, `pool_deleted`; `invalid_request` for an invalid cursor
   */
  abstract line(poolName: string, page: PageRequest): Promise<TicketPage<OwnedTicket>>;

  /** The lines of the pools in which somebody waits. */
  abstract ages(): Promise<LineAgesView[]>;
}

// The port for reading tokens. No aggregate, no lock: views straight from the store, with every lease judged by the store's
// clock, so that an overdue one is never shown as active.

import type { EndReason } from '../pool/token-event.js';
import type { EventPage, HistoryPage, OwnedDetails, OwnedEvent, OwnedToken, OwnedUse, TokenPage } from './views.js';

export interface PageRequest {
  readonly limit: number;
  /** `next_cursor` of the page before; opaque to everybody but the reader. */
  readonly cursor?: string;
}

export interface TokenQuery extends PageRequest {
  readonly poolName: string;
  readonly status: 'all' | 'available' | 'active';
  readonly userId?: string;
  /** With `userId`: only leases of this key. */
  readonly keyId?: string;
}

/** Where a token is, or was before it was deleted. */
export interface Whereabouts {
  readonly pool: string;
  readonly isDeleted: boolean;
}

/** How a lease ended. */
export interface LeaseEnd {
  readonly end_reason: EndReason;
  /** RFC 3339. */
  readonly ended_at: string;
}

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class TokenReader {
  /**
   * The same reader for one caller, who may hang up: from then on it asks the store nothing more, gives up what it is asking, and
   * throws `unavailable`.
   */
  abstract until(gone: AbortSignal): TokenReader;

  /** One question to the store, whether the token is there, was deleted or never was. @throws DomainError `token_not_found` */
  abstract locate(tokenId: string): Promise<Whereabouts>;

  /** @throws DomainError `token_not_found`, `token_deleted` */
  abstract token(tokenId: string): Promise<OwnedDetails>;

  /**
   * `active` oldest lease first; `available` in the order they will be handed out; `all` by id.
   * @throws DomainError `pool_not_found`; `invalid_request` for a bad cursor, `position_unknown` for one of another database
   */
  abstract tokens(query: TokenQuery): Promise<TokenPage<OwnedToken>>;

  /** Newest first, also of a deleted token. @throws DomainError `token_not_found`; `invalid_request`, `position_unknown` as `tokens` */
  abstract events(tokenId: string, page: PageRequest): Promise<EventPage<OwnedEvent>>;

  /** Newest first, also of a deleted token. @throws DomainError `token_not_found`; `invalid_request`, `position_unknown` as `tokens` */
  abstract history(tokenId: string, page: PageRequest): Promise<HistoryPage<OwnedUse>>;

  /**
   * How a lease of this token, and of this key if one is given, ended; null when the id names none that is over.
   * @throws DomainError `token_not_found`
   */
  abstract endOf(tokenId: string, leaseId: string, keyId?: string | null): Promise<LeaseEnd | null>;
}

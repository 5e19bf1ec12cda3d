// The port for reading tokens. Views come directly from the store, without an aggregate or a lock. The store's clock
// decides which leases are over, so that a view never shows an overdue lease as active.

import type { AttributeTexts } from '../pool/thing.js';
import type { EndReason } from '../pool/token-event.js';
import type { TokenStatus } from '../pool/token.js';
import type {
  EventPage,
  HistoryPage,
  LeasePage,
  OwnedDetails,
  OwnedEvent,
  OwnedLease,
  OwnedToken,
  OwnedUse,
  OwnedVerification,
  TokenPage,
} from './views.js';

export interface PageRequest {
  readonly limit: number;
  /** `next_cursor` of the previous page. Only the reader understands it. */
  readonly cursor?: string;
}

export interface TokenQuery extends PageRequest {
  readonly poolName: string;
  readonly status: 'all' | TokenStatus;
  readonly userId?: string;
  /** Only tokens that a user of this name holds. */
  readonly holder?: string;
  /** With `userId` or `holder`: only tokens whose lease this key took. */
  readonly keyId?: string;
  /** Only the token of this name. Only listed pools have one. */
  readonly name?: string;
  /** Only tokens with all of these attributes (isDescribedBy). Only listed pools have them. */
  readonly attributes?: AttributeTexts;
}

/** Who holds leases: a user, or the user of a name. */
export type Whose = { readonly userId: string } | { readonly holder: string };

export interface LeaseQuery extends PageRequest {
  readonly whose: Whose;
  /** Only leases of these pools; null for all. */
  readonly pools: ReadonlySet<string> | null;
  /** Only leases that this key took. */
  readonly keyId?: string;
}

/** How a caller names a lease to verify: by its handle, or by its token and number. */
export type LeaseName = { readonly leaseId: string } | { readonly tokenId: string; readonly fence: number };

/**
 * How many leases a reader examines for a page of the leases of a user. There is no index on users, because every grant
 * would have to write it. Names have one, in which only leases with a name stand.
 */
export const LEASES_EXAMINED = 10_000;

/** The pool of a token, also of a deleted one. */
export interface Whereabouts {
  readonly pool: string;
  readonly isDeleted: boolean;
}

/** The verification of a lease that is not open: all that the caller has not said is null. */
export const notValid = (lease: LeaseName): OwnedVerification => ({
  valid: false,
  token_id: 'tokenId' in lease ? lease.tokenId : null,
  name: null,
  pool: null,
  fence: 'fence' in lease ? lease.fence : null,
  holder: null,
  user_id: null,
  expires_at: null,
  expires_in_ms: null,
  key_id: null,
  secret: null,
});

/** How a lease ended. */
export interface LeaseEnd {
  readonly end_reason: EndReason;
  /** RFC 3339. */
  readonly ended_at: string;
}

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class TokenReader {
  /**
   * The same reader for one caller. When the caller hangs up, the reader cancels its query, sends no further one, and
   * throws `unavailable`.
   */
  abstract until(gone: AbortSignal): TokenReader;

  /** Finds the pool of a token with one query, also if the token was deleted. @throws DomainError `token_not_found` */
  abstract locate(tokenId: string): Promise<Whereabouts>;

  /** @throws DomainError `token_not_found`, `token_deleted` */
  abstract token(tokenId: string): Promise<OwnedDetails>;

  /**
   * The order: oldest lease first for `active`; longest free first, as `allocate` takes them, for `available`; by id
   * for `all`.
   * @throws DomainError `pool_not_found`, `pool_deleted`; `invalid_request` for an invalid cursor; `position_unknown`
   * for a cursor of another database
   */
  abstract tokens(query: TokenQuery): Promise<TokenPage<OwnedToken>>;

  /**
   * The open leases of a user or a name over several pools, in the order of pools and fences. A page of the leases of a
   * user may end before its limit, even without a lease: the reader has examined LEASES_EXAMINED then.
   * @throws DomainError `invalid_request` and `position_unknown` as in `tokens`
   */
  abstract leases(query: LeaseQuery): Promise<LeasePage<OwnedLease>>;

  /** Whether a lease is open in one of these pools; null stands for all pools. */
  abstract verify(lease: LeaseName, pools: ReadonlySet<string> | null): Promise<OwnedVerification>;

  /**
   * The events of a token, newest first, also of a deleted one.
   * @throws DomainError `token_not_found`; `invalid_request` and `position_unknown` as in `tokens`
   */
  abstract events(tokenId: string, page: PageRequest): Promise<EventPage<OwnedEvent>>;

  /**
   * The leases of a token, newest first, also of a deleted one.
   * @throws DomainError `token_not_found`; `invalid_request` and `position_unknown` as in `tokens`
   */
  abstract history(tokenId: string, page: PageRequest): Promise<HistoryPage<OwnedUse>>;

  /**
   * The end of a lease of this token; null when the id names no ended lease, or one of another key.
   * @param keyId the key that took the lease; null for any key
   * @throws DomainError `token_not_found`
   */
  abstract endOf(tokenId: string, leaseId: string, keyId?: string | null): Promise<LeaseEnd | null>;
}

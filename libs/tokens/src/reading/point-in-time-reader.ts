// The port for reading tokens and pools as the service showed them at an instant of the past.

import type { OwnedDetails, PoolView } from './views.js';

/** Instants are RFC 3339. Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class PointInTimeReader {
  /** The same reader for one caller, who may hang up (TokenReader.until). */
  abstract until(gone: AbortSignal): PointInTimeReader;

  /**
   * A token at an instant, also if it was deleted later.
   * @throws DomainError `token_not_found`; `token_deleted` if the token was deleted by then; `history_dropped`;
   * `invalid_request` for an instant in the future
   */
  abstract token(tokenId: string, at: string): Promise<OwnedDetails>;

  /**
   * The policy and the counts of a pool at an instant.
   * @throws DomainError `pool_not_found`, also before the first token of the pool; `history_dropped`; `invalid_request`
   * for an instant in the future, or one whose counts are unknown
   */
  abstract pool(poolName: string, at: string): Promise<PoolView>;
}

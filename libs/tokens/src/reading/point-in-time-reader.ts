// The port for reading what was shown at an instant of the past.

import type { OwnedDetails, PoolView } from './views.js';

/** Instants are in RFC 3339. Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class PointInTimeReader {
  /** The same reader for one caller, who may hang up (TokenReader.until). */
  abstract until(gone: AbortSignal): PointInTimeReader;

  /**
   * A token as it was shown at an instant; also one that was deleted later.
   * @throws DomainError `token_not_found`, `token_deleted` by then; `history_dropped`; `invalid_request` for an instant to come
   */
  abstract token(tokenId: string, at: string): Promise<OwnedDetails>;

  /**
   * A pool's counts as they were shown at an instant, with the policy of today.
   * @throws DomainError `pool_not_found`, also before its first token; `history_dropped`; `invalid_request` for an instant to come, or where it
   * cannot be told
   */
  abstract pool(poolName: string, at: string): Promise<PoolView>;
}

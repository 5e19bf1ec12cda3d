// The port by which the audit reads what is written down, not judged by any clock.

import type { RecordedEventView, StoredPoolLook } from '../reading/views.js';

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class AuditSource {
  /**
   * The same source for one caller, who may hang up: from then on it asks the store nothing more, gives up what it is asking, and
   * throws `unavailable`.
   */
  abstract until(gone: AbortSignal): AuditSource;

  /**
   * Lets a function look at a pool as it is written down, overdue leases still open, in one snapshot, which holds up nobody. Where the
   * snapshot is lost, it looks again from the beginning.
   * @throws DomainError `pool_not_found`, and what the function throws
   */
  abstract look<T>(poolName: string, look: (pool: StoredPoolLook) => T | Promise<T>): Promise<T>;

  /** Events after a seq, oldest first; none of a pool that does not exist. */
  abstract events(poolName: string, after: number, limit: number): Promise<RecordedEventView[]>;

  /** The seq after which a pool's events begin, as those before were dropped; 0: all are there. */
  abstract begins(poolName: string): Promise<number>;
}

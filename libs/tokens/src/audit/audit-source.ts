// The port through which the audit reads stored rows, whatever the clock says.

import type { RecordedEventView, StoredPoolLook } from '../reading/views.js';

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class AuditSource {
  /**
   * The same source for one caller. When the caller hangs up, the source cancels its query, sends no further one, and
   * throws `unavailable`.
   */
  abstract until(gone: AbortSignal): AuditSource;

  /**
   * Calls `look` with the stored rows of a pool, in which overdue leases are still open, in one snapshot of the
   * database. The snapshot blocks no command. If the snapshot is lost, `look` is called again.
   * @throws DomainError `pool_not_found`, and what `look` throws
   */
  abstract look<T>(poolName: string, look: (pool: StoredPoolLook) => T | Promise<T>): Promise<T>;

  /** At most `limit` events after a seq, oldest first; none for a pool that does not exist. */
  abstract events(poolName: string, after: number, limit: number): Promise<RecordedEventView[]>;

  /** The seq after which a pool's events begin, because the earlier ones were dropped; 0 when none were. */
  abstract begins(poolName: string): Promise<number>;
}

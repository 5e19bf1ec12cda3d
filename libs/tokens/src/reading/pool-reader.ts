// The port for reading pools. Counts and policies come directly from the store; its clock decides which leases are
// over.

import type { LeaseAgesView, PoolView } from './views.js';

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class PoolReader {
  /** The same reader for one caller, who may hang up (TokenReader.until). */
  abstract until(gone: AbortSignal): PoolReader;

  /**
   * The pools in the order of their names.
   * @param names the wanted ones, of which missing ones are left out; null for all
   */
  abstract pools(names?: ReadonlySet<string> | null): Promise<PoolView[]>;

  /** @throws DomainError `pool_not_found` */
  abstract pool(poolName: string): Promise<PoolView>;

  /** The ages of leases in each pool. */
  abstract leaseAges(): Promise<LeaseAgesView[]>;
}

// The port for reading pools. Counts and policies come directly from the store; its clock decides which leases are
// over.

import type { LeaseAgesView, PoolView } from './views.js';

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class PoolReader {
  /** The same reader for one caller, who may hang up (TokenReader.until). */
  abstract until(gone: AbortSignal): PoolReader;

  /**
   * The pools in the order of their names, without deleted ones.
   * @param names the wanted ones, of which missing ones are left out; null for all
   */
  abstract pools(names?: ReadonlySet<string> | null): Promise<PoolView[]>;

  /** The names of all pools in their order, also of deleted ones, whose events stay. */
  abstract names(): Promise<string[]>;

  /** @throws DomainError `pool_not_found`, `pool_deleted` */
  abstract pool(poolName: string): Promise<PoolView>;

  /** The ages of leases in each pool that is not deleted. */
  abstract leaseAges(): Promise<LeaseAgesView[]>;
}

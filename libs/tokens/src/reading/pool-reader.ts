// The port for reading pools: counts and policies straight from the store, judged by the store's clock.

import type { LeaseAgesView, PoolView } from './views.js';

/** Every method throws DomainError `unavailable` when the store cannot be reached in time. */
export abstract class PoolReader {
  /** The same reader for one caller, who may hang up (TokenReader.until). */
  abstract until(gone: AbortSignal): PoolReader;

  /** By name. @param names of those that are wanted, as far as they exist; null: all */
  abstract pools(names?: ReadonlySet<string> | null): Promise<PoolView[]>;

  /** @throws DomainError `pool_not_found` */
  abstract pool(poolName: string): Promise<PoolView>;

  /** Of all pools. */
  abstract leaseAges(): Promise<LeaseAgesView[]>;
}

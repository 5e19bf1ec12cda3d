// The port to the store of pools. The adapter owns the transaction, the lock of the pool and the clock; the function
// that it receives owns the decision. Only the executor calls it, except for what needs no lock of a pool.

import type { LoadSpec } from './load-spec.js';
import type { PoolPolicy } from '../pool/pool-policy.js';
import type { TokenPool } from '../pool/token-pool.js';

export abstract class TokenPoolRepository {
  /**
   * One transaction under the lock of the pool: loads what `loads` says, calls `decide`, and commits its changes. If
   * `decide` throws, nothing changes. `decide` may run again on fresh state, so it must have no other effects.
   * @throws DomainError `pool_not_found`; `unavailable` when the database cannot be reached in time
   * @throws InvariantViolation when the store refuses the decision
   */
  abstract change<T>(poolName: string, loads: LoadSpec, decide: (pool: TokenPool) => T): Promise<T>;

  /**
   * As `change`, but without waiting. Returns undefined when another process has the lock, or there is no such pool.
   */
  abstract changeIfIdle<T>(poolName: string, loads: LoadSpec, decide: (pool: TokenPool) => T): Promise<T | undefined>;

  /**
   * Creates a pool without tokens and calls `decide` on it, in one transaction.
   * @throws DomainError `pool_exists`
   */
  abstract create<T>(policy: PoolPolicy, decide: (pool: TokenPool) => T): Promise<T>;

  /** Deletes at most `most` idempotency records that are older than IDEMPOTENCY_RECORD_HOURS, and returns how many. */
  abstract deleteExpiredRecords(poolName: string, most: number): Promise<number>;

  /** Deletes at most `most` tickets that were granted or ended as long ago, and returns how many. */
  abstract deleteExpiredTickets(poolName: string, most: number): Promise<number>;

  /**
   * The names of the pools with work for the sweep: overdue leases, idle tokens, missing tokens, free tokens beyond the
   * size, open tickets, old idempotency records and tickets, or a clock that was set back.
   */
  abstract poolsToSweep(): Promise<string[]>;
}

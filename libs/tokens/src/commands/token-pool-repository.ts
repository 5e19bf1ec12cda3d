// The port to wherever pools are kept. The adapter owns the transaction, the pool's lock and the clock; the function
// that is handed in owns the decision. Its one caller is the executor, but for what needs no lock of a pool.

import type { LoadSpec } from './load-spec.js';
import type { PoolPolicy } from '../pool/pool-policy.js';
import type { TokenPool } from '../pool/token-pool.js';

export abstract class TokenPoolRepository {
  /**
   * One transaction under the pool's lock: loads what is needed, lets `decide` work on it, and commits what
   * it changed. When `decide` throws, nothing is changed. `decide` may run again on fresh state, so it must
   * do nothing but decide.
   * @throws DomainError `pool_not_found`; `unavailable` when the database cannot be reached in time
   * @throws InvariantViolation when the store refuses what was decided
   */
  abstract change<T>(poolName: string, loads: LoadSpec, decide: (pool: TokenPool) => T): Promise<T>;

  /**
   * The same, but waits for nobody else: undefined when another process has the pool's lock, or there is no such pool.
   */
  abstract changeIfIdle<T>(poolName: string, loads: LoadSpec, decide: (pool: TokenPool) => T): Promise<T | undefined>;

  /**
   * Makes a pool without tokens and lets `decide` work on it, in one transaction.
   * @throws DomainError `pool_exists`
   */
  abstract create<T>(policy: PoolPolicy, decide: (pool: TokenPool) => T): Promise<T>;

  /** Forgets answers that are older than they are kept, at most so many; says how many. */
  abstract deleteExpiredRecords(poolName: string, most: number): Promise<number>;

  /**
   * Names of pools that have work for a sweep: overdue leases, idle tokens, tokens still to be made, old answers, a
   * clock that was set back.
   */
  abstract poolsToSweep(): Promise<string[]>;
}

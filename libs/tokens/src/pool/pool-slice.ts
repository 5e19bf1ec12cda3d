// What a transaction loads of a pool, as of one instant: enough for the commands that were announced.

import type { KeptAnswer } from './answer-book.js';
import type { Holding } from './holdings.js';
import type { Instant } from '../kernel/instant.js';
import type { PoolPolicy } from './pool-policy.js';
import type { Token } from './token.js';

/** What a pool's row holds. The counters rise under the pool's lock, so they have no gaps. */
export interface PoolState {
  readonly policy: PoolPolicy;
  readonly lastSeq: number;
  readonly lastFence: number;
  /** Tokens not deleted. */
  readonly tokenCount: number;
  /** Open leases: not ended in the audit, overdue ones included. */
  readonly leaseCount: number;
}

export interface PoolSlice {
  readonly state: PoolState;
  readonly now: Instant;
  readonly tokens: Token[];
  /** The next deadline among all leases of the pool that are not overdue; null when unknown or none. */
  readonly nextExpiryAt: Instant | null;
  /** Where the policy counts: what the users hold who ask, and those who hold the most. */
  readonly users?: readonly Holding[];
  /** … and what the keys hold that ask. */
  readonly keys?: readonly Holding[];
  /** Those of the named answers that are kept. */
  readonly answers?: readonly KeptAnswer[];
}

// The part of a pool that a transaction loads, as of one instant: what the commands have asked for, and no more.

import type { IdempotencyRecord } from './idempotency-records.js';
import type { LeaseCount } from './lease-counts.js';
import type { Instant } from '../kernel/instant.js';
import type { LineSlice } from './pool-tickets.js';
import type { PoolPolicy } from './pool-policy.js';
import type { Token } from './token.js';

/**
 * The life of a pool. While it is being deleted, its tokens go in chunks, and to everybody it looks as if it were
 * deleted. A deleted pool has no tokens. It keeps its events and its counters, which go on when it is opened again.
 */
export const POOL_LIVES = ['live', 'deleting', 'deleted'] as const;
export type PoolLife = (typeof POOL_LIVES)[number];

/** The row of a pool. The counters rise under the lock of the pool, so they have no gaps. */
export interface PoolState {
  readonly policy: PoolPolicy;
  readonly life: PoolLife;
  readonly lastSeq: number;
  readonly lastFence: number;
  /** The tokens of the pool, without deleted ones. */
  readonly tokenCount: number;
  /** The leases without a recorded end, including overdue ones. */
  readonly leaseCount: number;
  /** The number of the last place that was taken in the line. */
  readonly lastPlace: number;
  /** The tickets that wait or have an offer, also those whose end is not recorded yet. */
  readonly openTickets: number;
  /** Whether tokens of the pool have been kept back between two users, or may be. It stays so. */
  readonly hasUpkeep: boolean;
  /** The dirty and the disabled tokens that nobody holds. */
  readonly dirtyCount: number;
  readonly disabledCount: number;
  /** The leases of those who clean, including overdue ones. */
  readonly cleaningCount: number;
}

/** Whether the pool has more tokens than its size, which became smaller. A held token goes at the end of its lease. */
export const isDraining = ({ policy, tokenCount }: Pick<PoolState, 'policy' | 'tokenCount'>): boolean =>
  tokenCount > policy.size;

export interface PoolSlice {
  readonly state: PoolState;
  readonly now: Instant;
  readonly tokens: Token[];
  /**
   * The next deadline among the leases that are not overdue and that the slice does not have; null when there is none.
   */
  readonly nextExpiryAt: Instant | null;
  /** If the policy counts leases: the counts of the users who ask, and of those who hold the most. */
  readonly users?: readonly LeaseCount[];
  /** If the policy counts leases: the counts of the keys of the callers. */
  readonly keys?: readonly LeaseCount[];
  /** The part of the line that the commands need; left out in a pool without one. */
  readonly line?: LineSlice;
  /** Those of the named idempotency records that the store has. */
  readonly idempotencyRecords?: readonly IdempotencyRecord[];
}

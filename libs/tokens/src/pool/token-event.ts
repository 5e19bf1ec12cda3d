// The audit: what happened to a token, in the words of the contract.

import type { Instant } from '../kernel/instant.js';
import type { Lease } from './token.js';

export type TokenEventKind = 'activated' | 'renewed' | 'released' | 'expired' | 'generated' | 'deleted';

export type GrantReason = 'allocated' | 'allocated_after_eviction';
export type Eviction = 'lru_eviction' | 'over_share_eviction';
export const isEviction = (reason: TokenEvent['reason']): reason is Eviction =>
  reason === 'lru_eviction' || reason === 'over_share_eviction';

/** Why a lease ended, in the order in which the document lists them. */
export const END_REASONS = [
  'released_by_client',
  'lru_eviction',
  'over_share_eviction',
  'cleanup',
  'ttl_expired',
  'deleted_by_client',
] as const;
export type EndReason = (typeof END_REASONS)[number];
export type DeleteReason = 'idle_ttl' | 'deleted_by_client';

export interface TokenEvent {
  /** 1, 2, 3 … in its pool, without gaps, in commit order. */
  readonly seq: number;
  readonly tokenId: string;
  readonly event: TokenEventKind;
  readonly reason: GrantReason | EndReason | DeleteReason | null;
  /** When it happened: of `expired`, the lease's deadline; otherwise the instant of the transaction. */
  readonly occurredAt: Instant;
  /** The lease it is about (an end keeps the one it ended); null for `generated` and `deleted`. */
  readonly lease: Lease | null;
  /** Who did it: the id of an API key, `open` where none is asked for, or `system`. */
  readonly actor: string;
  /** Of the request by which it was done; null when it was none. */
  readonly requestId: string | null;
  /** The pool's counters after it: tokens not deleted, and open leases, overdue ones included. */
  readonly tokensAfter: number;
  readonly leasesAfter: number;
  /** What the caller of `allocate` gave to be kept with the lease. */
  readonly metadata: Metadata | null;
}

export type Metadata = Readonly<Record<string, unknown>>;

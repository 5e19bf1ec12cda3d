// A token and the lease on it. One `lease` or null: there is no third state to get wrong.

import type { Instant } from '../kernel/instant.js';

/** One use of a token by one user. */
export interface Lease {
  /** Unguessable handle, known to the caller that was granted the lease. */
  readonly leaseId: string;
  readonly userId: string;
  /** Of the API key that took it; null when none was asked for. */
  readonly keyId: string | null;
  /** The number of the lease in its pool: 1, 2, 3 …, never reused. */
  readonly fence: number;
  readonly activatedAt: Instant;
  /** From this instant on the lease is over, whether or not anybody has written it down. */
  readonly expiresAt: Instant;
}

export interface Token {
  readonly id: string;
  lease: Lease | null;
  /** Since when the token is free; means nothing while it is leased. */
  freeSince: Instant;
  /** Start of the latest lease, open or over; null when it was never leased. */
  lastActivatedAt: Instant | null;
}

export const isOverdue = (lease: Lease, now: Instant): boolean => lease.expiresAt <= now;

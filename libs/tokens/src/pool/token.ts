// A token and the lease on it. `lease` alone says whether the token is held, so that no second field can contradict it.

import type { Instant } from '../kernel/instant.js';
import type { Thing } from './thing.js';

/** One use of a token by one user. */
export interface Lease {
  /** A handle that nobody can guess. Only the caller that the lease was granted to knows it. */
  readonly leaseId: string;
  readonly userId: string;
  /** The name that the caller gave instead of the user id, which follows from it; null when it gave the user id. */
  readonly holder: string | null;
  /** The id of the API key that took the lease; null where the service asks for no keys. */
  readonly keyId: string | null;
  /** The number of the lease in its pool: 1, 2, 3 …, never reused. */
  readonly fence: number;
  readonly activatedAt: Instant;
  /** The lease is over from this instant on, whether or not its end is recorded. */
  readonly expiresAt: Instant;
  /**
   * The latest deadline, however often the lease is renewed, as of its grant. Only leases of a pool with a line have
   * it, because its promises depend on it; for any other the policy decides at each renewal.
   */
  readonly hardEndAt?: Instant;
  /** The ticket that the lease is offered to, until it is claimed. */
  readonly offeredTo?: string;
}

/** The name of an open lease, for a caller that has read it. */
export interface OpenLeaseName {
  readonly tokenId: string;
  readonly fence: number;
}

export interface Token {
  readonly id: string;
  lease: Lease | null;
  /** The instant since which the token is free; it has no meaning while the token is leased. */
  freeSince: Instant;
  /** The start of the latest lease, open or over; null when the token was never leased. */
  lastActivatedAt: Instant | null;
  /** What the token stands for; only in a listed pool. */
  thing?: Thing;
  /** Whether the token is deleted when its lease ends. */
  isLeaving?: boolean;
}

export const isOverdue = (lease: Lease, now: Instant): boolean => lease.expiresAt <= now;

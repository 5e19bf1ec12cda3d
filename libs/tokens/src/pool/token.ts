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
  /** Left out: the lease of a user. `clean`: that of somebody who cleans the token. */
  readonly purpose?: 'clean';
}

/** The name of an open lease, for a caller that has read it. */
export interface OpenLeaseName {
  readonly tokenId: string;
  readonly fence: number;
}

/** Why a token is out of service, since when, and by whom. */
export interface Disabling {
  readonly reason: string;
  readonly at: Instant;
  /** As TokenEvent.actor. */
  readonly by: string;
}

/** What happens to a token between two users. */
export interface Upkeep {
  /** Since when it must be cleaned, also while somebody cleans it; null when it is clean. */
  readonly dirtySince: Instant | null;
  /** Until when it rests, while it is dirty; null when it does not. */
  readonly restsUntil: Instant | null;
  /** How many cleanings in a row have failed. */
  readonly failedCleanings: number;
  /** The different users of its last leases, as far back as these did not end by their own release. */
  readonly uncleanUsers: readonly string[];
  /** Null while it is in service. A held token is disabled when its lease ends. */
  readonly disabled: Disabling | null;
}

export const NO_UPKEEP: Upkeep = {
  dirtySince: null,
  restsUntil: null,
  failedCleanings: 0,
  uncleanUsers: [],
  disabled: null,
};

export interface Token {
  readonly id: string;
  lease: Lease | null;
  /**
   * The instant since which the token is free: in the future while it rests. For a dirty token that since which it is
   * dirty. It has no meaning while the token is leased.
   */
  freeSince: Instant;
  /** The start of the latest lease, open or over; null when the token was never leased. */
  lastActivatedAt: Instant | null;
  /** What the token stands for; only in a listed pool. */
  thing?: Thing;
  /** Whether the token is deleted when its lease ends. */
  isLeaving?: boolean;
  /** Left out where nothing has ever happened between two users. */
  upkeep?: Upkeep;
}

/** The status of a token in the order in which the document lists them. `available` is what can be granted now. */
export const TOKEN_STATUSES = ['available', 'active', 'cooling', 'dirty', 'cleaning', 'disabled'] as const;
export type TokenStatus = (typeof TOKEN_STATUSES)[number];

export function statusOf({ lease, upkeep = NO_UPKEEP, freeSince }: Omit<Token, 'id'>, now: Instant): TokenStatus {
  if (lease) return lease.purpose === 'clean' ? 'cleaning' : 'active';
  if (upkeep.disabled) return 'disabled';
  if (upkeep.dirtySince !== null) return 'dirty';
  return freeSince > now ? 'cooling' : 'available';
}

/** Whether nobody holds the token, and it is neither dirty nor disabled. It may rest still. */
export const isFree = ({ lease, upkeep }: Token): boolean =>
  lease === null && (!upkeep || (upkeep.dirtySince === null && upkeep.disabled === null));

/** Whether the lease of a token may be evicted: the token could be granted then, and nobody has been offered it. */
export const mayBeEvicted = ({ isLeaving, lease, upkeep }: Token): boolean =>
  !isLeaving && !lease?.offeredTo && !lease?.purpose && !upkeep?.disabled;

export const isOverdue = (lease: Lease, now: Instant): boolean => lease.expiresAt <= now;

// The tokens of a slice in the order in which they expire, are granted and are evicted. The constructor sorts them
// once; entries that have become stale since are skipped.

import type { Instant } from '../kernel/instant.js';
import { LazyQueue } from './lazy-queue.js';
import { isFree, isOverdue, type Lease, type Token } from './token.js';

export interface FreeToken {
  readonly token: Token;
  readonly since: Instant;
}

export interface LeasedToken {
  readonly token: Token;
  readonly lease: Lease;
}

export class Candidates {
  readonly #overdue: LeasedToken[];
  readonly #free: LazyQueue<FreeToken>;
  readonly #leased: LazyQueue<LeasedToken>;

  /**
   * @param exists false for a token that the pool has deleted since it was loaded
   * @param freeAfter from when the token of an overdue lease is free
   */
  constructor(
    tokens: readonly Token[],
    private readonly now: Instant,
    exists: (token: Token) => boolean,
    freeAfter: (lease: Lease) => Instant,
  ) {
    const leased = tokens.flatMap((token) => (token.lease === null ? [] : { token, lease: token.lease }));
    this.#overdue = leased
      .filter(({ lease }) => isOverdue(lease, now))
      .sort((a, b) => a.lease.expiresAt - b.lease.expiresAt || a.lease.fence - b.lease.fence);
    // The deadline of an overdue lease decides the place of its token among the free ones. The entry becomes current
    // when the pool expires the lease.
    const free = [
      ...tokens.filter(({ lease }) => lease === null).map((token) => ({ token, since: token.freeSince })),
      ...this.#overdue.map(({ token, lease }) => ({ token, since: freeAfter(lease) })),
    ]
      .filter(({ since }) => since <= now)
      .sort((a, b) => a.since - b.since || (a.token.id < b.token.id ? -1 : 1));
    this.#free = new LazyQueue(free, ({ token, since }) => isFree(token) && token.freeSince === since && exists(token));
    this.#leased = new LazyQueue(
      leased.sort((a, b) => a.lease.fence - b.lease.fence),
      ({ token, lease }) => token.lease?.fence === lease.fence,
    );
  }

  /** Removes and returns the overdue leases, earliest deadline first. */
  takeOverdue(): LeasedToken[] {
    return this.#overdue.splice(0);
  }

  /** The token that has been free for the longest, of all or of those that the caller wants. */
  longestFree(isWanted?: (token: Token) => boolean): FreeToken | undefined {
    return isWanted ? this.#free.find(({ token }) => isWanted(token)) : this.#free.first();
  }

  /** The token whose lease has the smallest fence, of all or of those that the caller wants. */
  oldestLease(isWanted?: (token: Token) => boolean): Token | undefined {
    return (isWanted ? this.#leased.find(({ token }) => isWanted(token)) : this.#leased.first())?.token;
  }

  /** The token that somebody no longer holds, or that is clean or enabled again. One that rests is not free yet. */
  freed(token: Token, since: Instant): void {
    if (since <= this.now) this.#free.push({ token, since });
  }

  granted(token: Token, lease: Lease): void {
    this.#leased.push({ token, lease });
  }

  /** Returns a function that restores the present order, but not the overdue leases that were taken since. */
  savepoint(): () => void {
    const restores = [this.#free.savepoint(), this.#leased.savepoint()];
    return () => restores.forEach((restore) => restore());
  }
}

// Whose turn it is among the tokens of a slice: to expire, to be handed out, to be evicted. Sorted once; entries that
// went stale meanwhile are stepped over.

import type { Instant } from '../kernel/instant.js';
import { isOverdue, type Lease, type Token } from './token.js';
import { WaitingLine } from './waiting-line.js';

export interface FreeToken {
  readonly token: Token;
  readonly since: Instant;
}

export interface LeasedToken {
  readonly token: Token;
  readonly lease: Lease;
}

export class Turns {
  readonly #due: LeasedToken[];
  readonly #free: WaitingLine<FreeToken>;
  readonly #oldest: WaitingLine<LeasedToken>;

  /** @param exists whether a token was not deleted meanwhile */
  constructor(tokens: readonly Token[], now: Instant, exists: (token: Token) => boolean) {
    const leased = tokens.flatMap((token) => (token.lease === null ? [] : { token, lease: token.lease }));
    this.#due = leased
      .filter(({ lease }) => isOverdue(lease, now))
      .sort((a, b) => a.lease.expiresAt - b.lease.expiresAt || a.lease.fence - b.lease.fence);
    // An overdue lease has its place in the line of the free by its deadline, and takes it when it is expired.
    const free = [
      ...tokens.filter(({ lease }) => lease === null).map((token) => ({ token, since: token.freeSince })),
      ...this.#due.map(({ token, lease }) => ({ token, since: lease.expiresAt })),
    ].sort((a, b) => a.since - b.since || (a.token.id < b.token.id ? -1 : 1));
    this.#free = new WaitingLine(
      free,
      ({ token, since }) => token.lease === null && token.freeSince === since && exists(token),
    );
    this.#oldest = new WaitingLine(
      leased.sort((a, b) => a.lease.fence - b.lease.fence),
      ({ token, lease }) => token.lease?.fence === lease.fence,
    );
  }

  /** The overdue leases, the one that is so for the longest first; each is answered once. */
  takeDue(): LeasedToken[] {
    return this.#due.splice(0);
  }

  /** The token that is free for the longest. */
  longestFree(): FreeToken | undefined {
    return this.#free.first();
  }

  /** The token whose lease has the smallest fence. */
  oldestLease(): Token | undefined {
    return this.#oldest.first()?.token;
  }

  freed(token: Token, since: Instant): void {
    this.#free.push({ token, since });
  }

  granted(token: Token, lease: Lease): void {
    this.#oldest.push({ token, lease });
  }

  /** Returns the function that puts the lines back to what they are now; what was overdue stays taken. */
  savepoint(): () => void {
    const lines = [this.#free.savepoint(), this.#oldest.savepoint()];
    return () => lines.forEach((goBack) => goBack());
  }
}

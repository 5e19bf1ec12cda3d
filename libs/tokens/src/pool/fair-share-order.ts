// The order in which users lose leases where the pool evicts from the user who holds the most.

import type { LeasedToken } from './candidates.js';
import { LazyQueue } from './lazy-queue.js';
import type { LeaseCounts } from './lease-counts.js';
import type { PoolTokens } from './pool-tokens.js';
import { mayBeEvicted, type Lease, type Token } from './token.js';

export class FairShareOrder {
  /** The loaded leases of each user whose count was loaded, oldest first. */
  readonly #queues: Map<string, LazyQueue<LeasedToken>>;

  constructor(
    private readonly counts: LeaseCounts,
    tokens: PoolTokens,
  ) {
    const isOpen = ({ token, lease }: LeasedToken): boolean =>
      token.lease?.fence === lease.fence && mayBeEvicted(token);
    this.#queues = new Map(counts.holders.map((user) => [user, new LazyQueue<LeasedToken>([], isOpen)]));
    if (this.#queues.size === 0) return;
    const leased = tokens.all().flatMap((token) => (token.lease === null ? [] : { token, lease: token.lease }));
    for (const { token, lease } of leased.sort((a, b) => a.lease.fence - b.lease.fence)) this.granted(token, lease);
  }

  granted(token: Token, lease: Lease): void {
    this.#queues.get(lease.userId)?.push({ token, lease });
  }

  /**
   * The token with the oldest lease of the user who holds the most leases; between such users the oldest lease decides.
   */
  first(): Token | undefined {
    let first: LeasedToken | undefined;
    let most = 0;
    for (const [user, queue] of this.#queues) {
      const { leases } = this.counts.of(user);
      const oldest = leases < most ? undefined : queue.first();
      if (!oldest || (first && leases === most && oldest.lease.fence > first.lease.fence)) continue;
      first = oldest;
      most = leases;
    }
    return first?.token;
  }
}

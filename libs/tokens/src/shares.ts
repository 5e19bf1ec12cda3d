// Whose turn it is to lose a lease where the user who holds the most loses first.

import type { Holdings } from './holdings.js';
import type { Lease, Token } from './token.js';
import type { LeasedToken } from './turns.js';
import { WaitingLine } from './waiting-line.js';

export class Shares {
  /** Of each user whose holding was loaded: the loaded leases, oldest first. */
  readonly #lines: Map<string, WaitingLine<LeasedToken>>;

  constructor(
    private readonly holdings: Holdings,
    tokens: readonly Token[],
  ) {
    const isOpen = ({ token, lease }: LeasedToken): boolean => token.lease?.fence === lease.fence;
    this.#lines = new Map(holdings.holders.map((user) => [user, new WaitingLine<LeasedToken>([], isOpen)]));
    const leased = tokens.flatMap((token) => (token.lease === null ? [] : { token, lease: token.lease }));
    for (const { token, lease } of leased.sort((a, b) => a.lease.fence - b.lease.fence)) this.granted(token, lease);
  }

  granted(token: Token, lease: Lease): void {
    this.#lines.get(lease.userId)?.push({ token, lease });
  }

  /**
   * The oldest lease of whoever holds the most; among equals the oldest of all. Who holds the most and may not lose
   * any is passed over, but nobody loses one to an asker who holds more than he does.
   */
  victim(asker: string, mayBeEvicted: (lease: Lease) => boolean): Token | undefined {
    let victim: LeasedToken | undefined;
    let most = this.holdings.of(asker).leases;
    for (const [user, line] of this.#lines) {
      const { leases } = this.holdings.of(user);
      if (leases < most) continue;
      const oldest = line.first();
      if (!oldest || !mayBeEvicted(oldest.lease)) continue;
      if (victim && leases === most && oldest.lease.fence > victim.lease.fence) continue;
      victim = oldest;
      most = leases;
    }
    return victim?.token;
  }
}

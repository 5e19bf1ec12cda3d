// Whose turn it is to lose a lease where the user who holds the most loses first.

import type { Holdings } from './holdings.js';
import type { PoolTokens } from './pool-tokens.js';
import type { Lease, Token } from './token.js';
import type { LeasedToken } from './turns.js';
import { WaitingLine } from './waiting-line.js';

export class Shares {
  /** Of each user whose holding was loaded: the loaded leases, oldest first. */
  readonly #lines: Map<string, WaitingLine<LeasedToken>>;

  constructor(
    private readonly holdings: Holdings,
    tokens: PoolTokens,
  ) {
    const isOpen = ({ token, lease }: LeasedToken): boolean => token.lease?.fence === lease.fence;
    this.#lines = new Map(holdings.holders.map((user) => [user, new WaitingLine<LeasedToken>([], isOpen)]));
    if (this.#lines.size === 0) return;
    const leased = tokens.all().flatMap((token) => (token.lease === null ? [] : { token, lease: token.lease }));
    for (const { token, lease } of leased.sort((a, b) => a.lease.fence - b.lease.fence)) this.granted(token, lease);
  }

  granted(token: Token, lease: Lease): void {
    this.#lines.get(lease.userId)?.push({ token, lease });
  }

  /** The token with the oldest lease of whoever holds the most; among equals with the oldest of theirs. */
  first(): Token | undefined {
    let first: LeasedToken | undefined;
    let most = 0;
    for (const [user, line] of this.#lines) {
      const { leases } = this.holdings.of(user);
      const oldest = leases < most ? undefined : line.first();
      if (!oldest || (first && leases === most && oldest.lease.fence > first.lease.fence)) continue;
      first = oldest;
      most = leases;
    }
    return first?.token;
  }
}

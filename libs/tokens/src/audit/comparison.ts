// Holds the tokens that are shown or stored, a page at a time, against those that a feed folds to.

import type { Findings } from './findings.js';
import { toIso, type Instant } from '../kernel/instant.js';
import type { TokenView } from '../reading/views.js';

export interface OpenLease {
  readonly tokenId: string;
  readonly userId: string;
  readonly fence: number;
  readonly expiresAt: Instant;
}

export interface FoldedToken {
  readonly id: string;
  lease: OpenLease | null;
  lastActivatedAt: Instant | null;
  lastEndAt: Instant;
  /** The number of the comparison that came across it last: a list of those it has to find would be as long as the pool. */
  comparedIn: number;
}

export class Comparison {
  static #begun = 0;
  readonly #number = ++Comparison.#begun;

  /** @param asOf a lease that is overdue by then is shown as available, whether or not its end is recorded */
  constructor(
    private readonly folded: ReadonlyMap<string, FoldedToken>,
    private readonly asOf: Instant,
    private readonly findings: Findings,
  ) {}

  /** The next page, in any order. */
  add(shown: readonly TokenView[]): void {
    for (const view of shown) {
      const token = this.folded.get(view.id);
      if (token) this.#compare(view, token);
      else this.findings.add(`token ${view.id} is shown, but was never generated or is deleted`);
    }
  }

  /** To be called after the last page. */
  finish(): Findings {
    for (const { id, comparedIn } of this.folded.values()) {
      if (comparedIn !== this.#number) this.findings.add(`token ${id} is in the feed, but not shown`);
    }
    return this.findings;
  }

  #compare(view: TokenView, token: FoldedToken): void {
    if (token.comparedIn === this.#number) this.findings.add(`token ${view.id} is shown twice`);
    token.comparedIn = this.#number;
    const lease = token.lease && token.lease.expiresAt > this.asOf ? token.lease : null;
    const folded = {
      status: lease ? 'active' : 'available',
      active_user_id: lease?.userId ?? null,
      fence: lease?.fence ?? null,
      expires_at: lease && toIso(lease.expiresAt),
      last_activated_at: token.lastActivatedAt === null ? null : toIso(token.lastActivatedAt),
    };
    for (const [field, value] of Object.entries(folded)) {
      const isShown = view[field as keyof TokenView];
      if (isShown !== value)
        this.findings.add(`token ${view.id}: ${field} is shown as ${isShown}, the feed says ${value}`);
    }
  }
}

// Compares the tokens that the service shows or stores with the fold of a feed, page by page.

import type { Findings } from './findings.js';
import { toIso, type Instant } from '../kernel/instant.js';
import type { StoredTokenView } from '../reading/views.js';

export interface OpenLease {
  readonly tokenId: string;
  readonly userId: string;
  readonly holder: string | null;
  readonly fence: number;
  readonly expiresAt: Instant;
}

export interface FoldedToken {
  readonly id: string;
  lease: OpenLease | null;
  lastActivatedAt: Instant | null;
  lastEndAt: Instant;
  /** The number of the last comparison that met the token. A set of the tokens met would be as large as the pool. */
  comparedIn: number;
}

export class Comparison {
  static #begun = 0;
  readonly #number = ++Comparison.#begun;

  /**
   * @param asOf a token whose lease is overdue by this instant counts as available, whether or not the end is recorded
   */
  constructor(
    private readonly folded: ReadonlyMap<string, FoldedToken>,
    private readonly asOf: Instant,
    private readonly findings: Findings,
  ) {}

  /** Compares the next page. Pages and tokens may come in any order. */
  add(shown: readonly StoredTokenView[]): void {
    for (const view of shown) {
      const token = this.folded.get(view.id);
      if (token) this.#compare(view, token);
      else this.findings.add(`token ${view.id} is shown, but was never generated or is deleted`);
    }
  }

  /** Must be called once, after the last page. */
  finish(): Findings {
    for (const { id, comparedIn } of this.folded.values()) {
      if (comparedIn !== this.#number) this.findings.add(`token ${id} is in the feed, but not shown`);
    }
    return this.findings;
  }

  #compare(view: StoredTokenView, token: FoldedToken): void {
    if (token.comparedIn === this.#number) this.findings.add(`token ${view.id} is shown twice`);
    token.comparedIn = this.#number;
    const lease = token.lease && token.lease.expiresAt > this.asOf ? token.lease : null;
    const folded = {
      status: lease ? 'active' : 'available',
      active_user_id: lease?.userId ?? null,
      holder: lease?.holder ?? null,
      fence: lease?.fence ?? null,
      expires_at: lease && toIso(lease.expiresAt),
      last_activated_at: token.lastActivatedAt === null ? null : toIso(token.lastActivatedAt),
    };
    for (const [field, value] of Object.entries(folded)) {
      const isShown = view[field as keyof StoredTokenView];
      if (isShown !== value)
        this.findings.add(`token ${view.id}: ${field} is shown as ${isShown}, the feed says ${value}`);
    }
  }
}

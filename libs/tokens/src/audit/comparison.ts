// Compares the tokens that the service shows or stores with the fold of a feed, page by page.

import { canonical } from '../kernel/canonical-json.js';
import type { Findings } from './findings.js';
import { toIso, type Instant } from '../kernel/instant.js';
import type { StoredTokenView } from '../reading/views.js';

export interface OpenLease {
  readonly tokenId: string;
  readonly userId: string;
  readonly holder: string | null;
  readonly fence: number;
  readonly expiresAt: Instant;
  /** Whether it is offered to somebody in the line, and not claimed yet: it is not evicted then. */
  readonly isOffered?: boolean;
  /** Whether its holder cleans the token: it is not evicted then. */
  readonly isCleaning?: boolean;
}

/** What keeps a token back between two users, as far as events tell of it. */
export interface FoldedUpkeep {
  readonly dirtySince: Instant | null;
  readonly restsUntil: Instant | null;
  readonly failedCleanings: number;
  readonly disabled: { readonly reason: string; readonly at: Instant } | null;
}

/** The thing of a token in a listed pool, as far as events tell of it. */
export interface FoldedThing {
  readonly name: string;
  readonly attributes: NonNullable<StoredTokenView['attributes']>;
}

export interface FoldedToken {
  readonly id: string;
  thing: FoldedThing | null;
  lease: OpenLease | null;
  /** Whether it must be deleted at the end of its lease. */
  isLeaving: boolean;
  /** Null when nothing keeps it back. */
  upkeep: FoldedUpkeep | null;
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

  /** What a lease leaves behind that is overdue and not recorded, the policy of then decides. */
  #statusOf({ status }: StoredTokenView, token: FoldedToken, lease: OpenLease | null): StoredTokenView['status'] {
    if (lease) return lease.isCleaning ? 'cleaning' : 'active';
    if (token.lease && status !== 'active' && status !== 'cleaning') return status;
    const { upkeep } = token;
    if (upkeep?.disabled) return 'disabled';
    if (upkeep?.dirtySince != null) return 'dirty';
    // It may have rested since the instant of the comparison, or have rested until then.
    return upkeep?.restsUntil != null && status === 'cooling' ? 'cooling' : 'available';
  }

  #compare(view: StoredTokenView, token: FoldedToken): void {
    if (token.comparedIn === this.#number) this.findings.add(`token ${view.id} is shown twice`);
    token.comparedIn = this.#number;
    const lease = token.lease && token.lease.expiresAt > this.asOf ? token.lease : null;
    const folded = {
      name: token.thing?.name ?? null,
      status: this.#statusOf(view, token, lease),
      active_user_id: lease?.userId ?? null,
      holder: lease?.holder ?? null,
      fence: lease?.fence ?? null,
      expires_at: lease && toIso(lease.expiresAt),
      last_activated_at: token.lastActivatedAt === null ? null : toIso(token.lastActivatedAt),
    };
    for (const [field, value] of Object.entries(folded)) {
      const isShown = view[field as keyof StoredTokenView];
      if (isShown !== value)
        this.findings.add(`token ${view.id}: ${field} is shown as ${asText(isShown)}, the feed says ${asText(value)}`);
    }
    const attributes = token.thing?.attributes ?? null;
    if (!areSame(view.attributes, attributes)) {
      const [isShown, isTold] = [asText(view.attributes), asText(attributes)];
      this.findings.add(`token ${view.id}: attributes are shown as ${isShown}, the feed says ${isTold}`);
    }
    const { leaving = token.isLeaving } = view;
    if (leaving !== token.isLeaving) {
      this.findings.add(`token ${view.id}: leaving is stored as ${leaving}, the feed says ${token.isLeaving}`);
    }
  }
}

/** Whether two names, or two objects of attributes, whose order says nothing, are equal. */
export const areSame = (a: unknown, b: unknown): boolean => a === b || canonical(a) === canonical(b);

/** A value of a feed in a finding. */
export const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

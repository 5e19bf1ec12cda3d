// The auditor's own groups of tokens with the same attributes, by which it judges evictions of selected tokens. A
// change takes time logarithmic in the number of leases, and a selection time in proportion to the number of groups.

import type { FoldedThing, FoldedToken, OpenLease } from './comparison.js';
import { canonical } from '../kernel/canonical-json.js';
import { FenceHeap } from './fence-heap.js';
import type { Instant } from '../kernel/instant.js';

type Attributes = FoldedThing['attributes'];

/** What `select` of an eviction says. */
export type Selection = Readonly<Record<string, unknown>>;

interface Group {
  readonly attributes: Attributes;
  tokens: number;
  held: number;
  /** Leases by fence; entries may be out of date. */
  readonly leases: FenceHeap<OpenLease>;
  /** The latest eviction of a selection to which these tokens belong. */
  evictedAt: Instant;
}

/** A token that is not a member is one of a broken feed: it was deleted while it was held. */
interface Membership {
  readonly group: Group;
  readonly since: Instant;
}

/** What the auditor asks of the tokens that are selected. */
export interface SelectedTokens {
  /** The smallest fence among the leases that may be evicted. */
  readonly oldestFence: number;
  readonly free: number;
}

export class AlikeTokens {
  readonly #groups = new Map<string, Group>();
  readonly #of = new Map<string, Membership>();

  constructor(private readonly tokens: ReadonlyMap<string, FoldedToken>) {
    for (const token of tokens.values()) this.joined(token, -Infinity);
  }

  /** A token that is new, or that has other attributes now. */
  joined(token: FoldedToken, since: Instant): void {
    const attributes = token.thing?.attributes ?? {};
    const key = canonical(attributes);
    const group = this.#groups.get(key) ?? this.#create(key, attributes);
    group.tokens++;
    this.#of.set(token.id, { group, since });
    if (token.lease) this.granted(token.lease);
  }

  left({ id, lease }: FoldedToken): void {
    const group = this.#of.get(id)?.group;
    if (!group) return;
    if (lease) this.ended(lease);
    this.#of.delete(id);
    if (--group.tokens === 0) this.#groups.delete(canonical(group.attributes));
  }

  granted(lease: OpenLease): void {
    const group = this.#of.get(lease.tokenId)?.group;
    if (!group) return;
    group.held++;
    group.leases.push(lease);
    if (group.leases.size > 2 * group.held + 64) group.leases.keep((entry) => this.#isOpenIn(group, entry));
  }

  ended({ tokenId }: OpenLease): void {
    const group = this.#of.get(tokenId)?.group;
    if (group) group.held--;
  }

  /** A lease may be evicted again: it is claimed, or its token is no longer to be deleted at its end. */
  stays(lease: OpenLease): void {
    this.#of.get(lease.tokenId)?.group.leases.push(lease);
  }

  /** Notes an eviction at this instant, and tells what it found. */
  evicted(select: Selection, at: Instant): SelectedTokens {
    let [oldestFence, free] = [Infinity, 0];
    for (const group of this.#groups.values()) {
      if (!isSelected(group.attributes, select)) continue;
      const mayGo = (lease: OpenLease): boolean =>
        this.#isOpenIn(group, lease) && mayBeEvicted(this.tokens.get(lease.tokenId)!);
      oldestFence = Math.min(oldestFence, group.leases.first(mayGo)?.fence ?? Infinity);
      free += group.tokens - group.held;
      group.evictedAt = at;
    }
    return { oldestFence, free };
  }

  /** The latest eviction of a selection to which a token belonged then; -Infinity without one. */
  evictedAt(tokenId: string): Instant {
    const member = this.#of.get(tokenId);
    return member && member.group.evictedAt > member.since ? member.group.evictedAt : -Infinity;
  }

  #isOpenIn(group: Group, { tokenId, fence }: OpenLease): boolean {
    return this.#of.get(tokenId)?.group === group && this.tokens.get(tokenId)?.lease?.fence === fence;
  }

  #create(key: string, attributes: Attributes): Group {
    const group = { attributes, tokens: 0, held: 0, leases: new FenceHeap<OpenLease>(), evictedAt: -Infinity };
    this.#groups.set(key, group);
    return group;
  }
}

const mayBeEvicted = ({ isLeaving, lease, upkeep }: FoldedToken): boolean =>
  !isLeaving && !lease?.isOffered && !lease?.isCleaning && !upkeep?.disabled;

/** Whether each attribute is the wanted one, or one of those; null stands for none. */
export const isSelected = (attributes: Attributes, select: Selection): boolean =>
  Object.entries(select).every(([key, wanted]) => {
    const value = Object.hasOwn(attributes, key) ? attributes[key] : null;
    return Array.isArray(wanted) ? wanted.includes(value) : value === wanted;
  });

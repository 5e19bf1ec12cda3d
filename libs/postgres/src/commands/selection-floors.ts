// Where the search for the tokens of a selection may begin. Who takes tokens of one selection again and again makes
// their leases the newest of the pool, behind all the others. So a process remembers of each selection that none of its
// leases has a smaller fence, and that none of its tokens is free, or overdue, since an earlier instant. Both can only
// rise: new leases have larger fences, and tokens come free later. Only a change of things makes them wrong, and it
// raises the `things_seq` of the pool. They save time, and decide nothing: the search finds the same tokens without.

import {
  isFree,
  isOverdue,
  isSelected,
  selectorKey,
  tokensOfSelection,
  type LoadSpec,
  type PoolSlice,
  type Selector,
} from '@app/tokens';

export interface Floor {
  /** The smallest fence of a lease that may be evicted. */
  readonly fence: number;
  /** The instant since when the first one is free, in microseconds. */
  readonly since: number;
  /** The `things_seq` of the pool when this was found, and its `last_seq`, which a restored backup takes back. */
  readonly thingsSeq: number;
  readonly lastSeq: number;
}

/** The most selections that a process remembers. */
const REMEMBERED = 10_000;

/** No row has this version. */
const UNKNOWN: Floor = { fence: 0, since: 0, thingsSeq: -1, lastSeq: 0 };

export class SelectionFloors {
  readonly #known = new Map<string, Floor>();

  of(pool: string, selector: Selector): Floor {
    return this.#known.get(nameOf(pool, selector)) ?? UNKNOWN;
  }

  /** Notes what a slice shows of the selections that it was loaded for. */
  note(slice: PoolSlice, loads: LoadSpec, thingsSeq: number): void {
    const { policy, lastSeq, lastFence } = slice.state;
    const most = tokensOfSelection(loads);
    if (policy.kind !== 'listed' || most === 0) return;
    for (const selector of loads.selectors) {
      let [fence, since, free] = [lastFence + 1, slice.now, 0];
      for (const token of slice.tokens) {
        const { lease, thing } = token;
        if (!isSelected(thing?.attributes, selector)) continue;
        if (lease && !isOverdue(lease, slice.now)) {
          if (!token.isLeaving) fence = Math.min(fence, lease.fence);
        } else if (lease ?? isFree(token)) {
          since = Math.min(since, lease?.expiresAt ?? token.freeSince);
          free++;
        }
      }
      // With enough free tokens it has not looked for leases.
      const known = free < most && policy.onExhausted === 'evict_oldest' ? fence : 0;
      if (this.#known.size >= REMEMBERED) this.#known.clear();
      this.#known.set(nameOf(policy.name, selector), { fence: known, since, thingsSeq, lastSeq });
    }
  }
}

const nameOf = (pool: string, selector: Selector): string => `${pool} ${selectorKey(selector)}`;

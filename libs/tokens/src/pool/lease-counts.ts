// The number of a pool's open leases by holder, for the holders that the transaction loaded. Quotas and fair shares
// depend on it.

import type { Instant } from '../kernel/instant.js';
import type { Lease } from './token.js';

/** The open leases of a user or a key, without overdue ones. */
export interface LeaseCount {
  /** The id of the user or of the key. */
  readonly holder: string;
  readonly leases: number;
  /** The next deadline among these leases; null when there are none. */
  readonly nextExpiryAt: Instant | null;
}

export class LeaseCounts {
  readonly #byHolder: Map<string, LeaseCount>;
  /** The former value of each change, in the order of the changes. */
  readonly #replaced: LeaseCount[] = [];

  constructor(
    loaded: readonly LeaseCount[],
    private readonly holderOf: (lease: Lease) => string | null,
  ) {
    this.#byHolder = new Map(loaded.map((count) => [count.holder, count]));
  }

  get holders(): string[] {
    return [...this.#byHolder.keys()];
  }

  /** @throws Error when the count was not loaded, because the command did not name the holder in what it loads */
  of(holder: string): LeaseCount {
    const count = this.#byHolder.get(holder);
    if (!count) throw new Error('what this holder holds was not loaded');
    return count;
  }

  granted(lease: Lease): void {
    this.#change(lease, ({ leases, nextExpiryAt }) => ({
      leases: leases + 1,
      nextExpiryAt: Math.min(nextExpiryAt ?? Infinity, lease.expiresAt),
    }));
  }

  /** Not for a lease that expired: the loaded counts are without overdue leases. */
  released(lease: Lease): void {
    this.#change(lease, ({ leases }) => ({ leases: leases - 1 }));
  }

  /** Returns a function that takes back every later change. */
  savepoint(): () => void {
    const changes = this.#replaced.length;
    return () => {
      for (const count of this.#replaced.splice(changes).reverse()) this.#byHolder.set(count.holder, count);
    };
  }

  #change(lease: Lease, change: (count: LeaseCount) => Partial<LeaseCount>): void {
    const holder = this.holderOf(lease);
    const count = holder === null ? undefined : this.#byHolder.get(holder);
    if (!count) return;
    this.#replaced.push(count);
    this.#byHolder.set(count.holder, { ...count, ...change(count) });
  }
}

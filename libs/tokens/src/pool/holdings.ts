// Who holds how many of a pool's open leases, for as many holders as were loaded: what quotas count.

import type { Instant } from '../kernel/instant.js';
import type { Lease } from './token.js';

/** Of a user or a key: its open leases, overdue ones not among them. */
export interface Holding {
  readonly holder: string;
  readonly leases: number;
  /** The next deadline among them; null without any. */
  readonly nextExpiryAt: Instant | null;
}

export class Holdings {
  readonly #of: Map<string, Holding>;
  /** Each holding that was replaced, in the order of the changes. */
  readonly #replaced: Holding[] = [];

  constructor(
    loaded: readonly Holding[],
    private readonly holderOf: (lease: Lease) => string | null,
  ) {
    this.#of = new Map(loaded.map((holding) => [holding.holder, holding]));
  }

  get holders(): string[] {
    return [...this.#of.keys()];
  }

  /** @throws Error when it was not loaded: whoever asks has to be announced (needs.ts) */
  of(holder: string): Holding {
    const holding = this.#of.get(holder);
    if (!holding) throw new Error('what this holder holds was not loaded');
    return holding;
  }

  granted(lease: Lease): void {
    this.#change(lease, ({ leases, nextExpiryAt }) => ({
      leases: leases + 1,
      nextExpiryAt: Math.min(nextExpiryAt ?? Infinity, lease.expiresAt),
    }));
  }

  /** Not by its deadline: what is overdue was not counted. */
  released(lease: Lease): void {
    this.#change(lease, ({ leases }) => ({ leases: leases - 1 }));
  }

  /** Returns the function that takes back every change made since. */
  savepoint(): () => void {
    const changes = this.#replaced.length;
    return () => {
      for (const holding of this.#replaced.splice(changes).reverse()) this.#of.set(holding.holder, holding);
    };
  }

  #change(lease: Lease, change: (holding: Holding) => Partial<Holding>): void {
    const holder = this.holderOf(lease);
    const holding = holder === null ? undefined : this.#of.get(holder);
    if (!holding) return;
    this.#replaced.push(holding);
    this.#of.set(holding.holder, { ...holding, ...change(holding) });
  }
}

// Sums up the answers of one phase.

import { median, quantile } from '../../harness/numbers.js';
import type { Reply } from '../../harness/wire.js';

export interface Figures {
  readonly goodputPerSecond: number;
  readonly refusedPerSecond: number;
  readonly lost: number;
  /** Answers that are neither a success nor a 503. */
  readonly others: number;
  readonly withoutRetryAfter: number;
  readonly goodMs: Percentiles;
  /** Latencies of refusals, without requests that came before the last `Retry-After`. */
  readonly refusedMs: Percentiles;
  /** Latencies of refusals for requests that came before the last `Retry-After`. */
  readonly tooSoonMs: Percentiles;
}

/** @returns the share of successes among all answers; 1 without answers */
export const shareOf = ({ goodputPerSecond: good, refusedPerSecond: refused }: Figures): number =>
  good + refused === 0 ? 1 : good / (good + refused);

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

export class Tally {
  readonly #good: number[] = [];
  readonly #refused: number[] = [];
  readonly #tooSoon: number[] = [];
  #lost = 0;
  #others = 0;
  #withoutRetryAfter = 0;

  count(reply: Reply | null): void {
    if (reply === null) this.#lost++;
    else if (reply.status === 200) this.#good.push(reply.ms);
    else if (reply.status === 503) {
      (reply.isTooSoon ? this.#tooSoon : this.#refused).push(reply.ms);
      if (reply.retryAfter === null) this.#withoutRetryAfter++;
    } else this.#others++;
  }

  get all(): number {
    return this.#good.length + this.#refused.length + this.#tooSoon.length + this.#lost + this.#others;
  }

  figures(seconds: number): Figures {
    return {
      goodputPerSecond: this.#good.length / seconds,
      refusedPerSecond: (this.#refused.length + this.#tooSoon.length) / seconds,
      lost: this.#lost,
      others: this.#others,
      withoutRetryAfter: this.#withoutRetryAfter,
      goodMs: percentiles(this.#good),
      refusedMs: percentiles(this.#refused),
      tooSoonMs: percentiles(this.#tooSoon),
    };
  }
}

/** @returns zeros without values */
const percentiles = (times: number[]): Percentiles =>
  times.length === 0 ? { p50: 0, p99: 0 } : { p50: median(times), p99: quantile(times, 0.99) };

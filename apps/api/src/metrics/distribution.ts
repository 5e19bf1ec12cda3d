// The buckets, sum and count of a histogram.

import type { Sample } from './family.js';

/** Upper bounds in seconds: from half a millisecond to ten seconds. */
export const LATENCIES = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Upper bounds in seconds: from a tenth of a second to a day. */
export const AGES = [0.1, 1, 5, 15, 30, 60, 120, 300, 900, 3600, 14_400, 86_400];

export class Distribution {
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds the upper bounds of the buckets, ascending; sum and count include values beyond the last one */
  constructor(private readonly bounds: readonly number[]) {
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  add(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] as number)) bucket++;
    this.#counts[bucket]!++;
    this.#sum += value;
  }

  samples(name: string, labels: Sample['labels'] = {}): Sample[] {
    let count = 0;
    const buckets = this.#counts.map((inBucket, place) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le: this.bounds[place] ?? '+Inf' },
      value: (count += inBucket),
    }));
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

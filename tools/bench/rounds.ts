// Measures side by side: each round measures every case once and begins with another case, so that other work of the
// machine slows all cases alike. Every other round goes backwards, since a case after a heavy load waits for writes.

import { median } from '../harness/numbers.js';
import type { Measured } from './measured.js';
import { medianTime } from './processor-time.js';

export interface Case {
  /** The measured case. */
  readonly what: string;
  /** The number of connections or callers. */
  readonly at: number;
  readonly measure: () => Promise<Measured>;
}

export interface Row extends Measured {
  readonly what: string;
  readonly at: number;
  /** The rate of each round. */
  readonly rates: readonly number[];
}

export async function inRounds(rounds: number, cases: readonly Case[], say: (what: string) => void): Promise<Row[]> {
  const measured = cases.map((): Measured[] => []);
  for (let round = 0; round < rounds; round++) {
    const first = Math.floor((round * cases.length) / rounds);
    for (let i = 0; i < cases.length; i++) {
      const place = (first + (round % 2 === 0 ? i : cases.length - i)) % cases.length;
      const { what, at, measure } = cases[place] as Case;
      const result = await measure();
      measured[place]?.push(result);
      say(
        `round ${round + 1}/${rounds}: ${what} at ${at}: ${result.rate.toFixed(0)}/s, p99 ${result.p99.toFixed(2)} ms`,
      );
    }
  }
  return cases.map(({ what, at }, place) => {
    const of = (field: 'rate' | 'p50' | 'p99' | 'refused') => (measured[place] as Measured[]).map((one) => one[field]);
    const times = (measured[place] as Measured[]).flatMap(({ cpu }) => cpu ?? []);
    const refused = of('refused').reduce((sum, one) => sum + one, 0);
    return {
      what,
      at,
      rate: median(of('rate')),
      p50: median(of('p50')),
      p99: median(of('p99')),
      refused,
      rates: of('rate'),
      ...(times.length > 0 && { cpu: medianTime(times) }),
    };
  });
}

/** @returns the median of the rounds' own ratios, since the speed of the machine changes between rounds */
export const ratioOf = (above: Row, below: Row): number =>
  median(above.rates.map((rate, round) => rate / (below.rates[round] as number)));

/** @returns NaN without a measurement of both */
export function ratio(rows: readonly Row[], above: string, below: string, at: number): number {
  const [a, b] = [above, below].map((what) => rows.find((row) => row.what === what && row.at === at));
  return a && b ? ratioOf(a, b) : NaN;
}

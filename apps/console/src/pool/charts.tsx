// The charts of a pool: utilisation, grants and ends by reason, and how long users held leases.

import type { Pool } from '../api.js';
import type { Series } from '../live/event-log.js';
import type { Kind } from '../live/pool-state.js';
import { duration, number } from '../words.js';
import { Chart, type ChartSeries } from './chart.js';
import './charts.css';

interface Props {
  readonly pool: Pool;
  readonly series: Series;
  /** The log covers the time from here on; in milliseconds since the epoch. */
  readonly since: number;
}

/** The series that are drawn below the axis. */
const ENDS: readonly { readonly kind: Kind; readonly label: string }[] = [
  { kind: 'released', label: 'Released' },
  { kind: 'expired', label: 'Expired' },
  { kind: 'evicted', label: 'Evicted' },
  { kind: 'cleaned', label: 'Cleaned up' },
  { kind: 'ended-by-deletion', label: 'Deleted' },
];

export function Charts({ pool, series, since }: Props) {
  const { times } = series;
  const known = <T,>(column: readonly T[]): (T | null)[] =>
    column.map((value, i) => (times[i]! <= since ? null : value));
  const utilisation = (i: number): string => {
    const total = series.total[i] ?? 0;
    return total === 0 ? 'no tokens' : `${Math.round(((series.held[i] ?? 0) / total) * 100)}%`;
  };
  const last = times.length - 1;
  const most = Math.max(...known(series.held).map((value) => value ?? 0));
  return (
    <div class="charts">
      <Chart
        title="Tokens held"
        summary={`Now ${number(series.held[last] ?? 0)} of ${number(series.total[last] ?? 0)} are held, ${utilisation(last)}; at most ${number(most)} were.`}
        times={times}
        format={number}
        series={[
          line('All tokens', '--chart-total', 'line', known(series.total)),
          line('Held', '--chart-held', 'area', known(series.held)),
        ]}
      />
      <Chart
        title="Grants and ends"
        summary={flowSummary(series)}
        times={times}
        format={(value) => number(Math.round(value * 10) / 10)}
        series={flows(pool, series)}
        empty={isQuiet(series) ? 'No grant and no end in this time.' : null}
      />
      <Chart
        title="How long leases were held"
        summary="Median and p99 of the leases that ended in each stretch of time."
        times={times}
        format={(value) => duration(value)}
        series={[
          line('p99', '--chart-p99', 'line', seconds(series.p99Held)),
          line('Median', '--chart-median', 'line', seconds(series.medianHeld)),
        ]}
        empty={series.medianHeld.every((value) => value === null) ? 'No lease ended in this time.' : null}
      />
    </div>
  );
}

const line = (
  label: string,
  colour: string,
  shape: ChartSeries['shape'],
  values: readonly (number | null)[],
): ChartSeries => ({ label, colour, shape, values, drawn: values });

const seconds = (column: readonly (number | null)[]): (number | null)[] =>
  column.map((value) => (value === null ? null : value / 1000));

/**
 * Grants above the axis, ends stacked below it. The deepest bar comes first, and the next ones cover its upper part.
 */
function flows(pool: Pool, { counts, times }: Series): ChartSeries[] {
  const depth = times.map(() => 0);
  const ends = ENDS.filter(({ kind }) => isUsual(pool, kind) || counts[kind].some((n) => n > 0)).map(
    ({ kind, label }): ChartSeries => {
      const drawn = counts[kind].map((n, i) => (depth[i]! -= n));
      return { label, colour: `--kind-${kind}`, shape: 'bars', values: counts[kind], drawn };
    },
  );
  return [line('Granted', '--kind-granted', 'bars', counts.granted), ...ends.reverse()];
}

/** Whether the legend lists this kind even when its count is zero. */
const isUsual = ({ on_exhausted }: Pool, kind: Kind): boolean =>
  kind === 'released' || kind === 'expired' || (kind === 'evicted' && on_exhausted === 'evict_oldest');

const sum = (column: readonly number[]): number => column.reduce((a, b) => a + b, 0);

const isQuiet = ({ counts }: Series): boolean =>
  sum(counts.granted) + sum(ENDS.flatMap(({ kind }) => counts[kind])) === 0;

function flowSummary({ counts }: Series): string {
  const ends = ENDS.map(({ kind, label }) => `${label.toLowerCase()} ${number(sum(counts[kind]))}`);
  return `Granted ${number(sum(counts.granted))}, ${ends.join(', ')}.`;
}

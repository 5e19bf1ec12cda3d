// The aims, and the bounds at which a short run fails. The bounds are far from the aims, so that only a gross
// regression fails the run, not a busy machine.

import type { Quantiles } from '../harness/numbers.js';
import type { BenchResult } from './result.js';
import { ratio, ratioOf } from './rounds.js';
import * as http from './sections/http.js';
import * as line from './sections/line.js';
import * as inProcess from './sections/process.js';
import * as release from './sections/release.js';
import type { SweepRow } from './sections/sweep.js';
import * as things from './sections/things.js';

export interface Reached {
  readonly what: string;
  /** undefined without a measurement */
  readonly value: number | undefined;
  readonly bound: 'at least' | 'at most';
  /** undefined for a value without an aim */
  readonly aim?: number;
  /** The bound of a gross regression; undefined where it depends on the machine. */
  readonly gross?: number;
  /** The median, which decides about a gross regression where the value is a p99, which one slow write may double. */
  readonly typical?: number | undefined;
  readonly unit?: string;
}

export function reach(result: BenchResult): Reached[] {
  const { scale, sweep, soak, audit } = result;
  const ofHttp = (below: string, at: number) => result.http && ratio(result.http.result.rows, http.SERVICE, below, at);
  const ofProcess = result.process?.result;
  const ofThings = result.things?.result;
  const ofLine = result.line?.result;
  const rateAt100 = ofProcess?.rows.find(({ what, at }) => what === inProcess.ALLOCATE && at === 100)?.rate;
  const pages = scale?.result.pages.filter(({ what, limit }) => what !== 'feed' && limit === 100) ?? [];
  const mostRows = Math.max(...pages.map(({ rows }) => rows));
  const slowest = slowestOf(pages.filter(({ rows }) => rows === mostRows));
  const largestPool = scale?.result.poolSizes.at(-1);
  const smallestPool = scale?.result.poolSizes[0];
  const ofSizes = largestPool && smallestPool && ratioOf(largestPool, smallestPool);
  const measured = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? undefined : value);
  const rows: Reached[] = [
    {
      what: 'HTTP allocate at 64 connections / the no-op route of the same app',
      value: ofHttp(http.NO_OP, 64),
      bound: 'at least',
      aim: 0.85,
      gross: 0.2,
    },
    {
      what: 'HTTP allocate at 64 connections / bare Express',
      value: ofHttp(http.EXPRESS, 64),
      bound: 'at least',
      aim: 0.65,
      gross: 0.1,
    },
    {
      what: 'HTTP allocate at 1 connection / no-op at 1',
      value: ofHttp(http.NO_OP, 1),
      bound: 'at least',
      aim: 0.35,
      gross: 0.02,
    },
    {
      what: 'HTTP allocate / etcd transaction at 64 connections',
      value: ofHttp(http.ETCD_TXN, 64),
      bound: 'at least',
      aim: 1,
    },
    {
      what: 'HTTP allocate / etcd transaction at 1 connection',
      value: ofHttp(http.ETCD_TXN, 1),
      bound: 'at least',
      aim: 0.6,
    },
    {
      what: 'HTTP allocate / etcd transaction at 8 connections',
      value: ofHttp(http.ETCD_TXN, 8),
      bound: 'at least',
      aim: 1,
    },
    {
      what: 'HTTP allocate / etcd transaction at 256 connections',
      value: ofHttp(http.ETCD_TXN, 256),
      bound: 'at least',
      aim: 1,
    },
    {
      what: 'in-process allocations, 100 callers, full pool of 100',
      value: rateAt100,
      bound: 'at least',
      aim: 20_000,
      unit: '/s',
      gross: 1500,
    },
    {
      what: 'the same / batches of one',
      value: ofProcess && ratio(ofProcess.rows, inProcess.ALLOCATE, inProcess.ALLOCATE + inProcess.ALONE, 100),
      bound: 'at least',
      aim: 10,
      gross: 3,
    },
    ...[64, 1].map((at): Reached => ({
      what: `HTTP allocate at ${at} connection${at === 1 ? '' : 's'}, without keys / the last release`,
      value: result.release && ratio(result.release.result.rows, release.THIS_VERSION, release.RELEASED, at),
      bound: 'at least',
      aim: 0.97,
      gross: 0.5,
    })),
    {
      what: `pool of ${named(largestPool?.at)} / pool of 100, allocate throughput`,
      value: ofSizes,
      bound: 'at least',
      aim: 0.8,
      gross: 0.25,
    },
    {
      what: 'allocate p99 in another pool during the 10,000-lease sweep / quiet',
      value: sweep?.result.rows[0]?.ratio,
      bound: 'at most',
      aim: 3,
      gross: 30,
      typical: slowedDown(sweep?.result.rows[0]),
    },
    {
      what: 'the same, in the pool that is swept',
      value: sweep?.result.rows[1]?.ratio,
      bound: 'at most',
      aim: 3,
      gross: 30,
      typical: slowedDown(sweep?.result.rows[1]),
    },
    {
      what: `events or history page, ${named(mostRows)} rows, p99 in the database`,
      value: Number.isFinite(slowest.p99) ? slowest.p99 : undefined,
      bound: 'at most',
      aim: 10,
      unit: ' ms',
      gross: 60,
      typical: slowest.p50,
    },
    {
      what: 'audit of a million events, at the rate of the slowest',
      value: audit && Math.max(...audit.result.pools.map(({ events, seconds }) => (seconds / events) * 1e6)),
      bound: 'at most',
      aim: 10,
      unit: ' s',
      gross: 100,
    },
    {
      what: 'RSS under load after the soak',
      value: soak?.result.samples.at(-1)?.rssMb,
      bound: 'at most',
      aim: 200,
      unit: ' MB',
      gross: 400,
    },
    // A process still grows in its first minute, so the slope of a short run says nothing.
    {
      what: 'and flat: growth in the second half of the soak, a minute',
      value: soak?.about.isShort ? undefined : soak?.result.slopes.rssMb,
      bound: 'at most',
      aim: 1,
      unit: ' MB',
    },
    {
      what: 'allocate in a listed pool / in a fixed one, over HTTP',
      value: ofThings && ratio(ofThings.overHttp, things.LISTED, things.PLAIN, 64),
      bound: 'at least',
      aim: 0.9,
      gross: 0.4,
    },
    {
      what: 'allocate with a selection of a tenth / without, over HTTP',
      value: ofThings && ratio(ofThings.overHttp, things.MANY, things.LISTED, 64),
      bound: 'at least',
      aim: 0.7,
      gross: 0.1,
    },
    {
      what: `import of ${named(ofThings?.things)} things`,
      value: ofThings && Math.max(...ofThings.importSeconds),
      bound: 'at most',
      aim: 5,
      unit: ' s',
      gross: 60,
    },
    {
      what: `grant through the line while ${named(ofLine?.waiting)} wait / while few do, 64 callers`,
      value: ofLine && ratio(ofLine.rows, line.MANY, line.FEW, 64),
      bound: 'at least',
      aim: 0.9,
      gross: 0.2,
    },
    {
      what: `grant through the line while ${named(ofLine?.waiting)} wait / grant while nobody does, 64 callers`,
      value: ofLine && ratio(ofLine.rows, line.MANY, line.NOBODY, 64),
      bound: 'at least',
      gross: 0.2,
    },
    {
      what: 'grant in a pool with a line, while nobody waits / in one without, 64 callers',
      value: ofLine && ratio(ofLine.rows, line.NOBODY, line.NO_LINE, 64),
      bound: 'at least',
      gross: 0.2,
    },
    {
      what: 'answer to a request that waits, after a release in another process, p99',
      value: ofLine?.wake.p99,
      bound: 'at most',
      aim: 150,
      unit: ' ms',
      gross: 1000,
      typical: ofLine?.wake.p50,
    },
    // These are promises: a single wrong answer is too many.
    {
      what: 'grants of a full pool of 100 that evicted nobody, beyond the first 100',
      value: result.http && result.http.result.grantsWithoutEviction - 100,
      bound: 'at most',
      aim: 0,
      gross: 0,
    },
    {
      what: 'wrong answers to callers at once',
      value: ofProcess && wrong(ofProcess.faults),
      bound: 'at most',
      aim: 0,
      gross: 0,
    },
  ];
  return rows.map((row) => ({ ...row, value: measured(row.value) })).filter(({ value }) => value !== undefined);
}

export const isReached = ({ value = NaN, bound, aim = NaN }: Reached): boolean =>
  bound === 'at least' ? value >= aim : value <= aim;

export const isGross = ({ value = NaN, typical = value, bound, gross }: Reached): boolean =>
  gross !== undefined && (bound === 'at least' ? typical < gross : typical > gross);

const slowedDown = (row: SweepRow | undefined): number | undefined => row && row.meanwhile.p50 / row.quiet.p50;

const slowestOf = (reads: readonly { readonly inDatabase: Quantiles }[]): Quantiles => ({
  p50: Math.max(...reads.map(({ inDatabase }) => inDatabase.p50)),
  p99: Math.max(...reads.map(({ inDatabase }) => inDatabase.p99)),
});

const wrong = (faults: inProcess.ProcessResult['faults']): number =>
  faults
    .filter(({ what }) => what === inProcess.ALLOCATE)
    .reduce((sum, one) => sum + (one.grantedTwice ?? 0) + (one.freshLeasesLost ?? 0) + one.falselyNone, 0);

export function named(count = NaN): string {
  if (count >= 1e6) return `${count / 1e6} million`;
  return count >= 1e4 ? `${count / 1e3} thousand` : String(count);
}

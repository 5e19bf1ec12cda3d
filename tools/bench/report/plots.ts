// The plots of the page, each a file.

import type { BenchResult } from '../result.js';
import type { Row } from '../rounds.js';
import * as inProcess from '../sections/process.js';
import { bars, lines } from '../../harness/svg.js';

export interface Plot {
  readonly file: string;
  readonly alt: string;
  readonly svg: string;
}

export const PLOTS: { [Name in keyof BenchResult]: (result: NonNullable<BenchResult[Name]>['result']) => Plot[] } = {
  http: ({ rows }) => [drawn('http-rates', ratesOf('Over HTTP', rows, 'connections'))],
  process: ({ rows }) => {
    const allocations = rows.filter(
      ({ what }) => what.startsWith(`${inProcess.ALLOCATE},`) || what === inProcess.ALLOCATE,
    );
    return [drawn('process-rates', ratesOf('Allocations in the process', allocations, 'callers'))];
  },
  sweep: ({ rows }) => [
    drawn('sweep-p99', {
      title: 'p99 of allocate while 10,000 leases are swept',
      unit: 'ms',
      groups: rows.map(({ what }) => what),
      series: [
        { name: 'quiet', values: rows.map(({ quiet }) => quiet.p99) },
        { name: 'meanwhile', values: rows.map(({ meanwhile }) => meanwhile.p99) },
      ],
    }),
  ],
  soak: ({ samples, snapshot }) => {
    const over = (y: (sample: (typeof samples)[0]) => number) =>
      samples.map((sample) => ({ x: sample.at, y: y(sample) }));
    const held = snapshot.rates.filter(({ phase }) => phase === 'during').map(({ at }) => at);
    return [
      {
        file: 'soak-memory.svg',
        alt: 'Memory of the service under load',
        svg: lines({
          title: 'Memory of the service under load',
          unit: 'MB',
          timeUnit: 'seconds',
          series: [
            { name: 'RSS', points: over(({ rssMb }) => rssMb) },
            { name: 'heap', points: over(({ heapMb }) => heapMb) },
          ],
        }),
      },
      {
        file: 'soak-rate.svg',
        alt: 'Allocations a second under load',
        svg: lines({
          title: 'Allocations under load',
          unit: 'answers a second',
          timeUnit: 'seconds',
          series: [{ name: 'allocate, 64 connections', points: over(({ rate }) => rate) }],
        }),
      },
      {
        file: 'snapshot-rate.svg',
        alt: 'Allocations a second while another session holds a snapshot',
        svg: lines({
          title: 'Allocations while another session holds a snapshot',
          unit: 'answers a second',
          timeUnit: 'seconds',
          series: [
            { name: 'allocate, 64 connections', points: snapshot.rates.map(({ at, rate }) => ({ x: at, y: rate })) },
          ],
          band: { from: (held[0] ?? 0) - 1, to: held.at(-1) ?? 0, name: 'snapshot held' },
        }),
      },
    ];
  },
};

function drawn(name: string, plot: Parameters<typeof bars>[0]): Plot {
  return { file: `${name}.svg`, alt: `${plot.title}, ${plot.unit}`, svg: bars(plot) };
}

function ratesOf(title: string, rows: readonly Row[], unit: string): Parameters<typeof bars>[0] {
  const ats = [...new Set(rows.map(({ at }) => at))];
  const whats = [...new Set(rows.map(({ what }) => what))];
  const rate = (what: string, at: number) => rows.find((row) => row.what === what && row.at === at)?.rate ?? NaN;
  return {
    title,
    unit: 'a second',
    groups: ats.map((at) => `${at} ${unit}`),
    series: whats.map((what) => ({ name: what, values: ats.map((at) => rate(what, at)) })),
  };
}

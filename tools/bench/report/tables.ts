// The tables of each section, ratios first.

import type { BenchResult, Results } from '../result.js';
import { isReached, named, reach } from '../reach.js';
import { ratio, ratioOf, type Row } from '../rounds.js';
import * as http from '../sections/http.js';
import * as inLine from '../sections/line.js';
import * as inProcess from '../sections/process.js';
import * as release from '../sections/release.js';
import type { Sample } from '../sections/soak.js';
import * as inThings from '../sections/things.js';
import { number, percent, type Table } from '../../harness/table.js';

export const reachTable = (result: BenchResult): Table => ({
  title: 'Aims',
  head: ['what', 'aim', 'measured', 'reached'],
  rows: reach(result).flatMap((row) => {
    const { what, bound, aim, value = NaN, unit = '' } = row;
    return aim === undefined
      ? []
      : [[what, `${bound} ${number(aim)}${unit}`, number(value) + unit, isReached(row) ? 'yes' : 'no']];
  }),
});

export const TABLES: { [Name in keyof Results]: (result: Results[Name]) => Table[] } = {
  http: ({ rows, cpu, profiles, etcd }) => [
    ratios('Allocate over HTTP to the others (rates; median of the rounds)', rows, http.SERVICE, 'connections'),
    rates('Answers a second (p50 / p99 in ms)', rows, 'connections', etcd ? undefined : 'etcd is not installed here.'),
    ...(cpu
      ? [
          {
            title: 'Processor time of an allocation at 64 connections',
            head: ['process', 'µs'],
            rows: [
              ['client (this bench)', number(cpu.client)],
              ['server (Node)', number(cpu.server)],
              ['PostgreSQL', cpu.postgres === null ? '–' : number(cpu.postgres)],
            ],
          },
        ]
      : []),
    ...profiles.map(({ connections, summary }): Table => ({
      title: `What the server does at ${counted(connections, 'connections')} (profile)`,
      head: ['where', 'share of the time'],
      rows: [
        ['idle: waits for the database or for the client', percent(summary.idle)],
        ...summary.packages.slice(0, 14).map(({ name, share }) => [name, percent(share)]),
      ],
      note: `By function: ${summary.functions
        .slice(0, 14)
        .map(({ name, share }) => `\`${name}\` ${percent(share)}`)
        .join(', ')}.`,
    })),
  ],

  process: ({ rows, faults, falselyNone, refused, anatomy }) => [
    ...[inProcess.ALLOCATE, inProcess.PAIR, inProcess.KEEP_ALIVE].map((what) =>
      ratios(`In the process: ${what} to the others`, ofKind(rows, what), what, 'callers'),
    ),
    rates('Commands a second (p50 / p99 in ms)', rows, 'callers'),
    {
      title: 'Wrong answers',
      head: ['what', 'tokens', 'callers at once', 'answers', 'token granted twice', 'fresh lease lost', 'false “none”'],
      rows: faults.map((one) => [
        one.what,
        String(one.tokens),
        String(one.callers),
        number(one.callers * one.bursts),
        number(one.grantedTwice ?? NaN),
        number(one.freshLeasesLost ?? NaN),
        number(one.falselyNone),
      ]),
      note: `While its rate was measured, SKIP LOCKED answered “none” ${number(falselyNone)} times although there were tokens, and tried ${number(refused)} times to end a lease that was over, which only the audit's index refused.`,
    },
    ...(anatomy ?? []).map(({ callers, p50, commandsPerTransaction, steps }): Table => ({
      title: `A transaction in the database, ${counted(callers, 'callers')} (its own log)`,
      head: ['step', 'ms on average'],
      rows: steps.map(({ step, milliseconds }) => [step, milliseconds.toFixed(3)]),
      note: `${number(commandsPerTransaction)} commands a transaction; each is answered after ${number(p50)} ms (p50).`,
    })),
  ],

  release: ({ version, rows }) => [
    ratios(`Allocate over HTTP, this version to ${version}`, rows, release.THIS_VERSION, 'connections'),
    rates('Answers a second (p50 / p99 in ms)', rows, 'connections'),
    times(rows, 'connections'),
  ],

  scale: ({ poolSizes, auditSizes, pages, manyPools, processes }) => [
    growth('Allocations a second, 100 callers', 'tokens in the pool', poolSizes),
    growth('Allocations a second, 100 callers, a pool of 100', 'events in the audit', auditSizes),
    {
      title: 'Pages anywhere in the audit, in ms',
      head: ['page', 'rows in the audit', 'page size', 'p50 in the database', 'p99', 'p50 for the caller', 'p99'],
      rows: pages.map(({ what, rows, limit, inDatabase, forCaller }) => [
        what,
        named(rows),
        String(limit),
        ...[inDatabase.p50, inDatabase.p99, forCaller.p50, forCaller.p99].map(number),
      ]),
    },
    growth('Allocations a second, 1,000 callers', 'pools', manyPools),
    growth('Allocations a second over HTTP, 64 connections', 'API processes', processes),
  ],

  things: ({ things, rows, overHttp, importSeconds, againSeconds }) => [
    ratios(`Allocations of ${number(things)} things to those of a fixed pool`, rows, inThings.PLAIN, 'callers'),
    rates('Allocations a second (p50 / p99 in ms)', rows, 'callers'),
    ratios('The same over HTTP', overHttp, inThings.PLAIN, 'connections'),
    rates('Allocations a second over HTTP (p50 / p99 in ms)', overHttp, 'connections'),
    {
      title: `Imports of ${number(things)} things, 1,000 in a request, in seconds`,
      head: ['what', ...importSeconds.map((_, round) => `round ${round + 1}`)],
      rows: [
        ['all are new', ...importSeconds.map((seconds) => seconds.toFixed(2))],
        ['nothing changes', ...againSeconds.map((seconds) => seconds.toFixed(2))],
      ],
    },
  ],

  line: ({ waiting, rows, wake, held }) => [
    ratios(`Grants while ${number(waiting)} wait to grants while fewer do`, rows, inLine.MANY, 'callers'),
    ratios(
      'Grants in a pool with a line, while nobody waits, to those in one without',
      rows.filter(({ what }) => what === inLine.NO_LINE || what === inLine.NOBODY),
      inLine.NOBODY,
      'callers',
    ),
    rates('Grants a second (p50 / p99 in ms)', rows, 'callers'),
    {
      title: `Answers to ${number(wake.count)} requests that wait, after a release in another process`,
      head: ['p50, ms', 'p99, ms'],
      rows: [[number(wake.p50), number(wake.p99)]],
    },
    {
      title: `A process while ${number(held.requests)} requests wait`,
      head: ['', 'before, MB', 'meanwhile, MB', 'kB a request'],
      rows: [memory('RSS', held.requests, held.rssMb), memory('heap', held.requests, held.heapMb)],
    },
  ],

  sweep: ({ leases, callers, rows }) => [
    {
      title: `${number(leases)} leases due in the same second, ${callers} callers that allocate`,
      head: [
        'what',
        'p99 meanwhile / quiet',
        'all written down after',
        'quiet p50 / p99, ms',
        'meanwhile p50 / p99, ms',
      ],
      rows: rows.map(({ what, ratio, seconds, quiet, meanwhile }) => [
        what,
        number(ratio),
        `${number(seconds)} s`,
        `${number(quiet.p50)} / ${number(quiet.p99)}`,
        `${number(meanwhile.p50)} / ${number(meanwhile.p99)}`,
      ]),
    },
  ],

  audit: ({ pools }) => [
    {
      title: 'A pool audited: all events read, every rule checked, the fold compared with the tables',
      head: ['events', 'tokens in the pool', 'seconds', 'events a second', 'seconds without the chain'],
      rows: pools.map(({ events, tokens, seconds, secondsWithoutChain }) => [
        named(events),
        named(tokens),
        number(seconds),
        number(events / seconds),
        number(secondsWithoutChain),
      ]),
    },
  ],

  soak: ({ seconds, connections, samples, slopes, snapshot }) => [
    soakTable(seconds, connections, samples),
    {
      title: 'Slopes over the second half, a minute',
      head: ['RSS', 'handles', 'rate'],
      rows: [[`${number(slopes.rssMb)} MB`, number(slopes.handles), `${number(slopes.rate)}/s`]],
    },
    {
      title: `A snapshot held in another session for ${snapshot.seconds} s: answers a second`,
      head: ['before', 'at its end', 'after it'],
      rows: [[number(snapshot.before), number(snapshot.during), number(snapshot.after)]],
    },
  ],
};

function ratios(title: string, rows: readonly Row[], what: string, unit: string): Table {
  const ats = atsOf(rows);
  const others = whatsOf(rows).filter((other) => other !== what);
  return {
    title,
    head: [`${what} / …`, ...ats.map((at) => counted(at, unit))],
    rows: others.map((other) => [other, ...ats.map((at) => number(ratio(rows, what, other, at)))]),
  };
}

const memory = (what: string, requests: number, [before, meanwhile]: readonly [number, number]): string[] => [
  what,
  number(before),
  number(meanwhile),
  number(((meanwhile - before) * 1024) / requests),
];

const times = (rows: readonly Row[], unit: string): Table => ({
  title: 'Processor time of an allocation, µs: Node / PostgreSQL',
  head: ['', ...atsOf(rows).map((at) => counted(at, unit))],
  rows: whatsOf(rows).map((what) => [
    what,
    ...rows
      .filter((row) => row.what === what)
      .map(({ cpu }) => `${number(cpu?.server ?? NaN)} / ${number(cpu?.postgres ?? NaN)}`),
  ]),
});

const whatsOf = (rows: readonly Row[]): string[] => [...new Set(rows.map(({ what }) => what))];

/** The numbers of connections, callers or tokens of the rows. */
const atsOf = (rows: readonly Row[]): number[] => [...new Set(rows.map(({ at }) => at))];

const counted = (count: number, units: string): string =>
  `${number(count)} ${count === 1 ? units.slice(0, -1) : units}`;

/** The comparable rows: all that do the same work. */
const ofKind = (rows: readonly Row[], kind: string): Row[] =>
  rows.filter(({ what }) => what === kind || what.startsWith(`${kind},`));

function rates(title: string, rows: readonly Row[], unit: string, note?: string): Table {
  const ats = atsOf(rows);
  const cell = (what: string, at: number): string => {
    const row = rows.find((one) => one.what === what && one.at === at);
    if (!row) return '–';
    const refused = row.refused > 0 ? `, ${row.refused} refused` : '';
    return `${number(row.rate)} (${number(row.p50)} / ${number(row.p99)}${refused})`;
  };
  const head = ['', ...ats.map((at) => counted(at, unit))];
  return {
    title,
    head,
    rows: whatsOf(rows).map((what) => [what, ...ats.map((at) => cell(what, at))]),
    ...(note && { note }),
  };
}

const growth = (title: string, of: string, rows: readonly Row[]): Table => ({
  title,
  head: [of, 'to the first', 'a second', 'p50, ms', 'p99, ms'],
  rows: rows.map((row) => [
    named(row.at),
    number(ratioOf(row, rows[0] as Row)),
    number(row.rate),
    number(row.p50),
    number(row.p99),
  ]),
});

function soakTable(seconds: number, connections: number, samples: readonly Sample[]): Table {
  const shown = [0, 0.25, 0.5, 0.75, 1].map((share) => samples[Math.round(share * (samples.length - 1))] as Sample);
  const hot = ({ tables }: Sample, name: string): string => {
    const { updates = 0, hotUpdates = 0 } = tables[name] ?? {};
    return percent(hotUpdates / updates);
  };
  const row = (what: string, of: (sample: Sample) => string): string[] => [what, ...shown.map(of)];
  const sizes = ['pools', 'tokens', 'token_events'].map((name) =>
    row(`${name}: table + indexes, MB`, ({ tables }) => {
      const { tableMb = NaN, indexMb = NaN } = tables[name] ?? {};
      return `${number(tableMb)} + ${number(indexMb)}`;
    }),
  );
  return {
    title: `Soak: ${seconds} s, ${connections} connections that allocate`,
    head: ['', ...shown.map(({ at }) => `${at.toFixed(0)} s`)],
    rows: [
      row('answers a second', ({ rate }) => number(rate)),
      row('p99, ms', ({ p99 }) => number(p99)),
      row('RSS, MB', ({ rssMb }) => number(rssMb)),
      row('heap, MB', ({ heapMb }) => number(heapMb)),
      row('handles', ({ handles }) => String(handles)),
      ...sizes,
      row('dead rows: pools, tokens', ({ tables }) => `${tables['pools']?.deadRows}, ${tables['tokens']?.deadRows}`),
      row('HOT updates: pools', (sample) => hot(sample, 'pools')),
      row('HOT updates: tokens', (sample) => hot(sample, 'tokens')),
    ],
  };
}

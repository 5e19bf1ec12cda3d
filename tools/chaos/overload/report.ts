// The promises about overload, and the figures.

import { number, percent, type Table } from '../../harness/table.js';
import type { OverloadResult, Phase, StormPhase } from './overload.js';
import { shareOf, type Figures } from './tally.js';

const GOODPUT_SHARE = 0.8;
const FAST_REFUSAL_MS = 1000;
const MOST_MEGABYTES = 500;

interface Judged {
  readonly promise: string;
  readonly allowed: string;
  readonly measured: string;
  readonly isKept: boolean;
}

export const isAsPromised = (result: OverloadResult): boolean => judged(result).every(({ isKept }) => isKept);

export const overloadTables = (result: OverloadResult): Table[] => [promises(result), phases(result)];

const promises = (result: OverloadResult): Table => ({
  title: 'What was promised',
  head: ['promise', 'allowed', 'measured', 'kept'],
  rows: judged(result).map(({ promise, allowed, measured, isKept }) => [
    promise,
    allowed,
    measured,
    isKept ? 'yes' : 'NO',
  ]),
});

function judged({ calm, storms }: OverloadResult): Judged[] {
  const peak = (calm[0] as Phase).storm.goodputPerSecond;
  return storms.flatMap(({ name, storm, holders, megabytes }) => {
    const share = storm.goodputPerSecond / peak;
    const [rest, allocates] = [shareOf(holders.rest), shareOf(holders.allocates)];
    return [
      {
        promise: `${name}: grants of those at the peak`,
        allowed: `at least ${percent(GOODPUT_SHARE)}`,
        measured: percent(share),
        isKept: share >= GOODPUT_SHARE,
      },
      {
        promise: 'a refusal of a request that did not come too soon is quick (p99) …',
        allowed: `${number(FAST_REFUSAL_MS)} ms`,
        measured: storm.refusedPerSecond === 0 ? 'none' : `${number(storm.refusedMs.p99)} ms`,
        isKept: storm.refusedPerSecond === 0 || storm.refusedMs.p99 <= FAST_REFUSAL_MS,
      },
      {
        promise: '… and says when to come back: refusals without `Retry-After`',
        allowed: '0',
        measured: number(storm.withoutRetryAfter),
        isKept: storm.withoutRetryAfter === 0,
      },
      {
        promise: 'requests that are lost, or answered with something else',
        allowed: '0',
        measured: number(storm.lost + storm.others),
        isKept: storm.lost + storm.others === 0,
      },
      {
        promise: 'memory of the service is bounded',
        allowed: `${MOST_MEGABYTES} MB`,
        measured: `${number(Math.round(megabytes))} MB`,
        isKept: megabytes <= MOST_MEGABYTES,
      },
      {
        promise: 'release and keep-alive go before allocate: done, of those that the same people asked for',
        allowed: 'a larger share',
        measured: `${percent(rest)} to ${percent(allocates)}`,
        isKept: rest > allocates || rest === 1,
      },
    ];
  });
}

function phases({ calm, storms, afterwards, cores, seconds }: OverloadResult): Table {
  const all: (Phase & Partial<StormPhase>)[] = [...calm, ...storms];
  const row = (what: string, cell: (phase: (typeof all)[number]) => string): string[] => [what, ...all.map(cell)];
  const pair = ({ p50, p99 }: { p50: number; p99: number }): string => `${number(p50)} / ${number(p99)}`;
  const ofHolders = (figures: Figures | undefined): string =>
    figures ? `${percent(shareOf(figures))}, ${pair(figures.goodMs)}` : '–';
  return {
    title: 'What was measured',
    head: ['', ...all.map(({ name }) => name)],
    rows: [
      row('grants a second', ({ storm }) => number(Math.round(storm.goodputPerSecond))),
      row('p50 / p99, ms', ({ storm }) => pair(storm.goodMs)),
      row('requests a second that were to be sent', ({ offeredPerSecond: rate }) =>
        rate === null ? '–' : number(Math.round(rate)),
      ),
      row('that could be sent', ({ sentPerSecond }) => number(Math.round(sentPerSecond))),
      row('of those answered: 503', ({ storm }) => percent(1 - shareOf(storm))),
      row('p50 / p99 of a 503, ms', ({ storm }) => (storm.refusedPerSecond === 0 ? '–' : pair(storm.refusedMs))),
      row('to a request sooner than `Retry-After` said', ({ storm }) =>
        storm.tooSoonMs.p99 === 0 ? '–' : pair(storm.tooSoonMs),
      ),
      row('keep-alive and release of 50 holders: done, p50 / p99 ms', ({ holders }) => ofHolders(holders?.rest)),
      row('allocate of the same holders: done, p50 / p99 ms', ({ holders }) => ofHolders(holders?.allocates)),
      row('memory of the service at most, MB', ({ megabytes }) => number(Math.round(megabytes))),
      row(`processor time, of ${cores} cores: service`, ({ cpu }) => percent(cpu.service)),
      row('PostgreSQL', ({ cpu }) => percent(cpu.database)),
      row('the generator of the storm', ({ cpu }) => percent(cpu.generator)),
    ],
    note:
      `${seconds} s each. ${number(Math.round(afterwards))} grants a second afterwards, at 64 connections. ` +
      'The generator is a process of its own that steps back for the others (nice 10); each of its connections has one request under way, so what cannot be sent is what all of them wait for.',
  };
}

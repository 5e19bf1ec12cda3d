// The tables of a run: the promises, the faults, the operations and the verdict.

import { number, type Table } from '../../harness/table.js';
import { median } from '../../harness/numbers.js';
import { REVOKED_NS } from '../check/access.js';
import { RULES, type Rule } from '../check/finding.js';
import { ANSWERED_NS, BLOCKED_MARGIN_NS, BLOCKED_NS, RECOVERY_NS } from '../check/service-check.js';
import { countOf, type RunSummary } from './summary.js';

export const tablesOf = (summary: RunSummary): Table[] => [
  promises(summary),
  faults(summary),
  operations(summary),
  ...(summary.line ? [line(summary.line, summary.findings)] : []),
  ...(summary.upkeep ? [upkeep(summary.upkeep)] : []),
  verdict(summary),
];

/** The rules of safety, which do not depend on how long anything takes. */
const SAFETY = [
  'audit',
  'answered',
  'refused',
  'unasked',
  'actor',
  'access',
  'fair',
  'order',
  'read',
  'line',
  'upkeep',
  'time',
] as const satisfies Rule[];

function promises(summary: RunSummary): Table {
  const { findings, recoveries, blocked, endings, longestAnswer, revocations = [] } = summary;
  const recovery = Math.max(0, ...summary.faults.flatMap((fault) => fault.recovery?.most ?? []));
  const kept = (...rules: Rule[]): string => (rules.every((rule) => !findings[rule]) ? 'yes' : 'NO');
  const unless = (isMeasured: boolean, cell: string): string => (isMeasured ? cell : '–');
  return {
    title: 'What was promised',
    head: ['promise', 'allowed', 'measured', 'kept'],
    rows: [
      [
        'After a fault, until every process serves every pool again, without a restart',
        `at most ${seconds(RECOVERY_NS / 1e9)}`,
        unless(recoveries > 0, `${seconds(recovery)} at most`),
        unless(recoveries > 0, kept('recovery')),
      ],
      [
        'What a process that is stopped costs a command to another one',
        `at most ${seconds(BLOCKED_NS / 1e9)}, and up to ${seconds(BLOCKED_MARGIN_NS / 1e9)} on the way`,
        unless(blocked.length > 0, `${seconds(Math.max(...blocked))} at most, p50 ${seconds(median(blocked))}`),
        unless(blocked.length > 0, kept('blocked')),
      ],
      [
        'SIGTERM under load: accepted requests that fail',
        '0',
        unless(endings.times > 0, `${endings.failed} of ${number(endings.answered + endings.failed)}`),
        unless(endings.times > 0, kept('process')),
      ],
      [
        'Until any request is answered, whatever is broken',
        `at most ${seconds(ANSWERED_NS / 1e9)}`,
        `${seconds(longestAnswer)} at most`,
        kept('contract'),
      ],
      [
        'A key that is revoked, until no process serves it',
        `at most ${seconds(REVOKED_NS / 1e9)}`,
        unless(revocations.length > 0, `${seconds(Math.max(...revocations))} at most, of ${revocations.length} keys`),
        unless(revocations.length > 0, kept('access')),
      ],
      [
        'Broken invariants; answers that audit and history contradict',
        '0',
        number(SAFETY.reduce((sum, rule) => sum + (findings[rule] ?? 0), 0)),
        kept(...SAFETY),
      ],
    ],
    ...(endings.turnedAway > 0 && {
      note: `${number(endings.turnedAway)} requests reached a process as it closed the door: reset unread, without effect.`,
    }),
  };
}

const faults = ({ faults }: RunSummary): Table => ({
  title: 'Faults, and how long until every process served every pool again',
  head: ['fault', 'times', 'of these with another', 'p50', 'longest'],
  rows: faults.map(({ name, times, paired, recovery }) => [
    name,
    number(times),
    number(paired),
    recovery ? seconds(recovery.p50) : '–',
    recovery ? seconds(recovery.most) : '–',
  ]),
});

const operations = ({ operations, events }: RunSummary): Table => ({
  title: 'Operations, and what came of them',
  head: [
    'operation',
    'asked',
    'done',
    'refused by a rule',
    '503, nothing changed',
    'nobody listened',
    'outcome unknown',
  ],
  rows: [...operations, totalOf(operations)].map((one) => [
    one.name,
    ...[one.all, one.done, one.refused, one.unavailable, one.notSent, one.unknown].map(number),
  ]),
  note: `Events in the audit: ${events.map(({ pool, events: count }) => `${pool} ${number(count)}`).join(', ')}.`,
});

const line = (
  { waits, places, offers, lateByFaults, idleSeconds }: NonNullable<RunSummary['line']>,
  { line: findings = 0 }: RunSummary['findings'],
): Table => ({
  title: 'The line',
  head: [
    'waits',
    'places',
    'served',
    'passed, lost, served twice or later than promised',
    'later by faults',
    'longest unclaimed',
  ],
  rows: [[number(waits), number(places), number(offers), number(findings), number(lateByFaults), seconds(idleSeconds)]],
  note: 'Each wait is for one to three tokens at once. Later by faults: an offer that came after its promise, by no more than the faults since its place was taken.',
});

const upkeep = (one: NonNullable<RunSummary['upkeep']>): Table => ({
  title: 'Between two users',
  head: ['grants', 'cleanings', 'clean', 'failed', 'disabled', 'enabled', 'longest with janitors', 'longest without'],
  rows: [
    [
      ...[one.grants, one.cleanings, one.cleaned, one.failed, one.disabled, one.enabled].map(number),
      `${seconds(one.cleanedForSeconds)} of ${seconds(one.mostSeconds)}`,
      seconds(one.waitedSeconds),
    ],
  ],
  note: 'The other leases of janitors were ended by an operator. With janitors: the time for which they had a token until it was clean or disabled; without: the longest wait of a dirty token for one.',
});

const totalOf = (operations: RunSummary['operations']): RunSummary['operations'][number] => {
  const sum = (of: (one: RunSummary['operations'][number]) => number): number =>
    operations.reduce((total, one) => total + of(one), 0);
  return {
    name: 'all',
    all: sum(({ all }) => all),
    done: sum(({ done }) => done),
    refused: sum(({ refused }) => refused),
    unavailable: sum(({ unavailable }) => unavailable),
    notSent: sum(({ notSent }) => notSent),
    unknown: sum(({ unknown }) => unknown),
  };
};

const verdict = (summary: RunSummary): Table => ({
  title: `The checker's verdict: ${number(countOf(summary))} findings`,
  head: ['rule, and what breaks it', 'findings'],
  rows: (Object.keys(summary.findings) as Rule[]).map((rule) => [
    `${rule}: ${RULES[rule]}`,
    number(summary.findings[rule] ?? 0),
  ]),
});

export const seconds = (value: number): string => `${value.toFixed(value < 10 && value % 1 !== 0 ? 2 : 0)} s`;

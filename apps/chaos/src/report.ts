// The summary of a history, for people.

import type { Finding } from './check/finding.js';
import { BLOCKED_MARGIN_NS, BLOCKED_NS, heldUp, RECOVERY_NS, turnedAway } from './check/service-check.js';
import type { History, Operation } from './history.js';
import { isOk, isRefused, isUnknown } from './load/recorder.js';

const SHOWN_PER_RULE = 5;

export function report(history: History, findings: readonly Finding[]): string[] {
  const { run, operations, faults, recoveries, pools } = history;
  const count = (are: (operation: Operation) => boolean): number => operations.filter(are).length;
  const names = [...new Set(faults.map(({ name }) => name))].sort();
  const slowest = Math.max(0, ...recoveries.map(({ ns }) => ns));
  const blocked = faults.flatMap((fault) => heldUp(fault, operations)).map(({ ns }) => ns);
  const events = pools.map(({ setting, events }) => `${setting.name} ${events.length}`);
  return [
    '',
    `seed ${run.seed}, ${run.seconds} s, ${run.processes} processes, ${run.clients} clients, Node ${run.node}, PostgreSQL ${run.postgres}`,
    `operations  ${operations.length}: ${count(isOk)} done, ${count(isRefused)} refused, ${count(isUnknown)} of unknown outcome`,
    ...byCall(operations),
    `events      ${events.join(', ')}`,
    `faults      ${faults.length}`,
    ...names.map((name) => {
      const times = recoveries.filter(({ after }) => after === name).map(({ ns }) => ns / 1e9);
      const served = times.length > 0 ? `served again after ${Math.max(...times).toFixed(2)} s at most` : '';
      return `  ${name.padEnd(24)} ${String(faults.filter((fault) => fault.name === name).length).padStart(3)}  ${served}`;
    }),
    ...run.skipped.map((reason) => `  skipped: ${reason}`),
    `recovery    ${(slowest / 1e9).toFixed(2)} s at most (allowed ${RECOVERY_NS / 1e9} s)`,
    ...(blocked.length > 0
      ? [
          `blocked     ${(maximum(blocked) / 1e9).toFixed(2)} s at most by a stopped process ` +
            `(allowed ${BLOCKED_NS / 1e9} s, and ${BLOCKED_MARGIN_NS / 1e9} s for a busy machine)`,
        ]
      : []),
    `turned away ${turnedAway(history).length} requests that reached a process as it ended (reset unread, without effect)`,
    `findings    ${findings.length}`,
    ...[...new Set(findings.map(({ rule }) => rule))].flatMap((rule) => {
      const those = findings.filter((finding) => finding.rule === rule);
      const more = those.length - SHOWN_PER_RULE;
      return [
        ...those.slice(0, SHOWN_PER_RULE).map(({ what }) => `  ${rule}: ${what}`),
        ...(more > 0 ? [`  ${rule}: and ${more} more`] : []),
      ];
    }),
  ];
}

function byCall(operations: readonly Operation[]): string[] {
  const rows = new Map<string, { all: number; ok: number; unknown: number; errors: Map<string, number> }>();
  for (const operation of operations) {
    const row = rows.get(operation.call.do) ?? { all: 0, ok: 0, unknown: 0, errors: new Map<string, number>() };
    rows.set(operation.call.do, row);
    row.all++;
    if (isOk(operation)) row.ok++;
    else row.errors.set(operation.error ?? '', (row.errors.get(operation.error ?? '') ?? 0) + 1);
    if (isUnknown(operation)) row.unknown++;
  }
  return [...rows].map(([call, { all, ok, errors }]) => {
    const why = [...errors].sort((a, b) => b[1] - a[1]).map(([error, times]) => `${error} ${times}`);
    return `  ${call.padEnd(12)} ${String(all).padStart(7)}, done ${String(ok).padStart(7)}  ${why.join(', ')}`;
  });
}

/** Of more numbers than a call takes arguments. */
const maximum = (numbers: readonly number[]): number => numbers.reduce((most, one) => Math.max(most, one), 0);

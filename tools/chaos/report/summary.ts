// Sums up a history and its findings in figures, for the terminal and the page.

import { median } from '../../harness/numbers.js';
import { revocations } from '../check/access.js';
import { checkLine, type LineFigures } from '../check/line.js';
import { checkUpkeep, longestCleaning, type UpkeepFigures } from '../check/upkeep.js';
import { Wall } from '../check/instants.js';
import { RULES, type Finding, type Rule } from '../check/finding.js';
import { endings, heldUp, type Endings } from '../check/service-check.js';
import type { Fault, History, Operation, Run } from '../history.js';
import { isOk, isRefused, isUnknown } from '../load/recorder.js';

export interface FaultFigures {
  readonly name: string;
  readonly times: number;
  /** How many of them came together with another fault. */
  readonly paired: number;
  /** Seconds until every surviving process served every pool again; null without such a process. */
  readonly recovery: { readonly p50: number; readonly most: number } | null;
}

export interface OperationFigures {
  readonly name: string;
  readonly all: number;
  readonly done: number;
  /** Refusals by a rule: 403, 404, 409, 410. */
  readonly refused: number;
  /** Answers with 503 that changed nothing. */
  readonly unavailable: number;
  /** Requests that were never sent, since no process listened. */
  readonly notSent: number;
  /** Requests without an answer, or with one of unknown outcome. */
  readonly unknown: number;
}

/** The course of a run: counts for each step of some seconds. */
export interface Course {
  readonly step: number;
  /** Successes, and refusals by a rule. */
  readonly answered: readonly number[];
  /** Answers with 503, and missing answers. */
  readonly failed: readonly number[];
  readonly faults: readonly {
    readonly name: string;
    readonly from: number;
    readonly to: number;
    readonly hint: string;
  }[];
}

export interface RunSummary {
  readonly run: Run;
  readonly operations: readonly OperationFigures[];
  readonly events: readonly { readonly pool: string; readonly events: number }[];
  readonly faults: readonly FaultFigures[];
  readonly recoveries: number;
  /** The longest wait for an answer of a process that was not stopped, in seconds. */
  readonly longestAnswer: number;
  /** For each stopped process the longest command to another one, in seconds. */
  readonly blocked: readonly number[];
  readonly endings: Endings;
  /** Seconds for which processes served each key after the answer to its revocation; absent in older results. */
  readonly revocations?: readonly number[];
  /** Absent in older results. */
  readonly line?: LineFigures & { readonly waits: number };
  /** Absent in older results. */
  readonly upkeep?: UpkeepFigures & { readonly mostSeconds: number };
  /** The count of each rule; newer rules are absent in older results. */
  readonly findings: Readonly<Partial<Record<Rule, number>>>;
  /** The first few findings of each rule. */
  readonly examples: readonly Finding[];
  readonly course: Course;
}

const EXAMPLES_PER_RULE = 5;
const STEPS = 300;

export function summarise(history: History, findings: readonly Finding[]): RunSummary {
  const { run, operations, faults, recoveries, pools } = history;
  const rules = Object.keys(RULES) as Rule[];
  const of = (rule: Rule): Finding[] => findings.filter((finding) => finding.rule === rule);
  const line = checkLine(history, new Wall(run, history.end));
  const upkeep = checkUpkeep(history);
  const stopped = faults.filter(({ name }) => name.includes('stop-api'));
  return {
    run,
    operations: operationFigures(operations),
    events: pools.map(({ setting, events }) => ({ pool: setting.name, events: events.length })),
    faults: faultFigures(history),
    recoveries: recoveries.length,
    longestAnswer: seconds(
      most(
        operations
          .filter(({ status, process, sent, answered }) => {
            const isStopped = stopped.some(
              ({ hit, begun, healed }) => hit.includes(process) && sent < healed && answered > begun,
            );
            return status !== null && !isStopped;
          })
          .map(({ sent, answered }) => answered - sent),
      ),
    ),
    blocked: faults.flatMap((fault) => {
      const held = heldUp(fault, operations);
      return held.length === 0 ? [] : [seconds(most(held.map(({ ns }) => ns)))];
    }),
    endings: endings(history),
    revocations: revocations(history),
    ...(upkeep && { upkeep: { ...upkeep.figures, mostSeconds: longestCleaning(history.cleaned!.setting) } }),
    ...(line && { line: { ...line.figures, waits: history.waits.length } }),
    findings: Object.fromEntries(rules.map((rule) => [rule, of(rule).length])),
    examples: rules.flatMap((rule) => of(rule).slice(0, EXAMPLES_PER_RULE)),
    course: courseOf(history),
  };
}

export const countOf = ({ findings }: RunSummary): number =>
  Object.values(findings).reduce((sum, count) => sum + count, 0);

function operationFigures(operations: readonly Operation[]): OperationFigures[] {
  const names = [...new Set(operations.map(({ call }) => call.do))];
  return names.map((name) => {
    const those = operations.filter(({ call }) => call.do === name);
    const count = (is: (operation: Operation) => boolean): number => those.filter(is).length;
    const done = count(isOk);
    const unknown = count(isUnknown);
    const notSent = count(({ error }) => error === 'ECONNREFUSED');
    const unavailable = count((operation) => isRefused(operation) && operation.status === 503);
    return {
      name,
      all: those.length,
      done,
      refused: those.length - done - unknown - notSent - unavailable,
      unavailable,
      notSent,
      unknown,
    };
  });
}

const namesOf = ({ name }: Pick<Fault, 'name'>): string[] => name.split('+');

/** A fault of two nemeses counts for both. */
function faultFigures({ run, faults, recoveries }: History): FaultFigures[] {
  const struck = new Set(faults.flatMap(namesOf));
  return run.nemeses
    .filter((name) => struck.has(name))
    .map((name) => {
      const those = faults.filter((fault) => namesOf(fault).includes(name));
      const times = recoveries.filter(({ after }) => after.split('+').includes(name)).map(({ ns }) => seconds(ns));
      return {
        name,
        times: those.length,
        paired: those.filter((fault) => namesOf(fault).length > 1).length,
        recovery: times.length === 0 ? null : { p50: median(times), most: most(times) },
      };
    });
}

function courseOf({ run, operations, faults, end }: History): Course {
  const length = seconds(end?.at ?? run.seconds * 1e9);
  const step = Math.max(0.5, Math.ceil(length / STEPS));
  const counts = Array.from({ length: Math.ceil(length / step) }, () => ({ answered: 0, failed: 0 }));
  for (const operation of operations) {
    const count = counts[Math.floor(seconds(operation.answered) / step)];
    if (!count) continue;
    if (operation.status !== null && operation.status < 500) count.answered++;
    else if (operation.error !== 'ECONNREFUSED') count.failed++;
  }
  return {
    step,
    answered: counts.map(({ answered }) => answered),
    failed: counts.map(({ failed }) => failed),
    faults: faults.flatMap((fault) =>
      namesOf(fault).map((name) => ({
        name,
        from: seconds(fault.begun),
        to: seconds(fault.healed),
        hint: `${fault.name}: ${fault.detail}`,
      })),
    ),
  };
}

const seconds = (ns: number): number => ns / 1e9;

/** Math.max cannot take as many arguments. */
const most = (numbers: readonly number[]): number => numbers.reduce((largest, one) => Math.max(largest, one), 0);

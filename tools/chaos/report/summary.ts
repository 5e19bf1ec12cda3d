// A history and what was found in it, in figures: what the terminal shows and the page keeps.

import { median } from '../../harness/numbers.js';
import { revocations } from '../check/access.js';
import { RULES, type Finding, type Rule } from '../check/finding.js';
import { endings, heldUp, type Endings } from '../check/service-check.js';
import type { Fault, History, Operation, Run } from '../history.js';
import { isOk, isRefused, isUnknown } from '../load/recorder.js';

export interface FaultFigures {
  readonly name: string;
  readonly times: number;
  /** Of these, how many together with another fault. */
  readonly paired: number;
  /** Until every surviving process served every pool again, in seconds; null where nobody had to recover. */
  readonly recovery: { readonly p50: number; readonly most: number } | null;
}

export interface OperationFigures {
  readonly name: string;
  readonly all: number;
  readonly done: number;
  /** By a rule of the pool: 403, 404, 409, 410. */
  readonly refused: number;
  /** 503, and nothing was changed. */
  readonly unavailable: number;
  /** Nobody listened: it was never sent. */
  readonly notSent: number;
  /** No answer, or one that says that it does not know. */
  readonly unknown: number;
}

/** What happened at each moment: counts for each step of so many seconds. */
export interface Course {
  readonly step: number;
  /** Done, or refused by a rule. */
  readonly answered: readonly number[];
  /** 503 or no answer. */
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
  /** The longest that a request waited for its answer, in seconds; of a process that was not stopped itself. */
  readonly longestAnswer: number;
  /** For each stopped process, the longest that a command to another one took, in seconds. */
  readonly blocked: readonly number[];
  readonly endings: Endings;
  /** For how long each revoked key was served after that was answered, in seconds. Not in older results. */
  readonly revocations?: readonly number[];
  /** Not of rules that are younger than the result. */
  readonly findings: Readonly<Partial<Record<Rule, number>>>;
  /** Of each rule the first few. */
  readonly examples: readonly Finding[];
  readonly course: Course;
}

const EXAMPLES_PER_RULE = 5;
const STEPS = 300;

export function summarise(history: History, findings: readonly Finding[]): RunSummary {
  const { run, operations, faults, recoveries, pools } = history;
  const rules = Object.keys(RULES) as Rule[];
  const of = (rule: Rule): Finding[] => findings.filter((finding) => finding.rule === rule);
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

/** A fault that had company counts for both. */
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

/** Of more numbers than a call takes arguments. */
const most = (numbers: readonly number[]): number => numbers.reduce((largest, one) => Math.max(largest, one), 0);

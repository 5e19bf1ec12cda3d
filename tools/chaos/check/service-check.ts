// The checks that need no audit: every answer follows the contract and comes in time, a process that survives a fault
// serves again, a stopped process does not block others, and a process that gets SIGTERM answers its requests first.

import type { Call, Fault, History, Operation } from '../history.js';
import { isOk, isUnknown } from '../load/recorder.js';
import { isOfKey } from './access.js';
import type { Finding } from './finding.js';
import { askedBy } from './ledger.js';

/** The time after a fault within which each surviving process must serve each pool. */
export const RECOVERY_NS = 5e9;
/** PostgreSQL takes a stopped process's lock away after 2 s. */
export const BLOCKED_NS = 2e9;
export const BLOCKED_MARGIN_NS = 1e9;
/** Every request must have an answer by then, if only 503. */
export const ANSWERED_NS = 10e9;
/** A request that a process had read and dropped would have waited for longer than this, or had an effect. */
const TURNED_AWAY_NS = 250e6;
/** The time in which a client may still write to a connection of a process that has ended. */
const NOTICED_NS = 250e6;

const KNOWN: Readonly<Record<Call['do'], readonly string[]>> = {
  allocate: ['pool_exhausted', 'quota_exceeded', 'token_in_use', 'token_not_found', 'unsatisfiable'],
  release: ['token_not_active', 'stale_lease', 'lease_ended', 'token_deleted'],
  'keep-alive': ['token_not_active', 'stale_lease', 'lease_ended', 'token_deleted', 'not_renewable'],
  generate: ['pool_limit_reached'],
  delete: ['token_in_use', 'token_deleted'],
  import: ['pool_limit_reached'],
  describe: ['token_deleted'],
  policy: [],
  cleanup: [],
  pool: [],
  active: [],
  feed: [],
  revoke: [],
};

export function checkService(history: History): Finding[] {
  const { operations, faults, recoveries } = history;
  return [
    ...operations.flatMap((operation) => offContract(operation)),
    ...silences(history),
    ...recoveries
      .filter(({ ns, isBack }) => !isBack || ns > RECOVERY_NS)
      .map(({ after, process, pool, ns, isBack }): Finding => {
        const when = isBack ? `after ${seconds(ns)}` : `not within ${seconds(ns)}`;
        return { rule: 'recovery', what: `after ${after}, process ${process} served pool ${pool} again ${when}` };
      }),
    ...faults.flatMap((fault) => fault.complaints.map((what): Finding => ({ rule: 'process', what }))),
    ...faults.flatMap((fault) =>
      heldUp(fault, operations)
        .filter(({ ns }) => ns > BLOCKED_NS + BLOCKED_MARGIN_NS)
        .map(({ ns, operation: { id, call, process } }): Finding => {
          const what = `${call.do} ${id} at process ${process} took ${seconds(ns)} while ${fault.hit.join()} was stopped`;
          return { rule: 'blocked', what };
        }),
    ),
  ];
}

/** @returns the durations of commands that other processes got while one was stopped */
export function heldUp(
  { name, begun, healed, hit }: Fault,
  operations: readonly Operation[],
): { operation: Operation; ns: number }[] {
  if (name !== 'stop-api') return [];
  return operations
    .filter(
      ({ process, sent, call }) =>
        !hit.includes(process) && sent >= begun && sent < healed && KNOWN[call.do].length > 0,
    )
    .map((operation) => ({ operation, ns: operation.answered - operation.sent }));
}

function offContract(operation: Operation): Finding[] {
  const { id, call, status, error, detail, retryAfter } = operation;
  const wrong = (what: string): Finding[] => [{ rule: 'contract', what: `${call.do} ${id} ${what}` }];
  if (status === null || isOk(operation)) return [];
  if (status === 503 && error === 'unavailable') {
    if (!/^[1-9]\d*$/.test(retryAfter ?? '')) return wrong('was answered 503 without Retry-After');
    const isClear = isUnknown(operation) || /nothing was changed/.test(detail ?? '');
    return isClear ? [] : wrong(`was answered 503 without a word about what was changed: ${detail}`);
  }
  return isOfKey(operation) || KNOWN[call.do].includes(error ?? '')
    ? []
    : wrong(`was answered ${status} ${error}: ${detail}`);
}

/** Finds late or missing answers of processes without a fault, and missing answers of processes that got SIGTERM. */
function silences({ operations, faults, pools }: History): Finding[] {
  const ofProcesses = faults.filter(({ name }) => /(kill|stop|term)-api/.test(name));
  const granted = new Set(pools.flatMap(({ events }) => events.map(askedBy)));
  return operations.flatMap((operation): Finding[] => {
    const { id, call, process, sent, answered, status, error } = operation;
    if (hasGivenUp(operation)) return [];
    const isLate = answered - sent > ANSWERED_NS;
    if ((status !== null || error === 'ECONNREFUSED') && !isLate) return [];
    const excuse = ofProcesses.find((fault) => isDuring(operation, fault));
    const what = `${call.do} ${id} to process ${process} was ${status === null ? `lost (${error})` : 'answered'} after ${seconds(answered - sent)}`;
    if (excuse?.name === 'term-api') {
      const isTaken = granted.has(id) || answered - sent > TURNED_AWAY_NS;
      return isTaken ? [{ rule: 'process', what: `${what}, when the process was asked to end` }] : [];
    }
    return excuse ? [] : [{ rule: 'contract', what }];
  });
}

/** Whether the asker closed the request itself: a follower of the feed waits for less than the limit of the service. */
const hasGivenUp = ({ call, error }: Operation): boolean => call.do === 'feed' && error === 'TIMEOUT';

const isDuring = ({ process, sent, answered }: Operation, { hit, begun, healed }: Fault): boolean =>
  hit.includes(process) && sent < healed + NOTICED_NS && answered > begun;

export interface Endings {
  readonly times: number;
  /** Requests that processes answered after SIGTERM. */
  readonly answered: number;
  /** Accepted requests without an answer. */
  readonly failed: number;
  /**
   * Requests that reached a process as it closed its connections, and that it reset unread and without effect. No
   * server can prevent that on new or idle connections, so these count, but are no finding.
   */
  readonly turnedAway: number;
}

/** Sums up the ends of processes that got SIGTERM. */
export function endings(history: History): Endings {
  const those = history.faults.filter(({ name }) => name === 'term-api');
  const met = history.operations.filter((operation) => those.some((fault) => isDuring(operation, fault)));
  const failed = silences(history).filter(({ rule }) => rule === 'process').length;
  const reset = met.filter(({ status, error }) => status === null && error !== 'ECONNREFUSED').length;
  return {
    times: those.length,
    answered: met.filter(({ status }) => status !== null).length,
    failed,
    turnedAway: reset - failed,
  };
}

const seconds = (ns: number): string => `${(ns / 1e9).toFixed(2)} s`;

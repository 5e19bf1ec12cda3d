// Checks access: a key does and reads only what its scopes allow, and nothing after its revocation.

import type { Call, History, Operation } from '../history.js';
import { isOk } from '../load/recorder.js';
import { Callers } from './callers.js';
import type { Finding } from './finding.js';

/** Every process must refuse a key within this time after the answer to its revocation. */
export const REVOKED_NS = 5e9;

/** Commands that need the scope `operate` or more. */
const OPERATING: ReadonlySet<Call['do']> = new Set([
  'generate',
  'delete',
  'cleanup',
  'revoke',
  'import',
  'describe',
  'policy',
]);

/** Errors for an invalid key, and of a process that cannot check it at the moment. */
const NO_GOOD: ReadonlySet<string> = new Set(['unauthenticated', 'rate_limited', 'unavailable']);

/** Whether the service refused the key rather than the command. */
export const isOfKey = ({ error = '' }: Operation): boolean => NO_GOOD.has(error) || error === 'insufficient_scope';

export function checkAccess(history: History, callers: Callers): Finding[] {
  return history.operations.flatMap((operation): Finding[] => {
    const { id, by, call, status, error, answered } = operation;
    const wrong = (what: string): Finding[] => [{ rule: 'access', what: `${call.do} ${id} by ${by} ${what}` }];
    const isFor = callers.mayOperate(by) || !OPERATING.has(call.do);
    if (error === 'insufficient_scope') return isFor ? wrong('was refused, which the key is for') : [];
    if (isOk(operation) && !isFor) return wrong('was done, which the key is not for');
    const revocation = by === undefined ? undefined : callers.revoked.get(by);
    if (error === 'unauthenticated' || error === 'rate_limited')
      return revocation && revocation.sent < answered ? [] : wrong(`was answered ${status}, although the key is good`);
    const late = lateness(operation, callers);
    return late > REVOKED_NS && isServed(operation) ? wrong(`was answered ${status} ${inSeconds(late)}`) : [];
  });
}

/** @returns nanoseconds from the answer to the revocation of its key to the operation; negative when sent before */
export const lateness = ({ by, sent }: Operation, callers: Callers): number =>
  by === undefined ? -Infinity : sent - (callers.revoked.get(by)?.answered ?? Infinity);

export const inSeconds = (late: number): string => `${(late / 1e9).toFixed(2)} s after its key was revoked`;

/** Whether the answer shows that the service accepted the key. */
export const isServed = (operation: Operation): boolean =>
  operation.status !== null && !NO_GOOD.has(operation.error ?? '');

/** @returns for each revoked key the seconds for which processes still served it after the answer */
export function revocations(history: History): number[] {
  const callers = new Callers(history);
  const longest = new Map<string, number>();
  for (const operation of history.operations) {
    const late = lateness(operation, callers);
    if (late === -Infinity) continue;
    longest.set(
      operation.by as string,
      Math.max(longest.get(operation.by as string) ?? 0, isServed(operation) ? late : 0),
    );
  }
  return [...longest.values()].map((ns) => ns / 1e9);
}

// Who may do what: a key does and is told what it is for and no more, and once it is revoked nothing at all.

import type { Call, History, Operation } from '../history.js';
import { isOk } from '../load/recorder.js';
import { Callers } from './callers.js';
import type { Finding } from './finding.js';

/** After the answer to its revocation, until a key is refused by every process. */
export const REVOKED_NS = 5e9;

/** For keys that may operate. */
const OPERATING: ReadonlySet<Call['do']> = new Set(['generate', 'delete', 'cleanup', 'revoke']);

/** What is told to a key that is no good, and by who cannot tell whether it is. */
const NO_GOOD: ReadonlySet<string> = new Set(['unauthenticated', 'rate_limited', 'unavailable']);

/** Whether a refusal is of the key, and not of what it was shown for. */
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

/** How long after the answer to the revocation of its key something was sent, in nanoseconds; negative: before. */
export const lateness = ({ by, sent }: Operation, callers: Callers): number =>
  by === undefined ? -Infinity : sent - (callers.revoked.get(by)?.answered ?? Infinity);

export const inSeconds = (late: number): string => `${(late / 1e9).toFixed(2)} s after its key was revoked`;

/** Whether the answer is for a key that is good. */
export const isServed = (operation: Operation): boolean =>
  operation.status !== null && !NO_GOOD.has(operation.error ?? '');

/** How long each revoked key was served after that was answered, in seconds. */
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

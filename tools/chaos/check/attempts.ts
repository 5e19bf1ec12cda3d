// Counts the attempts with one idempotency key as one request, whose answer is the first success.

import type { Operation } from '../history.js';
import { isOk, isUnknown } from '../load/recorder.js';

export interface Request {
  /** Lasts from the first attempt to the first success; its id is the idempotency key. */
  readonly operation: Operation;
  readonly attempts: readonly Operation[];
}

export function requestsOf(operations: readonly Operation[]): Request[] {
  const byKey = new Map<string, Operation[]>();
  for (const operation of operations) {
    const key = operation.key ?? operation.id;
    const attempts = byKey.get(key);
    if (attempts) attempts.push(operation);
    else byKey.set(key, [operation]);
  }
  return [...byKey].map(([id, attempts]) => ({ operation: { ...outcomeOf(attempts), id }, attempts }));
}

function outcomeOf(attempts: readonly Operation[]): Operation {
  const [first, ...others] = attempts as [Operation, ...Operation[]];
  if (others.length === 0) return first;
  const { sent } = first;
  const decisive = attempts.find(isOk) ?? attempts.find(isUnknown);
  return { ...(decisive ?? first), sent };
}

/** Checks that all attempts with an answer got the same answer. Once its lease is over, it has no secret any more. */
export function disagreements({ operation, attempts }: Request): string[] {
  return attempts
    .filter((attempt) => isOk(attempt) && said(attempt) !== said(operation))
    .map(
      ({ id, answer }) => `${id} was answered ${JSON.stringify(answer)}, before ${JSON.stringify(operation.answer)}`,
    );
}

const said = ({ answer }: Operation): string => JSON.stringify({ ...answer, secret: undefined });

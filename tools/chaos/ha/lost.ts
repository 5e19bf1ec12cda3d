// Finds what a standby with a lag has lost: answered grants that are not in the audit. Also finds fences of two grants,
// which must not exist whatever was lost.

import type { History, Operation } from '../history.js';
import { isOk } from '../load/recorder.js';
import { requestsOf } from '../check/attempts.js';
import type { Rule } from '../check/finding.js';

/** The rules whose findings the loss can explain: they compare answers and reads with what is left in the audit. */
export const DUE_TO_LOSS: ReadonlySet<Rule> = new Set(['answered', 'refused', 'order', 'read']);

export interface Lost {
  /** Answered grants that are not in the audit, in words. */
  readonly grants: readonly string[];
  /** Fences of two grants, lost ones included, in words. */
  readonly twice: readonly string[];
}

export function lostIn({ pools }: History): Lost {
  const grants: string[] = [];
  const twice: string[] = [];
  for (const { setting, operations, events } of pools) {
    const granted = new Map(
      events
        .filter(({ event }) => event === 'activated')
        .map(({ fence, token_id, user_id }) => [fence, `${token_id} ${user_id}`]),
    );
    const lost = new Map<number, string>();
    const allocates = operations.filter(({ call }) => call.do === 'allocate');
    for (const { operation } of requestsOf(allocates)) {
      const grant = grantOf(operation);
      if (!grant) continue;
      const { fence, to } = grant;
      if (granted.get(fence) === to) continue;
      if (granted.has(fence) || lost.has(fence))
        twice.push(
          `${setting.name}: fence ${fence} was ${operation.id}'s, and is ${granted.get(fence) ?? lost.get(fence)}`,
        );
      lost.set(fence, operation.id);
      grants.push(`${setting.name}: fence ${fence}, token ${String(operation.answer?.['token_id'])}, ${operation.id}`);
    }
  }
  return { grants, twice };
}

/** @returns null without a grant, and for short routes, whose answers have no fence */
function grantOf(operation: Operation): { fence: number; to: string } | null {
  const { answer } = operation;
  if (!isOk(operation) || typeof answer?.['fence'] !== 'number') return null;
  return { fence: answer['fence'], to: `${String(answer['token_id'])} ${String(answer['user_id'])}` };
}

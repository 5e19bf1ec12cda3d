// A batch: several commands that the pool decides one after the other in one transaction. A refused command gets its
// error and changes nothing, whatever steps it had done, and does not affect the others.

import { isServedAfterLine, placeOf, type Command } from './command.js';
import { callerGone, DomainError } from '../kernel/domain-error.js';
import { LeaseOfBatch } from '../pool/allocation.js';
import type { TokenPool } from '../pool/token-pool.js';

export type Outcome = { readonly value: unknown } | { readonly error: DomainError } | 'deferred';

/**
 * Decides the commands in the fixed order (command.ts), and returns the outcomes in the order of the commands. A batch
 * grants at most as many tokens as the pool has and defers the other allocations, so that it evicts none of its own
 * grants. The exception is a user above the fair share, who would lose that lease in the next batch. The line is served
 * before anybody takes a token, and again at the end.
 */
export function decideBatch(pool: TokenPool, commands: readonly Command<unknown>[]): Outcome[] {
  const outcomes: Outcome[] = [];
  let grants = 0;
  let isLineServed = false;
  const inOrder = commands
    .map((command, place) => ({ command, place, order: placeOf(command) }))
    .sort((a, b) => a.order - b.order);
  for (const { command, place } of inOrder) {
    // The command may have waited for the lock for so long that its caller has hung up.
    if (command.isGone?.()) {
      outcomes[place] = { error: callerGone() };
      continue;
    }
    if (!isLineServed && isServedAfterLine(command)) {
      pool.serveLine();
      isLineServed = true;
    }
    const asked = command.loads.grants;
    if (command.kind === 'allocate' && grants > 0 && grants + asked > pool.state.tokenCount) {
      outcomes[place] = 'deferred';
      continue;
    }
    pool.caller = command.caller;
    try {
      outcomes[place] = { value: pool.atomically(() => command.decide(pool)) };
      if (command.kind === 'allocate') grants += asked;
    } catch (error) {
      if (error instanceof LeaseOfBatch) outcomes[place] = 'deferred';
      else if (error instanceof DomainError) outcomes[place] = { error };
      else throw error;
    }
  }
  pool.serveLine();
  pool.renewPromises();
  return outcomes;
}

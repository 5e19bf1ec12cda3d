// A batch: several commands decided one after the other on one pool, in one transaction. A command that the domain
// refuses gets its error and changes nothing, whatever steps it had done; its neighbours do not notice.

import { byOrder, type Command } from './command.js';
import { callerGone, DomainError } from '../kernel/domain-error.js';
import type { TokenPool } from '../pool/token-pool.js';

export type Outcome = { readonly value: unknown } | { readonly error: DomainError } | 'deferred';

/**
 * Decides the commands in the fixed order (command.ts) and answers in the order they came in. At most as many
 * are granted as the pool has tokens, so that no grant is evicted by its own batch, unless its user has more than
 * his share and would lose it in the next one; the rest is deferred.
 */
export function decideBatch(pool: TokenPool, commands: readonly Command<unknown>[]): Outcome[] {
  const outcomes: Outcome[] = [];
  let grants = 0;
  const inOrder = commands.map((command, place) => ({ command, place })).sort((a, b) => byOrder(a.command, b.command));
  for (const { command, place } of inOrder) {
    // Under the lock, for which it may have waited for long.
    if (command.isGone?.()) {
      outcomes[place] = { error: callerGone() };
      continue;
    }
    if (command.kind === 'allocate' && grants > 0 && grants >= pool.state.tokenCount) {
      outcomes[place] = 'deferred';
      continue;
    }
    pool.caller = command.caller;
    try {
      outcomes[place] = { value: pool.atomically(() => command.decide(pool)) };
      if (command.kind === 'allocate') grants++;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      outcomes[place] = { error };
    }
  }
  return outcomes;
}

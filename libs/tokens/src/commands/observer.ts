// The port for metrics and traces of the executor. The executor calls observers on the way of every request, so their
// methods must return quickly and must not throw.

import type { Command } from './command.js';
import type { DomainErrorCode } from '../kernel/domain-error.js';
import type { Phases } from './phases.js';
import type { TokenPool } from '../pool/token-pool.js';

/** A command and the time of its arrival, by the monotonic clock of this process, in milliseconds. */
export interface ObservedCommand {
  readonly command: Command<unknown>;
  readonly since: number;
}

/** A transaction that has ended, with the commands that it decided, or would have decided. */
export type TransactionReport = {
  readonly poolName: string;
  readonly commands: readonly ObservedCommand[];
  /** The codes with which callers were refused, without the service's own commands. */
  readonly refusals: readonly DomainErrorCode[];
} & (
  | { readonly outcome: 'committed'; readonly phases: Phases; readonly pool: TokenPool }
  /** `violated`: the store refused the decision of the domain. */
  | { readonly outcome: 'failed' | 'violated'; readonly phases: Phases }
  /** The commands waited for too long, or their callers have hung up. */
  | { readonly outcome: 'not begun'; readonly phases: null }
);

export interface Observer {
  /** The executor reports each transaction once, before it answers the callers. */
  observe(report: TransactionReport): void;
}

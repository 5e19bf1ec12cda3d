// Those who watch the executor at work, as metrics and traces do. They are told after the fact and on the way of every
// request: an observer is quick, and never throws.

import type { Command } from './command.js';
import type { Phases } from './phases.js';
import type { TokenPool } from '../pool/token-pool.js';

/** A command and when it came, by this process's monotonic clock, in milliseconds. */
export interface ObservedCommand {
  readonly command: Command<unknown>;
  readonly since: number;
}

/** A transaction that is over, with the commands that it decided, or would have decided. */
export type TransactionReport = {
  readonly poolName: string;
  readonly commands: readonly ObservedCommand[];
} & (
  | { readonly outcome: 'committed'; readonly phases: Phases; readonly pool: TokenPool }
  /** Violated: the store refused what the domain had decided. */
  | { readonly outcome: 'failed' | 'violated'; readonly phases: Phases }
  /** The commands waited for too long, or nobody waited for them any more. */
  | { readonly outcome: 'not begun'; readonly phases: null }
);

export interface Observer {
  /** Each transaction is reported once, before its callers are answered. */
  observe(report: TransactionReport): void;
}

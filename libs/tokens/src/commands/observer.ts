// Whoever watches the service at work. Told after the fact and on the way of every request: quick, and never throwing.

import type { Command } from './command.js';
import type { Phases } from './phases.js';
import type { TokenPool } from '../pool/token-pool.js';

/** Commands of one pool that went together. */
export interface Batch {
  readonly poolName: string;
  /** Each with the instant at which it came, by this process's monotonic clock, in milliseconds. */
  readonly commands: readonly { readonly command: Command<unknown>; readonly since: number }[];
  /** Of their transaction; null: none was begun for them. */
  readonly phases: Phases | null;
}

export interface DecidedBatch extends Batch {
  readonly phases: Phases;
}

export interface Observer {
  /** A transaction of this pool was committed, and what it decided with it; how long it took, waiting for the lock included. */
  committed(pool: TokenPool, durationMs: number): void;

  /** One transaction decided these commands. */
  decided(batch: DecidedBatch): void;

  /** These commands waited in vain: their transaction failed, or was not begun in time. */
  failed(batch: Batch): void;

  /** The store refused what the domain had decided. */
  violated(poolName: string): void;
}

export const NOBODY: Observer = { committed() {}, decided() {}, failed() {}, violated() {} };

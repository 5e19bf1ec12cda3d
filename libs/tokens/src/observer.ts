// Whoever watches the service at work. Told after the fact and on the way of every request: quick, and never throwing.

import type { TokenPool } from './token-pool.js';

export interface Observer {
  /** A transaction of this pool was committed, and what it decided with it; how long it took, waiting for the lock included. */
  committed(pool: TokenPool, durationMs: number): void;

  /** One transaction decided these commands, each of which had waited for so long before it began, in milliseconds. */
  decided(waitsMs: readonly number[]): void;

  /** The store refused what the domain had decided. */
  violated(poolName: string): void;
}

export const NOBODY: Observer = { committed() {}, decided() {}, violated() {} };

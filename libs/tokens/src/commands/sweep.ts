// The sweep records what the clock has decided and no command has met: expired leases and idle tokens. It also
// generates the tokens that an interrupted fill has left out, deletes those that an interrupted shrinking or deletion
// has left, serves lines, and deletes old idempotency records and tickets. No answer depends on it.

import type { Command } from './command.js';
import type { Executor } from './executor.js';
import { loadSpec } from './load-spec.js';
import type { TokenPoolRepository } from './token-pool-repository.js';

/** Leases in one transaction. The number is small because requests wait for the same lock. */
const BATCH = 50;
/** Idempotency records deleted at once. No command waits for their locks. */
const RECORDS_AT_ONCE = 1000;

export interface SweepResult {
  /** The number of recorded events. */
  readonly events: number;
  /** The pools whose sweep failed, each with its error. The next run tries them again. */
  readonly failures: readonly { readonly poolName: string; readonly error: unknown }[];
}

/** Does a part of what the clock has decided in a pool, and returns the number of events. */
export const sweepOnce: Command<number> = {
  kind: 'sweep',
  isExclusive: true,
  caller: null,
  loads: loadSpec({ due: BATCH, free: BATCH, oldest: BATCH, keptBack: BATCH }),
  decide: (pool) => {
    pool.deleteRest(BATCH);
    pool.deleteIdle();
    pool.shrink(BATCH);
    pool.fill(BATCH);
    return pool.events.length;
  },
};

/**
 * Sweeps all pools that have work. Any number of processes may sweep at once. The sweep skips a busy pool, because its
 * own commands expire its leases.
 */
export async function sweep(
  repository: TokenPoolRepository,
  executor: Executor,
  isStopping: () => boolean = () => false,
): Promise<SweepResult> {
  const failures: { poolName: string; error: unknown }[] = [];
  let events = 0;
  for (const poolName of await repository.poolsToSweep()) {
    try {
      let written: number | undefined;
      do {
        if (isStopping()) return { events, failures };
        written = await executor.tryRun(poolName, sweepOnce);
        events += written ?? 0;
      } while (written !== undefined && written >= BATCH);
      while (!isStopping() && (await repository.deleteExpiredRecords(poolName, RECORDS_AT_ONCE)) === RECORDS_AT_ONCE);
      while (!isStopping() && (await repository.deleteExpiredTickets(poolName, RECORDS_AT_ONCE)) === RECORDS_AT_ONCE);
    } catch (error) {
      failures.push({ poolName, error });
    }
  }
  return { events, failures };
}

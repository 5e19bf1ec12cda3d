// Writes down what the clock has decided and nobody has asked about: expired leases, idle tokens, the rest of a pool
// whose filling was interrupted; and forgets answers that need not be kept any more. It only writes history; no answer
// waits for it.

import type { Command } from './command.js';
import type { Executor } from './executor.js';
import { loadSpec } from './load-spec.js';
import type { TokenPoolRepository } from './token-pool-repository.js';

/** Leases in one transaction: small, because requests wait for the same lock. */
const BATCH = 50;
/** Answers forgotten at once; nobody waits for their lock. */
const ANSWERS = 1000;

export interface SweepResult {
  /** Events written. */
  readonly events: number;
  /** Pools that could not be swept, each with its error; the next run tries again. */
  readonly failures: readonly { readonly poolName: string; readonly error: unknown }[];
}

const oneBatch: Command<number> = {
  kind: 'sweep',
  isExclusive: true,
  caller: null,
  loads: loadSpec({ due: BATCH, free: BATCH }),
  decide: (pool) => {
    pool.deleteIdle();
    pool.fill(BATCH);
    return pool.events.length;
  },
};

/**
 * Any number of processes may sweep at once. A busy pool is left alone: its own commands expire its leases on the way.
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
        written = await executor.tryRun(poolName, oneBatch);
        events += written ?? 0;
      } while (written !== undefined && written >= BATCH);
      while (!isStopping() && (await repository.deleteExpiredRecords(poolName, ANSWERS)) === ANSWERS);
    } catch (error) {
      failures.push({ poolName, error });
    }
  }
  return { events, failures };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

/** Far longer than any wait takes on a busy machine, and shorter than the limit of a test, which does not say what it waited for. */
const PATIENCE_MS = 120_000;

/**
 * Resolves when it holds. Looks every few milliseconds: a loop without rest takes the processor from what is awaited.
 * @param what is awaited, in words; otherwise the error shows the condition
 * @throws Error that says what it waited for
 */
export async function until(holds: () => boolean | Promise<boolean>, what = holds.toString()): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`);
    await sleep(5);
  }
}

/**
 * Resolves when a session of the database waits for a lock: any of the service's, or the one of this pid. Looks from a
 * connection of its own, because a transaction sees one snapshot of the sessions only.
 */
export const untilWaiting = (url: string, pid?: number): Promise<void> => untilSeen(url, pid, (waiting) => waiting > 0);

/** Resolves when none of the service's sessions waits for a lock any more. */
export const untilNobodyWaits = (url: string): Promise<void> => untilSeen(url, undefined, (waiting) => waiting === 0);

async function untilSeen(url: string, pid: number | undefined, isIt: (waiting: number) => boolean): Promise<void> {
  const observer = new Client({ connectionString: url });
  await observer.connect();
  try {
    const end = performance.now() + PATIENCE_MS;
    for (let waiting = NaN; !isIt(waiting);) {
      if (performance.now() > end)
        throw new Error(`waited ${PATIENCE_MS / 1000} s; ${waiting} sessions wait for a lock`);
      const { rowCount } = await observer.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
           AND CASE WHEN $1::int IS NULL THEN application_name = 'token-pool' ELSE pid = $1 END`,
        [pid ?? null],
      );
      waiting = rowCount ?? 0;
    }
  } finally {
    await observer.end();
  }
}

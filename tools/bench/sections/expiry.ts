// How late a lease's end is written down when nobody asks for its pool, and that no read is late, written down or not.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.js';
import { withClient } from '../cluster.js';
import { startServer } from '../server-process.js';
import { openService, USER, type Service } from '../service.js';

export interface ExpiryResult {
  readonly sweepIntervalMs: number;
  readonly leases: number;
  /** recorded_at − occurred_at of `expired`, in seconds. */
  readonly lateness: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly reads: number;
  /** Reads that showed a lease as active whose deadline had passed when they were asked. */
  readonly lateReads: number;
}

/** The default: nothing is set. */
const SWEEP_INTERVAL_MS = 5000;
const LEASES_A_POOL = 25;

export async function measureExpiry({ isShort, cluster, belongings, say, logFile }: Bench): Promise<ExpiryResult> {
  const database = await cluster.createDatabase('expiry');
  const server = await startServer('service', { DATABASE_URL: database.url }, logFile('expiry'), belongings);
  const service = await openService(database.url);
  const count = isShort ? 20 : 120;
  const overSeconds = isShort ? 2 : 40;
  const names = Array.from({ length: count }, (_, number) => `expiring-${number}`);
  for (const name of names) await service.service.createPool(name, 'fixed', { size: LEASES_A_POOL });
  say(`${count * LEASES_A_POOL} leases in ${count} pools run out within ${overSeconds} s`);
  // Each pool is asked once, at a moment of its own, and then left alone: only the sweep writes the ends down.
  for (const name of names) {
    const ttlSeconds = 0.5 + Math.random() * overSeconds;
    await Promise.all(
      Array.from({ length: LEASES_A_POOL }, () => service.service.allocate(name, { userId: USER, ttlSeconds })),
    );
  }
  const { reads, lateReads } = await readUntilAllIsWritten(service, database.url, names);
  const lateness = await withClient(database.url, async (client) => {
    const { rows } = await client.query<ExpiryResult['lateness']>(
      `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY late) AS p50,
         percentile_cont(0.99) WITHIN GROUP (ORDER BY late) AS p99, max(late) AS max
       FROM (SELECT date_part('epoch', recorded_at - occurred_at) AS late FROM token_events WHERE event = 'expired') e`,
    );
    return rows[0]!;
  });
  await service.close();
  await server.stop();
  await database.drop();
  return { sweepIntervalMs: SWEEP_INTERVAL_MS, leases: count * LEASES_A_POOL, lateness, reads, lateReads };
}

/** Reads pool after pool, and holds what it is shown against the database's clock of just before. */
async function readUntilAllIsWritten({ readers }: Service, url: string, names: readonly string[]) {
  return withClient(url, async (client) => {
    let reads = 0;
    let lateReads = 0;
    const unwritten = async (): Promise<boolean> => {
      const { rows } = await client.query<{ some: boolean }>(
        `SELECT EXISTS (SELECT FROM tokens WHERE status = 'active') AS some`,
      );
      return rows[0]!.some;
    };
    while (await unwritten()) {
      for (const poolName of names) {
        const { rows } = await client.query<{ now: string }>(
          `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`,
        );
        const { tokens } = await readers.tokens.tokens({ poolName, status: 'active', limit: 1000 });
        const { counts } = await readers.pools.pool(poolName);
        reads += 2;
        // Times compare as text: they all have the same form.
        if (tokens.some(({ expires_at }) => expires_at! <= rows[0]!.now)) lateReads++;
        if (counts.active > tokens.length) lateReads++;
        if (tokens.length + counts.available < LEASES_A_POOL) lateReads++;
      }
      await sleep(10);
    }
    return { reads, lateReads };
  });
}

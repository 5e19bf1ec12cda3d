// Measures the sweep of ten thousand leases that are due in the same second, and how it slows other commands.

import { setTimeout as sleep } from 'node:timers/promises';
import { sweep } from '@app/tokens';
import type { Bench } from '../bench.js';
import { callUntil, type Call } from '../callers.js';
import { withClient } from '../cluster.js';
import { median, quantile, type Quantiles } from '../../harness/numbers.js';
import { makePast } from '../past.js';
import { createFullPool, USER } from '../service.js';
import { openService, type Service } from '../../harness/service.js';

export interface SweepRow {
  readonly what: string;
  /** Seconds from the deadline until the last end is in the audit. */
  readonly seconds: number;
  /** Latencies of allocate in milliseconds: before the deadline, and from it until the last end is in the audit. */
  readonly quiet: Quantiles;
  readonly meanwhile: Quantiles;
  /** The p99 during the sweep divided by the quiet one. */
  readonly ratio: number;
}

export interface SweepResult {
  readonly leases: number;
  readonly callers: number;
  readonly rows: readonly SweepRow[];
}

const LEASES = 10_000;
const CALLERS = 16;
const QUIET_MS = 3000;
/** The time for granting the leases before the deadline. */
const LEASING_MS = 4000;
/** The interval of the service. */
const SWEEP_INTERVAL_MS = 5000;

export async function measureSweep({ isShort, rounds, cluster, say }: Bench): Promise<SweepResult> {
  const database = await cluster.createDatabase('sweep');
  // Half of the pool is due at a time; the other half's leases go on.
  const past = { pool: 'due', tokens: 2 * LEASES, grants: 2 * LEASES };
  await withClient(database.url, (client) => makePast(client, past, say));
  const service = await openService(database.url);
  await createFullPool(service, 'elsewhere', 100);
  const rows: SweepRow[] = [];
  for (const [what, pool] of [
    ['allocate in another pool', 'elsewhere'],
    ['allocate in the pool that is swept', 'due'],
  ] as const) {
    const single: SweepRow[] = [];
    for (let round = 0; round < (isShort ? 1 : rounds); round++) {
      const row = { what, ...(await oneSweep(service, pool, database.url, isShort ? QUIET_MS / 3 : QUIET_MS)) };
      say(
        `${what}: swept in ${row.seconds.toFixed(2)} s, p99 ${row.meanwhile.p99.toFixed(1)} ms, quiet ${row.quiet.p99.toFixed(1)} ms`,
      );
      single.push(row);
    }
    rows.push(middle(what, single));
  }
  await service.close();
  await database.drop();
  return { leases: LEASES, callers: CALLERS, rows };
}

async function lease({ service }: Service, count: number, ttlSeconds: () => number): Promise<void> {
  let left = count;
  await callUntil(
    () => left <= 0,
    400,
    () => (left-- > 0 ? service.allocate('due', { userId: USER, ttlSeconds: ttlSeconds() }) : Promise.resolve()),
  );
}

async function oneSweep(service: Service, pool: string, url: string, quietMs: number): Promise<Omit<SweepRow, 'what'>> {
  const dueAt = performance.now() + quietMs + LEASING_MS;
  await lease(service, LEASES, () => (dueAt - performance.now()) / 1000);
  const quietFrom = Math.max(performance.now(), dueAt - quietMs);
  await sleep(quietFrom - performance.now());
  let isOver = false;
  const calling = callUntil(
    () => isOver,
    CALLERS,
    () => service.service.allocate(pool, { userId: USER }),
  );
  // The last lease got its deadline a moment after its request, so this waits a little longer.
  await sleep(dueAt + 50 - performance.now());
  const sweeping = sweepUntil(service, () => isOver);
  await withClient(url, async (client) => {
    const overdue = async () => {
      const { rows } = await client.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM tokens WHERE pool = 'due' AND status = 'active' AND expires_at <= clock_timestamp()`,
      );
      return rows[0]!.n;
    };
    while ((await overdue()) > 0) await sleep(20);
  });
  const end = performance.now();
  isOver = true;
  const calls = await calling;
  await sweeping;
  const quiet = spread(calls, quietFrom, dueAt - 100);
  const meanwhile = spread(calls, dueAt + 50, end);
  return { seconds: (end - dueAt - 50) / 1000, quiet, meanwhile, ratio: meanwhile.p99 / quiet.p99 };
}

async function sweepUntil({ repository, executor }: Service, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await sweep(repository, executor, isOver);
    for (let waited = 0; waited < SWEEP_INTERVAL_MS && !isOver(); waited += 50) await sleep(50);
  }
}

function spread(calls: readonly Call[], from: number, to: number): Quantiles {
  const taken = calls.filter(({ began, took }) => began + took >= from && began < to).map(({ took }) => took);
  return { p50: quantile(taken, 0.5), p99: quantile(taken, 0.99) };
}

function middle(what: string, rows: readonly SweepRow[]): SweepRow {
  const of = (pick: (row: SweepRow) => number): number => median(rows.map(pick));
  return {
    what,
    seconds: of((row) => row.seconds),
    quiet: { p50: of((row) => row.quiet.p50), p99: of((row) => row.quiet.p99) },
    meanwhile: { p50: of((row) => row.meanwhile.p50), p99: of((row) => row.meanwhile.p99) },
    ratio: of((row) => row.ratio),
  };
}

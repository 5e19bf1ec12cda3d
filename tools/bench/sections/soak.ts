// Measures the service under load for long: its memory and handles, the size and state of its tables, and the effect of
// a long idle snapshot in another session.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import type { Bench } from '../bench.js';
import { withClient } from '../cluster.js';
import { load, type Target } from '../http-load.js';
import { median, slope } from '../../harness/numbers.js';
import { startServer, type ServerProcess } from '../server-process.js';
import { LONG_SECONDS, USER } from '../service.js';

export interface Sample {
  /** Seconds since the beginning. */
  readonly at: number;
  readonly rate: number;
  readonly p99: number;
  readonly rssMb: number;
  readonly heapMb: number;
  readonly handles: number;
  readonly tables: Readonly<Record<string, TableState>>;
}

export interface TableState {
  readonly tableMb: number;
  readonly indexMb: number;
  readonly deadRows: number;
  readonly updates: number;
  readonly hotUpdates: number;
}

export interface SoakResult {
  readonly seconds: number;
  readonly connections: number;
  readonly samples: readonly Sample[];
  /** Changes a minute over the second half: memory in MB, handles, and requests a second. */
  readonly slopes: { readonly rssMb: number; readonly handles: number; readonly rate: number };
  readonly snapshot: SnapshotResult;
}

export interface SnapshotResult {
  readonly seconds: number;
  /** The rate of each second, with its phase. */
  readonly rates: readonly { readonly at: number; readonly rate: number; readonly phase: Phase }[];
  readonly before: number;
  /** The rate in the last fifth of the snapshot's time. */
  readonly during: number;
  /** The rate in the second half of the time after the snapshot. */
  readonly after: number;
}

type Phase = 'before' | 'during' | 'after';

const CONNECTIONS = 64;

export async function measureSoak(bench: Bench): Promise<SoakResult> {
  const { isShort, cluster, resources, say, logFile } = bench;
  const database = await cluster.createDatabase('soak');
  const env = { DATABASE_URL: database.url, TOKEN_TTL_SECONDS: String(LONG_SECONDS) };
  const server = await startServer('service', env, logFile('soak'), resources);
  const target = { urls: [server.url], path: '/api/tokens/allocate', body: JSON.stringify({ user_id: USER }) };
  const seconds = isShort ? 8 : 600;
  const every = isShort ? 1 : 10;
  const result = await withClient(database.url, async (client) => {
    const samples: Sample[] = [];
    const begun = performance.now();
    for (let at = 0; at < seconds; at = (performance.now() - begun) / 1000) {
      // Reads the state during the load, with its connections and garbage.
      const [{ rate, p99 }, state] = await Promise.all([
        load(target, CONNECTIONS, every),
        sleep(every * 500).then(() => stateOf(server, client)),
      ]);
      const sample = { at: (performance.now() - begun) / 1000, rate, p99, ...state };
      samples.push(sample);
      say(`soak ${sample.at.toFixed(0)}/${seconds} s: ${rate.toFixed(0)}/s, RSS ${sample.rssMb.toFixed(0)} MB`);
    }
    return { samples, snapshot: await underSnapshot(target, database.url, isShort, say) };
  });
  await server.stop();
  await database.drop();
  const { samples, snapshot } = result;
  const later = samples.slice(Math.floor(samples.length / 2));
  const perMinute = (of: 'rssMb' | 'handles' | 'rate') => 60 * slope(later.map((one) => ({ x: one.at, y: one[of] })));
  const slopes = { rssMb: perMinute('rssMb'), handles: perMinute('handles'), rate: perMinute('rate') };
  return { seconds, connections: CONNECTIONS, samples, slopes, snapshot };
}

const MB = 1024 * 1024;

async function stateOf(server: ServerProcess, client: Client): Promise<Omit<Sample, 'at' | 'rate' | 'p99'>> {
  const { rssBytes, heapBytes, handles } = await server.vitals();
  return { rssMb: rssBytes / MB, heapMb: heapBytes / MB, handles, tables: await tableStates(client) };
}

async function tableStates(client: Client): Promise<Record<string, TableState>> {
  const { rows } = await client.query<TableState & { name: string }>(
    `SELECT CASE WHEN relname LIKE 'token\\_events%' THEN 'token_events' ELSE relname END AS name,
       sum(pg_table_size(relid)) / ${MB}::float8 AS "tableMb", sum(pg_indexes_size(relid)) / ${MB}::float8 AS "indexMb",
       sum(n_dead_tup)::float8 AS "deadRows", sum(n_tup_upd)::float8 AS updates, sum(n_tup_hot_upd)::float8 AS "hotUpdates"
     FROM pg_stat_user_tables WHERE relname IN ('pools', 'tokens') OR relname LIKE 'token\\_events%' GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ name, ...state }) => [name, state]));
}

/** Holds a snapshot in an idle session: PostgreSQL cannot remove any row version that is replaced from then on. */
async function underSnapshot(
  target: Target,
  url: string,
  isShort: boolean,
  say: (what: string) => void,
): Promise<SnapshotResult> {
  const rates: { at: number; rate: number; phase: Phase }[] = [];
  const begun = performance.now();
  const run = async (phase: Phase, seconds: number): Promise<number[]> => {
    const own: number[] = [];
    for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
      const { rate } = await load(target, CONNECTIONS, 1);
      own.push(rate);
      rates.push({ at: (performance.now() - begun) / 1000, rate, phase });
    }
    say(`${phase} the idle snapshot: ${(own.at(-1) ?? 0).toFixed(0)}/s at its end`);
    return own;
  };
  const before = median(await run('before', isShort ? 1 : 20));
  const seconds = isShort ? 2 : 120;
  const during = await withClient(url, async (idle) => {
    await idle.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await idle.query('SELECT FROM pools');
    const own = await run('during', seconds);
    await idle.query('ROLLBACK');
    return median(own.slice(-Math.ceil(own.length / 5)));
  });
  const own = await run('after', isShort ? 2 : 60);
  return { seconds, rates, before, during, after: median(own.slice(-Math.ceil(own.length / 2))) };
}

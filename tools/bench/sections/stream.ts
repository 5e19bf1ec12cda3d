// Streams of events: how long after a grant is asked for its event is with every reader, that none is missing or
// comes twice, and that more streams ask the database no more.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.js';
import { withClient } from '../cluster.js';
import { Listener } from '../listener.js';
import { quantile } from '../../harness/numbers.js';
import { startServer, type ServerProcess } from '../server-process.js';
import { createFullPool, openService, USER, type Service } from '../service.js';

export interface StreamRow {
  readonly streams: number;
  /** Of the service, which the streams are spread over. Another one makes the events. */
  readonly processes: number;
  /** From asking for a grant until its event was with a reader, in milliseconds: of all readers and rounds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Until the grant itself was answered, in milliseconds: what is no fault of the streams. */
  readonly answeredP99: number;
  /** Made, a second. */
  readonly rate: number;
  /** Events that came to some reader twice, or after one that was missing, or never. */
  readonly misplaced: number;
  /** Processor time of the service to the time that went by. */
  readonly cpu: number;
  /** Transactions a second in the database while nothing happens and everybody listens; NaN in the short form. */
  readonly quietTransactions: number;
}

export interface StreamResult {
  readonly eventsASecond: number;
  readonly rows: readonly StreamRow[];
}

/** A full pool: every grant evicts, and so is two events. */
const POOL = 'streamed';
const GRANTS_A_SECOND = 250;
/** What is still not there then is missing. */
const PATIENCE_MS = 10_000;
/** Sessions that fall idle tell what they did up to 10 s later. */
const SETTLING_MS = 11_000;

interface Load {
  readonly streams: number;
  readonly processes: number;
}

export const AIMED_AT: Load = { streams: 100, processes: 1 };

const LOADS: readonly Load[] = [{ streams: 1, processes: 1 }, AIMED_AT, { streams: 100, processes: 2 }];

type Round = Omit<StreamRow, 'p50' | 'p99' | 'max' | 'answeredP99' | 'quietTransactions'> & {
  readonly delays: readonly number[];
  readonly answers: readonly number[];
};

export async function measureStream(bench: Bench): Promise<StreamResult> {
  const { isShort, rounds, cluster, belongings, say, logFile } = bench;
  const database = await cluster.createDatabase('stream');
  const service = await openService(database.url);
  await createFullPool(service, POOL, 100);
  const env = { DATABASE_URL: database.url, SWEEP_INTERVAL_MS: '0' };
  const servers: ServerProcess[] = [];
  for (const name of ['stream-1', 'stream-2']) {
    servers.push(await startServer('service', env, logFile(name), belongings));
  }
  const measured = LOADS.map((): Round[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [place, load] of LOADS.entries()) {
      const one = await oneRound(service, servers, load, isShort ? 2 : 10);
      measured[place]!.push(one);
      say(
        `round ${round + 1}/${rounds}: ${named(load)}: p99 ${quantile(one.delays, 0.99).toFixed(1)} ms, ` +
          `${one.rate.toFixed(0)} events/s`,
      );
    }
  }
  await service.close();
  const rows: StreamRow[] = [];
  for (const [place, load] of LOADS.entries()) {
    const quietTransactions = isShort ? NaN : await quiet(servers, database.url, load, 10);
    rows.push({ ...together(load, measured[place]!), quietTransactions });
  }
  for (const server of servers) await server.stop();
  await database.drop();
  return { eventsASecond: 2 * GRANTS_A_SECOND, rows };
}

async function oneRound(
  { service, readers }: Service,
  servers: readonly ServerProcess[],
  load: Load,
  seconds: number,
): Promise<Round> {
  const serving = servers.slice(0, load.processes);
  const listeners = await listen(serving, load);
  const { last_seq: first } = await readers.pools.pool(POOL);
  const cpuBefore = await cpuSeconds(serving);
  const begun = performance.now();
  const grant = async (): Promise<number> => {
    const at = performance.now();
    await service.allocate(POOL, { userId: USER, metadata: { at } });
    return performance.now() - at;
  };
  const grants: Promise<number>[] = [];
  while (grants.length < seconds * GRANTS_A_SECOND) {
    const due = begun + (grants.length * 1000) / GRANTS_A_SECOND;
    if (due > performance.now()) await sleep(due - performance.now());
    grants.push(grant());
  }
  const answers = await Promise.all(grants);
  const elapsed = (performance.now() - begun) / 1000;
  const { last_seq: last } = await readers.pools.pool(POOL);
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(20)) {
    if (listeners.every(({ lastSeq }) => lastSeq === last)) break;
  }
  const cpu = ((await cpuSeconds(serving)) - cpuBefore) / ((performance.now() - begun) / 1000);
  for (const listener of listeners) listener.leave();
  const made = last - first;
  const misplaced = listeners.reduce((sum, one) => sum + one.misplaced + Math.abs(made - one.events), 0);
  const delays = listeners.flatMap((one) => one.delays);
  return { ...load, delays, answers, rate: made / elapsed, misplaced, cpu };
}

async function quiet(
  servers: readonly ServerProcess[],
  databaseUrl: string,
  load: Load,
  seconds: number,
): Promise<number> {
  const listeners = await listen(servers.slice(0, load.processes), load);
  await sleep(SETTLING_MS);
  const transactions = await withClient(databaseUrl, async (client) => {
    const committed = async (): Promise<number> => {
      const { rows } = await client.query<{ count: number }>(
        'SELECT xact_commit::float8 AS count FROM pg_stat_database WHERE datname = current_database()',
      );
      return rows[0]!.count;
    };
    const before = await committed();
    await sleep(seconds * 1000);
    return ((await committed()) - before) / seconds;
  });
  for (const listener of listeners) listener.leave();
  return transactions;
}

const listen = (servers: readonly ServerProcess[], { streams }: Load): Promise<Listener[]> =>
  Promise.all(Array.from({ length: streams }, (_, n) => Listener.open(servers[n % servers.length]!.url, POOL)));

async function cpuSeconds(servers: readonly ServerProcess[]): Promise<number> {
  const vitals = await Promise.all(servers.map((server) => server.vitals()));
  return vitals.reduce((sum, { cpuMicros }) => sum + cpuMicros / 1_000_000, 0);
}

function together(load: Load, rounds: readonly Round[]): Omit<StreamRow, 'quietTransactions'> {
  const delays = rounds.flatMap((round) => round.delays);
  const mean = (of: 'rate' | 'cpu') => rounds.reduce((sum, round) => sum + round[of], 0) / rounds.length;
  return {
    ...load,
    p50: quantile(delays, 0.5),
    p99: quantile(delays, 0.99),
    max: quantile(delays, 1),
    answeredP99: quantile(
      rounds.flatMap(({ answers }) => answers),
      0.99,
    ),
    rate: mean('rate'),
    misplaced: rounds.reduce((sum, round) => sum + round.misplaced, 0),
    cpu: mean('cpu'),
  };
}

const named = ({ streams, processes }: Load): string =>
  `${streams} ${streams === 1 ? 'stream' : 'streams'} of ${processes} ${processes === 1 ? 'process' : 'processes'}`;

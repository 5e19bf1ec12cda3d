// Measures how rates change with the number of tokens, events, pools and processes.

import type { Bench } from '../bench.js';
import { call } from '../callers.js';
import { withClient } from '../cluster.js';
import { load } from '../http-load.js';
import { quantile, type Quantiles } from '../../harness/numbers.js';
import { idsOfTokens, makePast, type Past } from '../past.js';
import { inRounds, type Case, type Row } from '../rounds.js';
import { startServer, type ServerProcess } from '../server-process.js';
import { createFullPool, LONG_SECONDS, USER } from '../service.js';
import { openService, type Service } from '../../harness/service.js';
import { TimedReader, type Timed } from '../timed-reader.js';

export interface PageTimes {
  readonly what: string;
  readonly rows: number;
  readonly limit: number;
  readonly inDatabase: Quantiles;
  readonly forCaller: Quantiles;
}

export interface ScaleResult {
  /** Allocations of 100 callers; `at` is the number of tokens. */
  readonly poolSizes: readonly Row[];
  /** Allocations of 100 callers on a pool of 100; `at` is the number of events. */
  readonly auditSizes: readonly Row[];
  readonly pages: readonly PageTimes[];
  /** Allocations of 1,000 callers; `at` is the number of pools. */
  readonly manyPools: readonly Row[];
  /** Allocations over HTTP on 64 connections; `at` is the number of processes. */
  readonly processes: readonly Row[];
}

const CALLERS = 100;

export async function measureScale(bench: Bench): Promise<ScaleResult> {
  const poolSizes = await measurePoolSizes(bench);
  const { auditSizes, pages } = await measureAuditSizes(bench);
  const manyPools = await measureManyPools(bench);
  const processes = await measureProcesses(bench);
  return { poolSizes, auditSizes, pages, manyPools, processes };
}

const allocations = (what: string, at: number, service: Service, pool: string, seconds: number): Case => ({
  what,
  at,
  measure: () => call(CALLERS, seconds, () => service.service.allocate(pool, { userId: USER })),
});

async function measurePoolSizes({ isShort, rounds, cluster, say }: Bench): Promise<Row[]> {
  const database = await cluster.createDatabase('pool_sizes');
  const sizes = isShort ? [100, 50_000] : [100, 10_000, 1_000_000];
  await withClient(database.url, async (client) => {
    for (const tokens of sizes) await makePast(client, { pool: `of-${tokens}`, tokens, grants: tokens }, say);
  });
  const service = await openService(database.url);
  const seconds = isShort ? 0.5 : 3;
  const cases = sizes.map((size) => allocations('tokens in the pool', size, service, `of-${size}`, seconds));
  for (const { measure } of cases) await measure();
  const rows = await inRounds(rounds, cases, say);
  await service.close();
  await database.drop();
  return rows;
}

async function measureAuditSizes({ isShort, rounds, cluster, say }: Bench) {
  const sizes = isShort ? [50_000, 300_000] : [100_000, 10_000_000];
  const audits = [];
  for (const size of sizes) {
    const database = await cluster.createDatabase(`events_${size}`);
    const past: Past = { pool: 'busy', tokens: 100, grants: size / 2 };
    await withClient(database.url, (client) => makePast(client, past, say));
    audits.push({ size, past, database, service: await openService(database.url) });
  }
  const seconds = isShort ? 0.5 : 3;
  const cases = audits.map(({ size, service }) => allocations('events in the audit', size, service, 'busy', seconds));
  for (const { measure } of cases) await measure();
  const auditSizes = await inRounds(rounds, cases, say);
  const pages: PageTimes[] = [];
  for (const { database, past } of audits)
    pages.push(...(await timePages(database.url, past, isShort ? 100 : 2000, say)));
  for (const { service, database } of audits) {
    await service.close();
    await database.drop();
  }
  return { auditSizes, pages };
}

async function timePages(url: string, past: Past, samples: number, say: (what: string) => void): Promise<PageTimes[]> {
  const reader = await TimedReader.open(url);
  const anySeq = (): number => 1 + Math.floor(Math.random() * past.grants * 2);
  const anyFence = (): number => 1 + Math.floor(Math.random() * past.grants);
  const ids = await withClient(url, (client) => idsOfTokens(client, past));
  const anyToken = (): string => ids[Math.floor(Math.random() * ids.length)] as string;
  const pages: PageTimes[] = [];
  for (const limit of [100, 1000]) {
    const reads = {
      events: () => reader.time((on) => on.tokens.events(anyToken(), { limit, cursor: cursor('events', anySeq()) })),
      history: () =>
        reader.time((on) => on.tokens.history(anyToken(), { limit, cursor: cursor('history', anyFence()) })),
      feed: () => reader.time((on) => on.feed.page(past.pool, anySeq(), limit)),
    };
    for (const [what, read] of Object.entries(reads)) {
      for (let i = 0; i < samples / 10; i++) await read();
      const times: Timed[] = [];
      for (let i = 0; i < samples; i++) times.push(await read());
      const of = (field: keyof Timed) => {
        const values = times.map((one) => one[field]);
        return { p50: quantile(values, 0.5), p99: quantile(values, 0.99) };
      };
      const page = { what, rows: past.grants * 2, limit, inDatabase: of('inDatabase'), forCaller: of('forCaller') };
      pages.push(page);
      say(`${what}, ${limit} of ${page.rows} rows: p99 ${page.inDatabase.p99.toFixed(2)} ms in the database`);
    }
  }
  await reader.close();
  return pages;
}

/** @returns a cursor for any place of a list, in the form of the reader's cursor.ts */
const cursor = (list: string, place: number): string => Buffer.from(`${list}~${place}`).toString('base64url');

async function measureManyPools({ isShort, rounds, cluster, say }: Bench): Promise<Row[]> {
  const database = await cluster.createDatabase('many_pools');
  const service = await openService(database.url);
  const count = 1000;
  const name = (number: number): string => `pool-${number}`;
  say(`making ${count} pools`);
  for (let first = 0; first < count; first += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => createFullPool(service, name(first + i), 10)));
  }
  await createFullPool(service, 'one', 1000);
  const allocate = (pool: string) => service.service.allocate(pool, { userId: USER });
  const seconds = isShort ? 0.7 : 4;
  const cases: Case[] = [
    { what: 'pools at once', at: 1, measure: () => call(count, seconds, () => allocate('one')) },
    { what: 'pools at once', at: count, measure: () => call(count, seconds, (caller) => allocate(name(caller))) },
  ];
  const rows = await inRounds(rounds, cases, say);
  await service.close();
  await database.drop();
  return rows;
}

async function measureProcesses({ isShort, rounds, cluster, resources, say, logFile }: Bench): Promise<Row[]> {
  const database = await cluster.createDatabase('processes');
  const env = { DATABASE_URL: database.url, TOKEN_TTL_SECONDS: String(LONG_SECONDS) };
  const counts = isShort ? [1, 2] : [1, 2, 4];
  const servers: ServerProcess[] = [];
  for (let i = 0; i < Math.max(...counts); i++) {
    servers.push(await startServer('service', env, logFile(`service-${i}`), resources));
  }
  const target = (count: number) => ({
    urls: servers.slice(0, count).map(({ url }) => url),
    path: '/api/tokens/allocate',
    body: JSON.stringify({ user_id: USER }),
  });
  await load(target(servers.length), 64, isShort ? 0.5 : 5);
  const seconds = isShort ? 0.7 : 4;
  const rows = await inRounds(
    rounds,
    counts.map((at): Case => ({ what: 'API processes', at, measure: () => load(target(at), 64, seconds) })),
    say,
  );
  for (const server of servers) await server.stop();
  await database.drop();
  return rows;
}

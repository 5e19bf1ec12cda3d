// A rolling restart under load: replaces two processes of one version by two of another, one after the other, on one
// database, and back. No client may notice.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditPool } from '@app/tokens';
import { createDataSource, PostgresAuditSource, PostgresPoolReader } from '@app/postgres';
import { about } from '../../harness/about.js';
import { ask } from '../../harness/ask.js';
import { ApiProcess } from '../../harness/api-process.js';
import { check } from '../check/check.js';
import { DatabaseServer } from '../../harness/database-server.js';
import { writeFinalState } from '../final-state.js';
import { HistoryWriter, readHistory, wallNow, type Operation } from '../history.js';
import { Client } from '../load/client.js';
import { makePools, PLAIN_POOLS, SERVICE_ENV } from '../load/pools.js';
import { Recorder } from '../load/recorder.js';
import { follow } from '../load/tail.js';
import { Random } from '../../harness/random.js';
import { Balancer } from '../../harness/balancer.js';

/** A compiled service. */
export interface Version {
  readonly name: string;
  readonly main: string;
}

export interface UpgradeOptions {
  readonly from: Version;
  readonly to: Version;
  /** The time between two restarts, in milliseconds. */
  readonly quietMs: number;
  readonly clients: number;
  /** How many processes go back to the first version. */
  readonly backAgain: number;
  readonly seed: number;
  /** The folder for history and logs; the upgrade creates it. */
  readonly directory: string;
  readonly say: (line: string) => void;
}

export interface UpgradeResult {
  readonly steps: readonly Step[];
  readonly requests: number;
  /** Requests without an answer, or with a 5xx answer, in words. */
  readonly failed: readonly string[];
  /** Findings of the checker and of the audit, and exit codes other than 0. */
  readonly findings: readonly string[];
}

/** The replacement of one process by another. */
export interface Step {
  readonly what: string;
  readonly requests: number;
  /** The longest wait of a client in this step, in milliseconds. */
  readonly slowestMs: number;
  /** The time until the new process was ready, in milliseconds. */
  readonly ms: number;
}

const PROCESSES = 2;

export async function upgrade(options: UpgradeOptions): Promise<UpgradeResult> {
  const { from, to, quietMs, seed, clients, backAgain, directory, say } = options;
  mkdirSync(directory, { recursive: true });
  const surroundings = about();
  const database = await DatabaseServer.start();
  const balancer = await Balancer.open();
  const findings: string[] = [];
  const running: ApiProcess[] = [];
  let started = 0;
  const start = async ({ name, main }: Version): Promise<ApiProcess> => {
    const env = { ...SERVICE_ENV, DATABASE_URL: database.url };
    const api = await ApiProcess.prepare(++started, main, env, join(directory, `api-${started}-${name}.log`));
    running.push(api);
    await api.start();
    balancer.add(api.port);
    return api;
  };
  const end = async (api: ApiProcess): Promise<void> => {
    api.signal('SIGTERM');
    const code = await Promise.race([api.ended(), sleep(11_000, 'nothing', { ref: false })]);
    if (code !== 0) findings.push(`process ${api.number} ended with ${code} after SIGTERM`);
  };
  try {
    for (let count = 0; count < PROCESSES; count++) await start(from);
    await makePools(balancer.port, PLAIN_POOLS);
    const history = new HistoryWriter(join(directory, 'history.jsonl'));
    const wallAtZero = wallNow() - history.now() / 1000;
    history.write({
      kind: 'run',
      seed,
      seconds: 0,
      processes: PROCESSES,
      clients,
      auth: 'open',
      saysWho: false,
      nemeses: [],
      skipped: [],
      clock: null,
      about: surroundings,
      postgres: database.version,
      pools: PLAIN_POOLS,
      wallAtZero,
    });
    const recorder = new Recorder(history);
    const random = new Random(seed);
    const targets = [{ number: 0, port: balancer.port }];
    let isOver = false;
    const load = [
      ...Array.from({ length: clients }, (_, place) =>
        new Client(`c${place}`, targets, PLAIN_POOLS, recorder, random.fork()).run(() => isOver),
      ),
      ...PLAIN_POOLS.map(({ name }) => follow(name, targets, undefined, recorder, random.fork(), () => isOver)),
    ];
    const spans: { what: string; begun: number; over: number }[] = [];
    try {
      await sleep(quietMs);
      // The old version must also run on the new schema, which migrations only expand.
      for (const [before, after, count] of [
        [from, to, PROCESSES],
        [to, from, backAgain],
      ] as const) {
        // The old version must also run beside events and a kind of pool that it does not know.
        if (before === to) {
          await changePolicies(balancer.port);
          await useThings(balancer.port);
          await useLine(balancer.port);
        }
        for (const api of running.splice(0, count)) {
          const begun = history.now();
          await end(api);
          await start(after);
          const what = `${before.name} → ${after.name}, process ${api.number}`;
          spans.push({ what, begun, over: history.now() });
          say(`${(begun / 1e9).toFixed(1).padStart(6)} s  ${what}: ready again after ${ms(history.now() - begun)} ms`);
          await sleep(quietMs);
        }
      }
    } finally {
      isOver = true;
      await Promise.all(load);
    }
    await Promise.all(running.map(end));
    await writeFinalState(history, database.url, PLAIN_POOLS);
    history.write({ kind: 'end', at: history.now(), wall: wallNow() });
    await history.close();
    findings.push(...(await audits(database.url)));
    const { operations, ...rest } = await readHistory(history.file);
    findings.push(...check({ operations, ...rest }).map(({ rule, what }) => `${rule}: ${what}`));
    return {
      steps: spans.map(({ what, begun, over }) => {
        const meanwhile = operations.filter(({ sent, answered }) => answered > begun && sent < over);
        const slowest = Math.max(0, ...meanwhile.map(({ sent, answered }) => answered - sent));
        return { what, requests: meanwhile.length, slowestMs: ms(slowest), ms: ms(over - begun) };
      }),
      requests: operations.length,
      failed: operations.filter(hasFailed).map(inWords),
      findings,
    };
  } finally {
    balancer.close();
    await Promise.all(running.map((api) => api.kill()));
    await database.remove();
  }
}

/** Changes a field of each policy that the checker does not judge. */
async function changePolicies(port: number): Promise<void> {
  for (const { name } of PLAIN_POOLS) {
    const body = { max_lifetime_seconds: 7 };
    const { status } = await ask(port, { method: 'PATCH', path: `/api/pools/${name}`, body });
    if (status !== 200) throw new Error(`the policy of ${name} could not be changed: ${status}`);
  }
}

type Ask = (method: string, path: string, body: object) => Promise<Readonly<Record<string, unknown>>>;

/** Asks for what must be done. */
const asking =
  (port: number): Ask =>
  async (method, path, body) => {
    const reply = await ask(port, { method, path, body });
    if (reply.status === null || reply.status >= 300) {
      throw new Error(`${method} ${path} was answered ${reply.status} ${JSON.stringify(reply.body)}`);
    }
    return reply.body;
  };

/** Creates a listed pool and uses it, while every process is of the version that knows such pools. */
async function useThings(port: number): Promise<void> {
  const done = asking(port);
  const things = ['a', 'b', 'c'].map((name, n) => ({ name, attributes: { even: n % 2 === 0 } }));
  const select = { even: true };
  await done('POST', '/api/pools', { name: 'things', kind: 'listed', on_exhausted: 'evict_oldest' });
  await done('PUT', '/api/pools/things/tokens', { tokens: things });
  for (let count = 0; count < 3; count++) await done('POST', '/api/tokens/allocate', { pool: 'things', select });
  const { token_id } = await done('POST', '/api/tokens/allocate', { pool: 'things', name: 'b' });
  await done('PATCH', `/api/tokens/${String(token_id)}`, { name: 'd', attributes: {} });
}

/**
 * Creates a pool with a line and uses it, while every process is of the version that knows lines. Nobody waits any more
 * when the older version comes back, which would end an offer like any other lease.
 */
async function useLine(port: number): Promise<void> {
  const done = asking(port);
  const policy = { size: 1, ttl_seconds: 60, claim_seconds: 60, patience_seconds: 300, max_waiting: 10 };
  await done('POST', '/api/pools', { name: 'line', kind: 'fixed', on_exhausted: 'reject', ...policy });
  const held = await done('POST', '/api/tokens/allocate', { pool: 'line' });
  const places = [];
  for (let place = 1; place <= 4; place++) places.push(await done('POST', '/api/tickets', { pool: 'line' }));
  await done('POST', `/api/tokens/${String(held['token_id'])}/release`, { lease_id: held['lease_id'] });
  const claimed = await done('POST', `/api/tickets/${String(places[0]!['id'])}/claim`, { wait_seconds: 5 });
  if (claimed['fence'] !== 2) throw new Error(`the first in line got ${JSON.stringify(claimed)}`);
  for (const { id } of places.slice(1)) await done('DELETE', `/api/tickets/${String(id)}`, {});
}

const ms = (ns: number): number => Math.round(ns / 1e6);

/** A refusal by the contract, such as `pool_exhausted`, is no failure. */
const hasFailed = ({ status }: Operation): boolean => status === null || status >= 500;

const inWords = ({ id, call, status, error, detail, sent }: Operation): string =>
  `${call.do} ${id}, sent after ${(sent / 1e9).toFixed(2)} s: ${status} ${error} ${detail ?? ''}`;

async function audits(url: string): Promise<string[]> {
  const source = await createDataSource(url).initialize();
  try {
    const [pools, events] = [new PostgresPoolReader(source), new PostgresAuditSource(source)];
    const reports = await Promise.all((await pools.pools()).map(({ name }) => auditPool(events, name)));
    return reports.flatMap(({ pool, findings }) => findings.map((what) => `audit of ${pool}: ${what}`));
  } finally {
    await source.destroy();
  }
}

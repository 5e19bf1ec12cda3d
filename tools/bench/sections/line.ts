// Measures what a line costs: grants while many wait, while nobody does and in a pool without a line; the time until a
// process answers a request for which another has freed the token; and the memory of requests that wait.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenGrant } from '@app/tokens';
import { ask, type Reply } from '../../harness/ask.js';
import { quantile, type Quantiles } from '../../harness/numbers.js';
import { openService, type Service } from '../../harness/service.js';
import type { Bench } from '../bench.js';
import type { Measured } from '../measured.js';
import { inRounds, type Case, type Row } from '../rounds.js';
import { startServer, type ServerProcess } from '../server-process.js';
import { LONG_SECONDS, USER } from '../service.js';

export const NO_LINE = 'release and allocate, no line';
export const NOBODY = 'release and allocate, nobody waits';
export const FEW = 'release and claim, few wait';
export const MANY = 'release and claim, many wait';

export interface LineResult {
  /** How many wait at least, while the grants of MANY are measured. */
  readonly waiting: number;
  readonly rows: readonly Row[];
  /** From the request to release a token in one process to the grant by another, in milliseconds. */
  readonly wake: Quantiles & { readonly count: number };
  readonly held: HeldMemory;
}

interface HeldMemory {
  readonly requests: number;
  readonly rssMb: readonly [before: number, meanwhile: number];
  readonly heapMb: readonly [before: number, meanwhile: number];
}

const MOST_CALLERS = 64;
/** How many take a place in one transaction. */
const AT_ONCE = 100;
const MB = 1024 * 1024;
const WAITING_POLICY = { on_exhausted: 'reject', max_waiting: 10_000, ttl_seconds: LONG_SECONDS };
/** The longest time for which a request may wait. */
const WAIT_SECONDS = 60;
const WAIT_MS = 90_000;

export async function measureLine(bench: Bench): Promise<LineResult> {
  const { isShort, rounds, cluster, say } = bench;
  const waiting = 1000;
  const database = await cluster.createDatabase('line');
  const service = await openService(database.url);
  const [none, nobody, few, many] = [
    await LinePool.open(service, 'none', 0),
    await LinePool.open(service, 'nobody', 100_000),
    await LinePool.open(service, 'few', 100_000),
    await LinePool.open(service, 'many', 100_000),
  ];
  const grants = (at: number): number => (isShort ? 10 : 50) * at + (isShort ? 10 : 150);
  const cases = [1, MOST_CALLERS].flatMap((at): Case[] => [
    { what: NO_LINE, at, measure: () => none.regrant(at, grants(at)) },
    { what: NOBODY, at, measure: () => nobody.regrant(at, grants(at)) },
    { what: FEW, at, measure: () => few.serveLine(at, grants(at), 0) },
    { what: MANY, at, measure: () => many.serveLine(at, grants(at), waiting) },
  ]);
  say(`warming up: ${waiting} take a place`);
  await many.fillLine(waiting);
  for (const { measure } of cases) await measure();
  const rows = await inRounds(rounds, cases, say);
  await service.close();
  await database.drop();
  const { wake, held } = await measureProcesses(bench);
  return { waiting, rows, wake, held };
}

/** A pool of which each caller holds a token. */
class LinePool {
  /** The tickets that wait, in order. */
  readonly #line: string[] = [];

  private constructor(
    private readonly of: Service,
    private readonly name: string,
    private readonly held: OpenGrant[],
  ) {}

  static async open(of: Service, name: string, maxWaiting: number): Promise<LinePool> {
    const policy = { size: MOST_CALLERS, ttlSeconds: LONG_SECONDS, onExhausted: 'reject' } as const;
    const line = { maxWaiting, claimSeconds: LONG_SECONDS, patienceSeconds: LONG_SECONDS };
    await of.service.createPool(name, 'fixed', { ...policy, ...line });
    const held = Array.from({ length: MOST_CALLERS }, () => of.service.allocate(name, { userId: USER }));
    return new LinePool(of, name, await Promise.all(held));
  }

  /** Takes places until so many wait. */
  async fillLine(length: number): Promise<void> {
    while (this.#line.length < length) {
      const more = Array.from({ length: Math.min(length - this.#line.length, AT_ONCE) }, () =>
        this.of.line.queue(this.name, { userId: randomUUID(), count: 1 }),
      );
      this.#line.push(...(await Promise.all(more)).map(({ id }) => id));
    }
  }

  /** Gives tokens back, and asks for them again. */
  regrant(callers: number, grants: number): Promise<Measured> {
    return measured(callers, grants, async (caller) => {
      await this.#release(caller);
      this.held[caller] = await this.of.service.allocate(this.name, { userId: USER });
    });
  }

  /**
   * Gives tokens back, and claims them for the first in line.
   * @param waiting how many wait behind those that are served
   */
  serveLine(callers: number, grants: number, waiting: number): Promise<Measured> {
    const atOnce = 4 * callers;
    const refill = (): Promise<void> => this.fillLine(waiting + atOnce);
    return measured(callers, grants, (caller) => this.#serve(caller), { atOnce, refill });
  }

  async #serve(caller: number): Promise<void> {
    await this.#release(caller);
    // The commands of a process take effect in their order, so as many of the first have an offer as were released.
    const [grant] = (await this.of.line.claim(this.name, this.#line.shift()!, 0)) ?? [];
    if (!grant) throw new Error('the first in line has no offer');
    this.held[caller] = grant;
  }

  #release(caller: number): Promise<unknown> {
    const { tokenId, leaseId } = this.held[caller]!;
    return this.of.service.release(tokenId, { leaseId });
  }
}

/**
 * Does the work so many times, and not for a time, because each time takes one from the line. Before every `atOnce` of
 * them it refills the line, which does not count.
 */
async function measured(
  callers: number,
  times: number,
  work: (caller: number) => Promise<unknown>,
  { atOnce = times, refill }: { readonly atOnce?: number; readonly refill?: () => Promise<void> } = {},
): Promise<Measured> {
  const latencies: number[] = [];
  let [left, ms] = [0, 0];
  const one = async (caller: number): Promise<void> => {
    while (left-- > 0) {
      const began = performance.now();
      await work(caller);
      latencies.push(performance.now() - began);
    }
  };
  while (latencies.length < times) {
    await refill?.();
    left = Math.min(atOnce, times - latencies.length);
    const begun = performance.now();
    await Promise.all(Array.from({ length: callers }, (_, caller) => one(caller)));
    ms += performance.now() - begun;
  }
  return {
    rate: times / (ms / 1000),
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    refused: 0,
  };
}

async function measureProcesses({ isShort, cluster, resources, say, logFile }: Bench) {
  const database = await cluster.createDatabase('line_processes');
  // The first one migrates.
  const start = () => startServer('service', { DATABASE_URL: database.url }, logFile('line'), resources);
  const servers = [await start(), await start()] as const;
  const wake = await measureWake(servers, isShort ? 40 : 300);
  say(`${wake.count} requests were answered by the other process, p99 ${wake.p99.toFixed(0)} ms`);
  const held = await measureHeld(servers[1], isShort ? 200 : 1000);
  say(`${held.requests} requests wait`);
  for (const server of servers) await server.stop();
  await database.drop();
  return { wake, held };
}

const portOf = ({ url }: ServerProcess): number => Number(new URL(url).port);

const post = (server: ServerProcess, path: string, body: object): Promise<Reply> =>
  ask(portOf(server), { method: 'POST', path, body }, WAIT_MS);

const wait = (server: ServerProcess, pool: string): Promise<Reply> =>
  post(server, '/api/tokens/allocate', { pool, wait_seconds: WAIT_SECONDS });

/** @throws Error when so many do not wait in time */
async function untilWaiting(server: ServerProcess, pool: string, count: number): Promise<void> {
  for (const end = performance.now() + WAIT_MS; performance.now() < end;) {
    const { body } = await ask(portOf(server), { method: 'GET', path: `/api/pools/${pool}/tickets?limit=1` });
    const [first] = body['tickets'] as { waiting: number }[];
    if (first?.waiting === count) return;
    await sleep(5);
  }
  throw new Error(`${count} requests do not wait in pool ${pool}`);
}

async function measureWake(
  [one, other]: readonly [ServerProcess, ServerProcess],
  count: number,
): Promise<LineResult['wake']> {
  const pool = 'wake';
  await post(one, '/api/pools', { name: pool, kind: 'fixed', size: 1, ...WAITING_POLICY });
  let { body: grant } = await post(one, '/api/tokens/allocate', { pool });
  const took: number[] = [];
  for (let n = 0; n < count; n++) {
    const held = wait(other, pool);
    await untilWaiting(one, pool, 1);
    // A process looks every 100 ms for what others did: the release comes at any instant between two looks.
    await sleep(Math.random() * 100);
    const began = performance.now();
    await post(one, `/api/tokens/${String(grant['token_id'])}/release`, { lease_id: grant['lease_id'] });
    const answer = await held;
    if (answer.status !== 200) throw new Error(`a request that waited was answered ${answer.status}`);
    took.push(performance.now() - began);
    grant = answer.body;
  }
  return { count, p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}

async function measureHeld(server: ServerProcess, requests: number): Promise<HeldMemory> {
  const pool = 'held';
  await post(server, '/api/pools', { name: pool, kind: 'fixed', size: 1, ...WAITING_POLICY });
  await post(server, '/api/tokens/allocate', { pool });
  const before = await server.vitals();
  const held: Promise<Reply>[] = [];
  // Too many at once would wait for the queue of commands, and some of them for too long.
  while (held.length < requests) {
    held.push(...Array.from({ length: Math.min(AT_ONCE, requests - held.length) }, () => wait(server, pool)));
    await untilWaiting(server, pool, held.length);
  }
  const meanwhile = await server.vitals();
  // That answers them all.
  await ask(portOf(server), { method: 'DELETE', path: `/api/pools/${pool}?force=true` });
  await Promise.all(held);
  const mb = (of: 'rssBytes' | 'heapBytes') => [before[of] / MB, meanwhile[of] / MB] as const;
  return { requests, rssMb: mb('rssBytes'), heapMb: mb('heapBytes') };
}

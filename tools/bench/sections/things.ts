// Compares a listed pool with a fixed one of the same size, in the process and over HTTP: plain allocations, and
// selections of many and of few things. And the time of an import.

import type { PlainThing } from '@app/tokens';
import type { Bench } from '../bench.js';
import { call } from '../callers.js';
import { inRounds, type Case, type Row } from '../rounds.js';
import { startServer } from '../server-process.js';
import { LONG_SECONDS, USER } from '../service.js';
import { overHttp, sideBySide } from '../side-by-side.js';
import { openService, type Service } from '../../harness/service.js';

export const PLAIN = 'allocate, fixed pool';
export const LISTED = 'allocate, listed pool';
export const MANY = 'allocate, a tenth selected';
export const FEW = 'allocate, a thousandth selected';

export interface ThingsResult {
  /** The things of the pool. */
  readonly things: number;
  /** In the process. */
  readonly rows: readonly Row[];
  readonly overHttp: readonly Row[];
  /** The duration of each import of all things, in seconds. */
  readonly importSeconds: readonly number[];
  /** The same where nothing changes. */
  readonly againSeconds: readonly number[];
}

const CALLERS = 64;
/** The most that one request may import. */
const AT_ONCE = 1000;
const COUNTRIES = 10;
const MODELS = 1000;

export async function measureThings(bench: Bench): Promise<ThingsResult> {
  const { isShort, rounds, cluster, say, logFile, resources } = bench;
  const things = isShort ? 2000 : 10_000;
  const database = await cluster.createDatabase('things');
  const service = await openService(database.url);
  const policy = { size: things, ttlSeconds: LONG_SECONDS, onExhausted: 'evict_oldest' } as const;
  await service.service.createPool('plain', 'fixed', policy);
  await service.service.createPool('listed', 'listed', policy);
  const list = Array.from({ length: things }, (_, n): PlainThing => ({
    name: `+49 30 ${n}`,
    attributes: { country: `c${n % COUNTRIES}`, model: n % MODELS, sms: n % 2 === 0 },
  }));
  const [importSeconds, againSeconds]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const pool = round === 0 ? 'listed' : `listed-${round}`;
    if (round > 0) await service.service.createPool(pool, 'listed', policy);
    importSeconds.push(await imported(service, pool, list));
    againSeconds.push(await imported(service, pool, list));
    say(
      `imported ${things} things in ${importSeconds.at(-1)!.toFixed(2)} s, again in ${againSeconds.at(-1)!.toFixed(2)} s`,
    );
  }
  const ask = (pool: string, select?: () => Record<string, string | number>) => () =>
    service.service.allocate(pool, { userId: USER, select: select?.() });
  const works = [
    { what: PLAIN, work: ask('plain') },
    { what: LISTED, work: ask('listed') },
    { what: MANY, work: ask('listed', () => ({ country: 'c3' })) },
    { what: FEW, work: ask('listed', () => ({ model: 7 })) },
  ];
  const seconds = isShort ? 0.5 : 3;
  say('warming up: takes every token once');
  for (const { work } of works.slice(0, 2)) await call(CALLERS, isShort ? 1 : 4, work);
  const cases = works.map(({ what, work }): Case => ({
    what,
    at: CALLERS,
    measure: () => call(CALLERS, seconds, work),
  }));
  const rows = await inRounds(rounds, cases, say);
  await service.close();
  const server = await startServer('service', { DATABASE_URL: database.url }, logFile('things'), resources);
  const contender = (what: string, pool: string, select?: object) => overHttp(what, server, {}, { pool, select });
  const contenders = [
    contender(PLAIN, 'plain'),
    contender(LISTED, 'listed'),
    contender(MANY, 'listed', { country: 'c3' }),
  ];
  const rowsOverHttp = await sideBySide(bench, contenders, [1, CALLERS]);
  await server.stop();
  await database.drop();
  return { things, rows, overHttp: rowsOverHttp, importSeconds, againSeconds };
}

async function imported({ service }: Service, pool: string, list: readonly PlainThing[]): Promise<number> {
  const began = performance.now();
  for (let at = 0; at < list.length; at += AT_ONCE) {
    await service.importThings(pool, list.slice(at, at + AT_ONCE), false);
  }
  return (performance.now() - began) / 1000;
}

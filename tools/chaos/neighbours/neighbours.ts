// Measures what is left of the service for a key with a pool of its own while another key attacks. Rounds alone and
// rounds beside the attack alternate on one process, so that changes of the machine affect both alike.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiKeys, type KeyRequest } from '@app/keys';
import { createDataSource, PostgresApiKeyStore } from '@app/postgres';
import { median } from '../../harness/numbers.js';
import { about, type About } from '../../harness/about.js';
import { ApiProcess } from '../../harness/api-process.js';
import { BuiltService } from '../../harness/built-service.js';
import { DatabaseServer } from '../../harness/database-server.js';
import { ask } from '../../harness/ask.js';
import { Tally } from '../overload/tally.js';
import { requestTo, Wire } from '../../harness/wire.js';
import { startAttack } from './attack-process.js';
import { ATTACKS, LARGE, THEIRS, type Attack } from './attacks.js';

const MINE = 'mine';
const POOLS = [
  { name: MINE, kind: 'fixed', size: 1000, ttl_seconds: 3600 },
  { name: THEIRS, kind: 'fixed', size: 1000, ttl_seconds: 3600 },
  { name: LARGE, kind: 'fixed', size: 200_000, ttl_seconds: 3600 },
  ...Array.from({ length: 2000 }, (_, number) => ({ name: `small-${number}`, kind: 'elastic', size: 1 })),
];

export const CALLERS = 4;
/** The pause after each answer, so that the victim stays below the default rate limit. */
export const PAUSE_MS = 5;
export const ROUNDS = 5;
/** The time for the service to settle after the start and after the end of an attack. */
const SETTLED_MS = 500;

export interface NeighboursOptions {
  readonly attacks: readonly string[];
  /** The length of each round. */
  readonly seconds: number;
  readonly directory: string;
  readonly say: (line: string) => void;
}

/** Medians of the rounds. */
export interface Share {
  /** Allocates and releases that succeeded. */
  readonly perSecond: number;
  readonly p99Ms: number;
}

export interface Row {
  readonly name: string;
  readonly what: string;
  readonly alone: Share;
  readonly beside: Share;
  /** The attacker's answers a second, by status. */
  readonly attacker: Readonly<Record<string, number>>;
}

export interface NeighboursResult {
  readonly about: About;
  readonly seconds: number;
  readonly rows: readonly Row[];
}

export async function neighbours({ attacks, seconds, directory, say }: NeighboursOptions): Promise<NeighboursResult> {
  mkdirSync(directory, { recursive: true });
  const surroundings = about();
  const service = await BuiltService.build();
  const database = await DatabaseServer.start();
  const env = { DATABASE_URL: database.url, AUTH: 'keys', LOG_LEVEL: 'error' };
  const api = await ApiProcess.prepare(1, service.main, env, join(directory, 'api.log'));
  try {
    await api.start();
    const keys = await makeKeys(database.url);
    await makePools(api.port, keys.maker);
    await tidy(database.url);
    const rows: Row[] = [];
    for (const attack of ATTACKS.filter(({ name }) => attacks.includes(name))) {
      const row = await measure(attack, api.port, keys, seconds);
      rows.push(row);
      say(
        `${attack.name}: ${Math.round(row.alone.perSecond)}/s alone, ${Math.round(row.beside.perSecond)}/s beside it; ` +
          `p99 ${row.alone.p99Ms.toFixed(1)} and ${row.beside.p99Ms.toFixed(1)} ms; answered ${answersOf(row)}`,
      );
    }
    return { about: surroundings, seconds, rows };
  } finally {
    await api.kill();
    await database.remove();
    service.remove();
  }
}

/** @returns the answers a second with each status, in words */
export const answersOf = ({ attacker }: Row): string =>
  Object.entries(attacker)
    .map(([status, perSecond]) => `${status} × ${Math.round(perSecond)}`)
    .join(', ') || 'nothing';

/** The keys as header values. */
interface Keys {
  readonly maker: string;
  readonly victim: string;
  readonly attacker: string;
}

async function makeKeys(databaseUrl: string): Promise<Keys> {
  const source = await createDataSource(databaseUrl, { poolSize: 1 }).initialize();
  try {
    const keys = new ApiKeys(new PostgresApiKeyStore(source));
    const header = async (scopes: KeyRequest['scopes'], pools: string[] | null): Promise<string> =>
      `authorization: Bearer ${(await keys.create({ name: 'neighbours', scopes, pools }, null)).key}\r\n`;
    return {
      maker: await header(['read', 'pools'], null),
      victim: await header(['use'], [MINE]),
      attacker: await header(['read', 'use', 'operate'], null),
    };
  } finally {
    await source.destroy();
  }
}

async function makePools(port: number, maker: string): Promise<void> {
  const authorization = maker.slice('authorization: '.length).trim();
  for (const body of POOLS) {
    const asked = { method: 'POST', path: '/api/pools', body, headers: { authorization } };
    let reply = await ask(port, asked, 120_000);
    for (; reply.status === 429; reply = await ask(port, asked)) await sleep(Number(reply.retryAfter) * 1000);
    if (reply.status !== 201) throw new Error(`the pool ${body.name} could not be made: ${reply.status}`);
  }
}

/** Otherwise autovacuum would run during the first attacks, since the setup creates many tokens. */
async function tidy(databaseUrl: string): Promise<void> {
  const source = await createDataSource(databaseUrl, { poolSize: 1 }).initialize();
  try {
    await source.query('VACUUM ANALYZE');
    await source.query('CHECKPOINT');
  } finally {
    await source.destroy();
  }
}

async function measure(attack: Attack, port: number, keys: Keys, seconds: number): Promise<Row> {
  const { name, what } = attack;
  const alone: Share[] = [];
  const beside: Share[] = [];
  const attacker: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await use(port, keys.victim, seconds));
    const process = await startAttack(name, port, keys.attacker);
    const begun = performance.now();
    await sleep(SETTLED_MS);
    beside.push(await use(port, keys.victim, seconds));
    const underWay = (performance.now() - begun) / 1000;
    for (const [status, times] of Object.entries(await process.end()))
      attacker[status] = (attacker[status] ?? 0) + times / underWay / ROUNDS;
    await sleep(SETTLED_MS);
  }
  return { name, what, alone: medianOf(alone), beside: medianOf(beside), attacker };
}

const medianOf = (shares: readonly Share[]): Share => ({
  perSecond: median(shares.map(({ perSecond }) => perSecond)),
  p99Ms: median(shares.map(({ p99Ms }) => p99Ms)),
});

/** Lets some callers take and release tokens for some seconds. */
async function use(port: number, key: string, seconds: number): Promise<Share> {
  const tally = new Tally();
  const until = performance.now() + seconds * 1000;
  const ask = async (wire: Wire, request: Buffer): ReturnType<Wire['ask']> => {
    const reply = await wire.ask(request);
    tally.count(reply);
    await sleep(PAUSE_MS);
    return reply;
  };
  const allocate = requestTo('/api/tokens/allocate', { pool: MINE }, key);
  const caller = async (): Promise<void> => {
    const wire = new Wire(port);
    while (performance.now() < until) {
      const grant = await ask(wire, allocate);
      if (grant?.status !== 200) continue;
      const { token_id, lease_id } = JSON.parse(grant.body.toString()) as { token_id: string; lease_id: string };
      await ask(wire, requestTo(`/api/tokens/${token_id}/release`, { lease_id }, key));
    }
    wire.close();
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: CALLERS }, caller));
  const { goodputPerSecond, goodMs } = tally.figures((performance.now() - began) / 1000);
  return { perSecond: goodputPerSecond, p99Ms: goodMs.p99 };
}

// Compares an allocation over HTTP with a route that does nothing, bare Express, batches of one and etcd.

import type { Bench } from '../bench.js';
import { withClient } from '../cluster.js';
import { startEtcd, type Etcd } from '../etcd.js';
import { load, type Target } from '../http-load.js';
import type { ProcessorTime } from '../measured.js';
import { summarise, type ProfileSummary } from '../profile.js';
import { withProcessorTime } from '../processor-time.js';
import { inRounds, type Case, type Row } from '../rounds.js';
import { startServer, type ServerProcess } from '../server-process.js';
import { LONG_SECONDS, USER } from '../service.js';

export const SERVICE = 'allocate';
export const NO_OP = 'no-op route of the same app';
export const EXPRESS = 'bare Express';
export const BATCHES_OF_ONE = 'allocate, batches of one';
export const ETCD_TXN = 'etcd transaction';
export const ETCD_GRANT = 'etcd lease grant';

export interface HttpResult {
  readonly rows: readonly Row[];
  /** Processor time of a request at 64 connections, in microseconds; null where it is unknown. */
  readonly cpu: ProcessorTime | null;
  readonly profiles: readonly { readonly connections: number; readonly summary: ProfileSummary }[];
  /** The version of etcd; null where it is not installed. */
  readonly etcd: string | null;
  /**
   * Grants of a free token, beyond those of a token that came back because its grant did not reach the caller; their
   * number must be that of the pool's tokens.
   */
  readonly grantsWithoutEviction: number;
}

const BODY = JSON.stringify({ user_id: USER });
const ALLOCATE = '/api/tokens/allocate';
const NO_OP_PATH = '/api/tokens/no-op';
const PROFILED = [1, 64];

export async function measureHttp(bench: Bench): Promise<HttpResult> {
  const { isShort, rounds, cluster, resources, say, logFile } = bench;
  const [database, ofNoOp, ofOne] = [
    await cluster.createDatabase('http'),
    await cluster.createDatabase('http_no_op'),
    await cluster.createDatabase('http_one'),
  ];
  const start = (kind: Parameters<typeof startServer>[0], url = '') =>
    startServer(kind, { DATABASE_URL: url, TOKEN_TTL_SECONDS: String(LONG_SECONDS) }, logFile(kind), resources);
  const [service, noOp, one, express] = await Promise.all([
    start('service', database.url),
    start('no-op', ofNoOp.url),
    start('batches-of-one', ofOne.url),
    start('express'),
  ]);
  const etcd = await startEtcd(resources);
  if (!etcd) say('etcd is not on the PATH: skipped');

  const at = (server: ServerProcess, path: string): Target => ({ urls: [server.url], path, body: BODY });
  const targets: readonly (readonly [string, Target])[] = [
    [SERVICE, at(service, ALLOCATE)],
    [NO_OP, at(noOp, NO_OP_PATH)],
    [EXPRESS, at(express, NO_OP_PATH)],
    [BATCHES_OF_ONE, at(one, ALLOCATE)],
    ...ofEtcd(etcd),
  ];
  const seconds = isShort ? 0.5 : 4;
  for (const [what, target] of targets) {
    say(`warming up: ${what}`);
    await load(target, 64, isShort ? 0.4 : 3);
  }
  const cases = (isShort ? [1, 64] : [1, 8, 64, 256]).flatMap((connections) =>
    targets.map(([what, target]): Case => ({
      what,
      at: connections,
      measure: () => load(target, connections, seconds),
    })),
  );
  const rows = await inRounds(rounds, cases, say);
  const allocate = targets[0]![1];
  const { cpu } = await withProcessorTime(cluster, service, () => load(allocate, 64, seconds));
  const profiles = [];
  for (const connections of isShort ? [] : PROFILED) {
    say(`profile at ${connections} connections`);
    const profile = await service.profile(() => load(allocate, connections, 5));
    profiles.push({ connections, summary: summarise(profile) });
  }
  const grantsWithoutEviction = await withClient(database.url, async (client) => {
    const { rows: counted } = await client.query<{ n: string }>(
      `SELECT count(*) FILTER (WHERE reason = 'allocated') - count(*) FILTER (WHERE reason = 'undelivered') AS n
       FROM token_events`,
    );
    return Number(counted[0]!.n);
  });
  for (const server of [service, noOp, one, express]) await server.stop();
  await etcd?.stop();
  for (const one of [database, ofNoOp, ofOne]) await one.drop();
  return { rows, cpu, profiles, etcd: etcd?.version ?? null, grantsWithoutEviction };
}

const ofEtcd = (etcd: Etcd | null): [string, Target][] =>
  etcd
    ? [
        [ETCD_TXN, etcd.transaction],
        [ETCD_GRANT, etcd.leaseGrant],
      ]
    : [];

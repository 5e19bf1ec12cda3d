// Against the last released version: what the service lost or won since.

import { ReleasedService, releases } from '../../../chaos/src/upgrade/released-service.js';
import type { Bench } from '../bench.js';
import { load, type Target } from '../http-load.js';
import { median } from '../numbers.js';
import { processorTime, type ProcessorTime } from '../processor-time.js';
import { inRounds, type Case, type Row } from '../rounds.js';
import { startServer } from '../server-process.js';
import { LONG_SECONDS, USER } from '../service.js';

export const THIS_VERSION = 'allocate, this version';
export const RELEASED = 'allocate, the last release';

export interface ReleaseResult {
  /** The released version. */
  readonly version: string;
  readonly rows: readonly Row[];
  /** At 64 connections, medians of the rounds. */
  readonly cpu: readonly (ProcessorTime & { readonly what: string })[];
}

const BODY = JSON.stringify({ user_id: USER });

/** Both keep what they answer, so each has a database of its own. */
export async function measureRelease(bench: Bench): Promise<ReleaseResult> {
  const { isShort, rounds, cluster, belongings, say, logFile } = bench;
  const released = await ReleasedService.unpack(releases().at(-1) as string);
  belongings.add(() => released.remove());
  const databases = [await cluster.createDatabase('this_version'), await cluster.createDatabase('released')] as const;
  const start = (kind: 'service' | 'released', url: string) => {
    const env = { DATABASE_URL: url, TOKEN_TTL_SECONDS: String(LONG_SECONDS), RELEASED_MAIN: released.main };
    return startServer(kind, env, logFile(kind), belongings);
  };
  const servers = [await start('service', databases[0].url), await start('released', databases[1].url)] as const;
  const targets = servers.map(({ url }): Target => ({ urls: [url], path: '/api/tokens/allocate', body: BODY }));
  const whats = [THIS_VERSION, RELEASED];
  const seconds = isShort ? 0.5 : 4;
  for (const [place, target] of targets.entries()) {
    say(`warming up: ${whats[place]}`);
    await load(target, 64, isShort ? 0.4 : 3);
  }
  const cases = [1, 64].flatMap((connections) =>
    targets.map((target, place): Case => ({
      what: whats[place] as string,
      at: connections,
      measure: () => load(target, connections, seconds),
    })),
  );
  const rows = await inRounds(rounds, cases, say);
  const times = servers.map((): ProcessorTime[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [place, server] of servers.entries()) {
      const time = await processorTime(cluster, server, targets[place]!, seconds);
      times[place]!.push(time);
      say(`round ${round + 1}/${rounds}: ${whats[place]}: ${time.server.toFixed(0)} µs of the service's time`);
    }
  }
  const cpu = times.map((ofServer, place) => ({ what: whats[place] as string, ...middle(ofServer) }));
  for (const server of servers) await server.stop();
  for (const database of databases) await database.drop();
  return { version: released.version, rows, cpu };
}

const middle = (times: readonly ProcessorTime[]): ProcessorTime => ({
  client: median(times.map(({ client }) => client)),
  server: median(times.map(({ server }) => server)),
  postgres: times.some(({ postgres }) => postgres === null) ? null : median(times.map(({ postgres }) => postgres ?? 0)),
});

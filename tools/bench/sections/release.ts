// Compares this version with the last released one.

import { ReleasedService, releases } from '../../release/released-service.js';
import type { Bench } from '../bench.js';
import type { Row } from '../rounds.js';
import { startServer } from '../server-process.js';
import { LONG_SECONDS } from '../service.js';
import { overHttp, sideBySide } from '../side-by-side.js';

export const THIS_VERSION = 'allocate, this version';
export const RELEASED = 'allocate, the last release';

export interface ReleaseResult {
  /** The released version. */
  readonly version: string;
  readonly rows: readonly Row[];
}

/** Each version has a database of its own, since both write to it. */
export async function measureRelease(bench: Bench): Promise<ReleaseResult> {
  const { cluster, resources, logFile } = bench;
  const released = await ReleasedService.unpack(releases().at(-1) as string);
  resources.add(() => released.remove());
  const databases = [await cluster.createDatabase('this_version'), await cluster.createDatabase('released')] as const;
  const start = (kind: 'service' | 'released', url: string) => {
    const env = { DATABASE_URL: url, TOKEN_TTL_SECONDS: String(LONG_SECONDS), RELEASED_MAIN: released.main };
    return startServer(kind, env, logFile(kind), resources);
  };
  const servers = [await start('service', databases[0].url), await start('released', databases[1].url)] as const;
  const rows = await sideBySide(bench, [overHttp(THIS_VERSION, servers[0]), overHttp(RELEASED, servers[1])], [1, 64]);
  for (const server of servers) await server.stop();
  for (const database of databases) await database.drop();
  return { version: released.version, rows };
}

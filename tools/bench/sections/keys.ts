// What API keys cost over HTTP: the open service, and the same one asked with a key that it knows and whose requests it
// counts.

import { ApiKeys } from '@app/keys';
import { createDataSource, PostgresApiKeyStore } from '@app/postgres';
import type { Bench } from '../bench.js';
import type { Row } from '../rounds.js';
import { startServer } from '../server-process.js';
import { LONG_SECONDS } from '../service.js';
import { overHttp, sideBySide } from '../side-by-side.js';

export const OPEN = 'allocate, AUTH=open';
export const KEYS = 'allocate, AUTH=keys';

export interface KeysResult {
  readonly rows: readonly Row[];
}

/** Counted, and never reached. */
const RATE_LIMIT = '1000000';

export async function measureKeys(bench: Bench): Promise<KeysResult> {
  const { isShort, cluster, belongings, logFile } = bench;
  const database = await cluster.createDatabase('keys');
  const start = (env: Record<string, string>) => {
    const all = { DATABASE_URL: database.url, TOKEN_TTL_SECONDS: String(LONG_SECONDS), ...env };
    return startServer('service', all, logFile('keys'), belongings);
  };
  const open = await start({ AUTH: 'open' });
  const keys = await start({ AUTH: 'keys', RATE_LIMIT });
  const headers = { authorization: `Bearer ${await newKey(database.url)}` };
  const rows = await sideBySide(bench, [overHttp(OPEN, open), overHttp(KEYS, keys, headers)], isShort ? [64] : [1, 64]);
  for (const server of [open, keys]) await server.stop();
  await database.drop();
  return { rows };
}

async function newKey(url: string): Promise<string> {
  const source = await createDataSource(url, { poolSize: 1 }).initialize();
  const keys = new ApiKeys(new PostgresApiKeyStore(source));
  const { key } = await keys.create({ name: 'bench', scopes: ['use'], pools: null }, null);
  await source.destroy();
  return key;
}

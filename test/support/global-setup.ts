// Once a run: a throw-away PostgreSQL for the tests, or the server that TEST_DATABASE_URL names. Workers find it by
// TEST_CLUSTER_URL, and name their databases after TEST_RUN so that nothing of another run can be taken for theirs.
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type * as LocalPostgres from '../../libs/local-postgres/src/index.js';

// Jest maps neither `.js` to `.ts` nor `@app/*` outside the tests themselves.
const { startLocalPostgres } = createRequire(import.meta.url)(
  '../../libs/local-postgres/src/index.ts',
) as typeof LocalPostgres;

declare global {
  var cleanUpTestRun: () => Promise<void>;
}

export default async function setUp(): Promise<void> {
  const run = randomBytes(4).toString('hex');
  const given = process.env.TEST_DATABASE_URL;
  const { url, cleanUp } = given ? useServer(given, run) : await startCluster();
  process.env.TEST_RUN = run;
  process.env.TEST_CLUSTER_URL = url;
  globalThis.cleanUpTestRun = cleanUp;
}

function useServer(url: string, run: string) {
  return { url, cleanUp: cleanUpOnce(() => dropDatabases(url, run)) };
}

async function startCluster() {
  await removeClustersOfKilledRuns();
  const directory = await mkdtemp(join(tmpdir(), `token-pool-tests-${process.pid}-`));
  const starting = startLocalPostgres({ directory, durable: false });
  // Before the start has ended: a signal meanwhile must not leave the server behind.
  const cleanUp = cleanUpOnce(async () => {
    const server = await starting.catch(() => undefined);
    await server?.stop();
    for (const path of [directory, server?.directory ?? directory]) await rm(path, { recursive: true, force: true });
  });
  try {
    return { url: (await starting).url, cleanUp };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

/** A run that was killed outright could not clean up: the next one joins its server in order to stop it. */
async function removeClustersOfKilledRuns(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = /^token-pool-tests-(\d+)-/.exec(name)?.[1];
    if (!pid || isAlive(Number(pid))) continue;
    const directory = join(tmpdir(), name);
    const server = await startLocalPostgres({ directory, durable: false }).catch(() => undefined);
    await server?.stop();
    await rm(directory, { recursive: true, force: true }).catch(() => undefined); // another user's
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Runs at the end of the run, or when a signal ends it: Jest itself runs no teardown then. */
function cleanUpOnce(cleanUp: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    done ??= cleanUp();
    void done.finally(() => process.exit(128 + constants.signals[signal]));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return async () => {
    await (done ??= cleanUp());
    for (const signal of signals) process.off(signal, onSignal);
  };
}

async function dropDatabases(url: string, run: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query<{ datname: string }>('SELECT datname FROM pg_database WHERE datname LIKE $1', [
      `tokens\\_test\\_${run}%`,
    ]);
    for (const { datname } of found.rows) await client.query(`DROP DATABASE IF EXISTS ${datname} WITH (FORCE)`);
  } finally {
    await client.end();
  }
}

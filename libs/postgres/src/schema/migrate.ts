// Migrates a database to the present schema. Of several processes that start at once, one migrates and the others wait.

import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { AbstractLogger, DataSource } from 'typeorm';
import { sessionOf } from '../connection/session.js';
import { createDataSource } from './data-source.js';
import { Database, isFull } from '../connection/database.js';
import { expectRole, grantTo, roleOf } from './grants.js';

/** An arbitrary number, the same in every version. */
const MIGRATION_LOCK = 718_281_828;

/** How long a migration waits for a table's lock. All later statements on that table wait behind the migration. */
const LOCK_TIMEOUT_MS = 1000;
/** The pause before the next attempt, in which the statements that waited can run. */
const PAUSE_MS = 500;
const TRIES = 40;
/** The pause between two attempts to get the lock that another migrating process holds. */
const LOCK_PAUSE_MS = 100;

export interface MigrateOptions {
  /** The URL of the service. If it names another role, the migration grants that role what the service needs. */
  readonly serviceUrl?: string;
}

/**
 * Runs the missing migrations and returns their names. If a migration could not get a lock at first, the names begin
 * with that one.
 * @param url connects as the role that owns the schema, or will own it
 * @throws the database's error if it cannot be reached; an error that names the migration if that fails, after its
 *   rollback
 */
export async function migrate(url: string, { serviceUrl = url }: MigrateOptions = {}): Promise<string[]> {
  // The lock has its own connection, without the time limits of the one that migrates.
  const lock = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  lock.on('error', () => {});
  await lock.connect();
  try {
    const { rows } = await lock.query<{ encoding: string }>(`SELECT current_setting('server_encoding') AS encoding`);
    mustBeUtf8(rows[0]!.encoding);
    const role = roleOf(serviceUrl) === roleOf(url) ? null : roleOf(serviceUrl);
    if (role !== null) await expectRole(role, lock);
    while (!(await tryLock(lock))) await sleep(LOCK_PAUSE_MS);
    const failure = new LastFailure();
    const source = new DataSource({
      ...createDataSource(url, { poolSize: 1 }).options,
      logger: failure,
      extra: { options: `${sessionOf(url).options} -c lock_timeout=${LOCK_TIMEOUT_MS}`.trim() },
    });
    await source.initialize();
    try {
      const ran = await runMigrations(source, failure);
      if (role !== null) await grantTo(role, lock);
      return ran;
    } finally {
      await source.destroy();
    }
  } finally {
    await lock.end();
  }
}

/** Keeps TypeORM's message about a failure, which it would print even if the next attempt succeeds. */
class LastFailure extends AbstractLogger {
  message: string | null = null;

  override logMigration(message: string): void {
    this.message = message;
  }

  protected writeLog(): void {}
}

/**
 * Tries to get the lock, without waiting: a waiting statement holds a snapshot, and CREATE INDEX CONCURRENTLY in the
 * process that migrates would wait for that.
 */
async function tryLock(lock: Client): Promise<boolean> {
  const { rows } = await lock.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [MIGRATION_LOCK]);
  return rows[0]!.locked;
}

/** A migration could not get a lock in time, or was the victim of a deadlock. */
const GIVES_WAY: readonly unknown[] = ['55P03', '40P01'];

/** Runs each migration in a transaction of its own, and again if it had to give way to others. */
async function runMigrations(source: DataSource, failure: LastFailure): Promise<string[]> {
  for (let tries = 1; ; tries++) {
    failure.message = null;
    try {
      const ran = await source.runMigrations({ transaction: 'each' });
      return ran.map(({ name }) => name);
    } catch (error) {
      const givesWay = GIVES_WAY.includes((error as { code?: unknown }).code);
      if (!givesWay || tries === TRIES) throw failure.message === null ? error : new Error(failure.message);
      await sleep(PAUSE_MS);
    }
  }
}

/** In another encoding PostgreSQL would refuse texts with characters that the encoding lacks. */
function mustBeUtf8(encoding: string): void {
  if (encoding === 'UTF8') return;
  throw new Error(`the database's encoding is ${encoding}: make one with ENCODING 'UTF8' TEMPLATE template0`);
}

/**
 * Whether all migrations of this version ran, and this role may read that.
 * @throws if the database cannot be reached
 */
export async function isMigrated(source: DataSource): Promise<boolean> {
  return (await obstacleOf(source)) !== 'is not migrated';
}

/**
 * Why the service cannot work with the database at the moment, or null if it can.
 * @throws if the database cannot be reached, or has the wrong encoding
 */
export async function obstacleOf(
  source: DataSource,
): Promise<'is not migrated' | 'is read-only' | 'has no room on its disk' | null> {
  const [look]: { isThere: boolean; isReadOnly: boolean; encoding: string }[] = await source.query(
    `SELECT coalesce(has_table_privilege(to_regclass('migrations'), 'SELECT'), false) AS "isThere",
       current_setting('transaction_read_only') = 'on' AS "isReadOnly", current_setting('server_encoding') AS encoding`,
  );
  mustBeUtf8(look!.encoding);
  if (!look!.isThere) return 'is not migrated';
  const names = source.migrations.map(({ constructor }) => constructor.name);
  const rows: unknown[] = await source.query('SELECT FROM migrations WHERE name = ANY ($1)', [names]);
  if (rows.length !== names.length) return 'is not migrated';
  if (!look!.isReadOnly) return isFull(source) ? 'has no room on its disk' : null;
  // The address may lead to a new primary by now.
  new Database(source).distrust();
  return 'is read-only';
}

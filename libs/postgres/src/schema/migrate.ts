// Brings a database to the present schema. Any number of processes may start at once: one does it, the others wait.

import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { AbstractLogger, DataSource } from 'typeorm';
import { sessionOf } from '../connection/session.js';
import { createDataSource } from './data-source.js';
import { Database, isFull } from '../connection/database.js';
import { expectRole, grantTo, roleOf } from './grants.js';

/** Any number, as long as it is always the same. */
const MIGRATION_LOCK = 718_281_828;

/** A migration waits no longer for a table, in milliseconds: everybody who needs the table waits behind it. */
const LOCK_TIMEOUT_MS = 1000;
/** Until it tries again, in milliseconds: those who waited go first. */
const PAUSE_MS = 500;
const TRIES = 40;
/** Until it is looked again whether another process has migrated, in milliseconds. */
const LOCK_PAUSE_MS = 100;

export interface MigrateOptions {
  /** Where the service connects: when that is as another role, it is granted what the service needs. */
  readonly serviceUrl?: string;
}

/**
 * As the role that owns the schema, or is to own it. The names of the migrations that ran, without those before one that
 * had to give way to somebody.
 * @throws the database's error when it cannot be reached; one that names the migration when that fails (which is then rolled back)
 */
export async function migrate(url: string, { serviceUrl = url }: MigrateOptions = {}): Promise<string[]> {
  // The lock has a connection of its own, without the limits under which requests run.
  const lock = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  lock.on('error', () => {});
  await lock.connect();
  try {
    const { rows } = await lock.query<{ encoding: string }>(`SELECT current_setting('server_encoding') AS encoding`);
    mustBeUtf8(rows[0]!.encoding);
    const role = roleOf(serviceUrl) === roleOf(url) ? null : roleOf(serviceUrl);
    if (role !== null) await expectRole(role, lock);
    while (!(await isHad(lock))) await sleep(LOCK_PAUSE_MS);
    const failure = new LastFailure();
    const source = new DataSource({
      ...createDataSource(url, { poolSize: 1 }).options,
      logger: failure,
      extra: { options: `${sessionOf(url).options} -c lock_timeout=${LOCK_TIMEOUT_MS}`.trim() },
    });
    await source.initialize();
    try {
      const ran = await patiently(source, failure);
      if (role !== null) await grantTo(role, lock);
      return ran;
    } finally {
      await source.destroy();
    }
  } finally {
    await lock.end();
  }
}

/** Keeps what TypeORM would print of each failure: a migration that gives way and is tried again is none. */
class LastFailure extends AbstractLogger {
  words: string | null = null;

  override logMigration(words: string): void {
    this.words = words;
  }

  protected writeLog(): void {}
}

/** Asked for again and again: who waits in a statement holds a snapshot, and CREATE INDEX CONCURRENTLY waits for that. */
async function isHad(lock: Client): Promise<boolean> {
  const { rows } = await lock.query<{ is_had: boolean }>('SELECT pg_try_advisory_lock($1) AS is_had', [MIGRATION_LOCK]);
  return rows[0]!.is_had;
}

/** One migration after the other; one that cannot have a table gives way and tries again. */
async function patiently(source: DataSource, failure: LastFailure): Promise<string[]> {
  for (let tries = 1; ; tries++) {
    failure.words = null;
    try {
      const ran = await source.runMigrations({ transaction: 'each' });
      return ran.map(({ name }) => name);
    } catch (error) {
      const isLocked = (error as { code?: unknown }).code === '55P03';
      if (!isLocked || tries === TRIES) throw failure.words === null ? error : new Error(failure.words);
      await sleep(PAUSE_MS);
    }
  }
}

/** A text that the database's encoding does not have could not be stored. */
function mustBeUtf8(encoding: string): void {
  if (encoding === 'UTF8') return;
  throw new Error(`the database's encoding is ${encoding}: make one with ENCODING 'UTF8' TEMPLATE template0`);
}

/** Whether the schema is the one that this code needs, and may be used. @throws when the database cannot be reached */
export async function isMigrated(source: DataSource): Promise<boolean> {
  return (await lookAt(source)) !== 'is not migrated';
}

/**
 * Why the database cannot be worked with, or null.
 * @throws when it cannot be reached, or never can be worked with
 */
export async function lookAt(
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

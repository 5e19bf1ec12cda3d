// Brings a database to the present schema. Any number of processes may start at once: one does it, the others wait.

import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { createDataSource } from './data-source.js';

/** Any number, as long as it is always the same. */
const MIGRATION_LOCK = 718_281_828;

/** @throws the database's error, when it cannot be reached or a migration fails (which is then rolled back) */
export async function migrate(url: string): Promise<void> {
  // The lock has a connection of its own, without the limits under which requests run.
  const lock = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  lock.on('error', () => {});
  await lock.connect();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const source = new DataSource({ ...createDataSource(url, { poolSize: 1 }).options, extra: {} });
    await source.initialize();
    try {
      await source.runMigrations({ transaction: 'each' });
    } finally {
      await source.destroy();
    }
  } finally {
    await lock.end();
  }
}

/** Whether the schema is the one that this code needs. @throws when the database cannot be reached */
export async function isMigrated(source: DataSource): Promise<boolean> {
  const newest = source.migrations.at(-1)?.constructor.name;
  const rows: unknown[] = await source.query('SELECT FROM migrations WHERE name = $1', [newest]);
  return rows.length > 0;
}

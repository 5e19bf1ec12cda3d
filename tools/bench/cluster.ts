// The PostgreSQL of the bench: an embedded one in a temporary folder with durable settings, or the server of
// DATABASE_URL. Each section gets databases of its own, copies of a migrated one, and drops them afterwards.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startLocalPostgres } from '@app/local-postgres';
import { migrate } from '@app/postgres';
import type { Resources } from './resources.js';

const SHOWN = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  'shared_buffers',
];

export interface Cluster {
  /** The data folder; null for the server of DATABASE_URL. */
  readonly directory: string | null;
  readonly pid: number | null;
  readonly settings: Readonly<Record<string, string>>;
  /** Creates a database with the current schema. */
  createDatabase(name: string): Promise<Database>;
}

export interface Database {
  readonly url: string;
  drop(): Promise<void>;
}

export async function openCluster(givenUrl: string | undefined, resources: Resources): Promise<Cluster> {
  const { url, pid, directory } = givenUrl === undefined ? await embedded(resources) : theirs(givenUrl);
  const migrated = await createDatabase(url, 'migrated', resources);
  await migrate(migrated.url);
  return {
    directory,
    pid,
    settings: await settingsOf(url),
    createDatabase: (name) => createDatabase(url, name, resources, migrated),
  };
}

async function embedded(resources: Resources): Promise<{ url: string; pid: number; directory: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'token-pool-bench-'));
  resources.add(() => rmSync(directory, { recursive: true, force: true }));
  const server = await startLocalPostgres({ directory, durable: true });
  resources.add(() => server.stop());
  return { url: server.url, pid: server.pid, directory: server.directory };
}

const theirs = (url: string) => ({ url, pid: null, directory: null });

async function createDatabase(
  clusterUrl: string,
  name: string,
  resources: Resources,
  template?: Database,
): Promise<Database> {
  const full = `bench_${name}_${randomBytes(4).toString('hex')}`;
  const copied = template ? `TEMPLATE ${new URL(template.url).pathname.slice(1)}` : '';
  await withClient(clusterUrl, (client) => client.query(`CREATE DATABASE ${full} ${copied}`));
  const drop = () => withClient(clusterUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${full} WITH (FORCE)`));
  resources.add(drop);
  const url = new URL(clusterUrl);
  url.pathname = `/${full}`;
  return { url: url.href, drop: async () => void (await drop()) };
}

async function settingsOf(url: string): Promise<Record<string, string>> {
  const { rows } = await withClient(url, (client) =>
    client.query<{ name: string; setting: string }>(
      `SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY ($1)`,
      [SHOWN],
    ),
  );
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}

export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

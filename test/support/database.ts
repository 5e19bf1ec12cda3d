// A database for one test file: a clone of a template that the first worker to ask makes and migrates.
import { randomBytes } from 'node:crypto';
import { migrate } from '@app/postgres';
import { Client } from 'pg';

export interface TestDatabase {
  url: string;
  /** Ends what is still connected, too. */
  drop(): Promise<void>;
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const { TEST_CLUSTER_URL: cluster, TEST_RUN: run } = process.env;
  if (!cluster || !run) throw new Error('A test that needs a database belongs in test/: see jest.config.mjs.');
  const template = `tokens_test_${run}`;
  const name = `${template}_${randomBytes(6).toString('hex')}`;
  await withClient(cluster, async (admin) => {
    if (!(await exists(admin, template))) await makeTemplate(admin, cluster, template);
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  });
  return {
    url: urlOf(cluster, name),
    drop: () => withClient(cluster, (admin) => admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  };
}

async function makeTemplate(admin: Client, cluster: string, template: string): Promise<void> {
  await admin.query('SELECT pg_advisory_lock(hashtext($1))', [template]);
  try {
    if (await exists(admin, template)) return; // another worker made it while this one waited
    // Under another name until it is migrated: a template that exists is a good one.
    const unfinished = `${template}_unfinished`;
    await admin.query(`DROP DATABASE IF EXISTS ${unfinished} WITH (FORCE)`);
    await admin.query(`CREATE DATABASE ${unfinished}`);
    await migrate(urlOf(cluster, unfinished));
    await admin.query(`ALTER DATABASE ${unfinished} RENAME TO ${template}`);
  } finally {
    await admin.query('SELECT pg_advisory_unlock(hashtext($1))', [template]);
  }
}

async function exists(admin: Client, name: string): Promise<boolean> {
  const { rowCount } = await admin.query('SELECT FROM pg_database WHERE datname = $1', [name]);
  return rowCount === 1;
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(cluster: string, name: string): string {
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  return url.href;
}

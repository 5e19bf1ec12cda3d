// Behind a pooler that gives each transaction another session, the transaction itself sets what the process relies on,
// and leaves nothing of it to the next client of the session.

import { createDataSource, type Pooler } from '@app/postgres';
import type { Pool, PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { pipeline } from '../../libs/postgres/src/connection/pipeline.js';
import { startAppOn } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
beforeAll(async () => void (database = await createTestDatabase()));
afterAll(() => database.drop());

const LIMIT = { name: 'limit', text: `SELECT current_setting('idle_in_transaction_session_timeout') AS "limit"` };
const BEGIN = { name: 'begin', text: 'BEGIN' };
const BEGIN_SNAPSHOT = { name: 'begin_snapshot', text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' };
const COMMIT = { name: 'commit', text: 'COMMIT' };

/** Lends a connection with the adapter's settings. */
async function connected<T>(pooler: Pooler, use: (client: PoolClient) => Promise<T>, session = ''): Promise<T> {
  const source: DataSource = await createDataSource(database.url + session, { poolSize: 1, pooler }).initialize();
  const client = await (source.driver as unknown as { master: Pool }).master.connect();
  try {
    return await use(client);
  } finally {
    client.release();
    await source.destroy();
  }
}

const limitOf = (answers: { rows: { limit: string }[] }[], place: number): string | undefined =>
  answers[place]?.rows[0]?.limit;

/** What the next client of the session finds in it. */
const left = async (client: PoolClient): Promise<unknown> =>
  (
    await client.query(
      `SELECT current_setting('idle_in_transaction_session_timeout') AS "limit",
         (SELECT count(*)::int FROM pg_prepared_statements) AS prepared`,
    )
  ).rows[0];

test.each(['transaction', 'transaction-prepared'] as const)(
  '%s: the limits hold in each transaction, however it begins, and not after it',
  (pooler) =>
    connected(pooler, async (client) => {
      for (const begin of [BEGIN, BEGIN_SNAPSHOT]) {
        const begun = await pipeline(client, [begin, LIMIT]);
        expect(begun).toHaveLength(2);
        expect(limitOf(begun, 1)).toBe('2s');
        // As well in what follows in the same transaction.
        const ended = await pipeline(client, [LIMIT, COMMIT]);
        expect(ended).toHaveLength(2);
        expect(limitOf(ended, 0)).toBe('2s');
      }
      // A read outside of a transaction.
      expect(limitOf(await pipeline(client, [LIMIT]), 0)).toBe('2s');
      expect(await left(client)).toMatchObject({ limit: '0' });
    }),
);

test('transaction: the process prepares no statement', () =>
  connected('transaction', async (client) => {
    await pipeline(client, [BEGIN, LIMIT, COMMIT]);
    await pipeline(client, [BEGIN, LIMIT, COMMIT]);
    expect(await left(client)).toEqual({ limit: '0', prepared: 0 });
  }));

test('transaction-prepared: the process prepares each statement once', () =>
  connected('transaction-prepared', async (client) => {
    await pipeline(client, [BEGIN, LIMIT, COMMIT]);
    await pipeline(client, [BEGIN, LIMIT, COMMIT]);
    expect(await left(client)).toEqual({ limit: '0', prepared: 4 });
  }));

test('without a pooler the limits belong to the session', () =>
  connected('none', async (client) => {
    await pipeline(client, [BEGIN, LIMIT, COMMIT]);
    expect(await left(client)).toEqual({ limit: '2s', prepared: 3 });
  }));

test("the options of a URL complement the session's limits, and do not replace them", () =>
  connected(
    'none',
    async (client) => {
      expect(await left(client)).toMatchObject({ limit: '2s' });
      expect((await client.query('SHOW work_mem')).rows).toEqual([{ work_mem: '5MB' }]);
    },
    '?options=-c%20work_mem%3D5MB%20-c%20idle_in_transaction_session_timeout%3D0&idle_in_transaction_session_timeout=0',
  ));

test('a statement that fails in a pipeline rejects it, and earlier results are not taken for its own', () =>
  connected('transaction', async (client) => {
    const failing = pipeline(client, [BEGIN, LIMIT, { name: 'wrong', text: 'SELECT 1 / 0' }, COMMIT]);
    await expect(failing).rejects.toMatchObject({ code: '22012' });
  }));

test('the service starts on a migrated database without a URL for migrations', async () => {
  const env = { DATABASE_POOLER: 'transaction', MIGRATION_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere' };
  const app = await startAppOn(database.url, env);
  try {
    const answer = await fetch(`${app.url}/api/tokens/allocate`, { method: 'POST' });
    expect(answer.status).toBe(200);
  } finally {
    await app.stop();
  }
});

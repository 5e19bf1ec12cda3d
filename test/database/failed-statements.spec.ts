// The process goes on using a connection after a failed statement, and all other connections, too.

import { createDataSource, type Pooler } from '@app/postgres';
import { Client, type Pool, type PoolClient } from 'pg';
import { pipeline, isInTransaction, type Query } from '../../libs/postgres/src/connection/pipeline.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openService } from '../../tools/harness/service.js';

const USER = 'c0ffee00-0000-4000-8000-000000000001';

let database: TestDatabase;
beforeAll(async () => void (database = await createTestDatabase()));
afterAll(() => database.drop());

test('statements that fail while grants run cost no connection', async () => {
  const service = await openService(database.url, undefined, { poolSize: 10 });
  const admin = new Client({ connectionString: database.url });
  await admin.connect();
  const sessions = async (): Promise<number[]> =>
    (
      await admin.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity
         WHERE application_name = 'token-pool' AND datname = current_database() ORDER BY pid`,
      )
    ).rows.map(({ pid }) => pid);
  try {
    await service.service.createPool('p', 'fixed', { size: 100 });
    // Enough at once for all connections that the pool may have.
    await Promise.all(Array.from({ length: 40 }, () => service.readers.pools.pools()));
    const before = await sessions();
    expect(before).toHaveLength(10);
    let isOver = false;
    let failed = 0;
    const failing = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        await expect(service.readers.past.pool('p', 'no instant')).rejects.toMatchObject({ code: 'invalid_request' });
        failed++;
      }
    });
    for (let grant = 1; grant <= 100; grant++) {
      expect((await service.service.allocate('p', { userId: USER })).fence).toBe(grant);
    }
    isOver = true;
    await Promise.all(failing);
    expect(failed).toBeGreaterThan(8);
    // None is new; one that nobody needed for long may be gone.
    expect(before).toEqual(expect.arrayContaining(await sessions()));
  } finally {
    await admin.end();
    await service.close();
  }
});

const BEGIN = { name: 'begin', text: 'BEGIN' };
const ONE = { name: 'one', text: 'SELECT 1 AS one' };
const TWO = { name: 'two', text: 'SELECT 2 AS two' };
const WRONG = { name: 'wrong', text: 'SELECT FROM nowhere' };
const RATIO = { name: 'ratio', text: 'SELECT 6 / $1::int AS ratio' };
const ROLLBACK = { name: 'rollback', text: 'ROLLBACK' };
const SHAPED = { name: 'shaped', text: 'SELECT * FROM shapes' };

/** Lends a connection with the adapter's settings. */
async function connected<T>(pooler: Pooler, use: (client: PoolClient) => Promise<T>): Promise<T> {
  const source = await createDataSource(database.url, { poolSize: 1, pooler }).initialize();
  const client = await (source.driver as unknown as { master: Pool }).master.connect();
  try {
    return await use(client);
  } finally {
    client.release();
    await source.destroy();
  }
}

describe.each(['none', 'transaction', 'transaction-prepared'] as const)('with pooler %s', (pooler) => {
  test.each<[string, Query, string]>([
    ['cannot be prepared', WRONG, '42P01'],
    ['cannot be bound', { ...RATIO, values: ['x'] }, '22P02'],
    ['fails as it runs', { ...RATIO, values: [0] }, '22012'],
  ])('after a statement that %s, the pipeline can run it and those before and after it again', (_, failing, code) =>
    connected(pooler, async (client) => {
      for (let time = 0; time < 3; time++) {
        await expect(pipeline(client, [BEGIN, ONE, failing, TWO])).rejects.toMatchObject({ code });
        // The server is ready again when the promise rejects.
        expect(isInTransaction(client)).toBe(true);
        await pipeline(client, [ROLLBACK]);
        expect(isInTransaction(client)).toBe(false);
      }
      const right = { ...RATIO, values: [2] };
      const answers = await pipeline(client, [TWO, right, ONE, right]);
      expect(answers.map(({ rows }) => rows as unknown)).toEqual([
        [{ two: 2 }],
        [{ ratio: 3 }],
        [{ one: 1 }],
        [{ ratio: 3 }],
      ]);
    }),
  );

  test('a statement whose columns have changed since it was prepared fails at most once', () =>
    connected(pooler, async (client) => {
      const change = (text: string): Promise<unknown> => pipeline(client, [{ name: text, text }]);
      await change('CREATE TABLE shapes (a int)');
      try {
        await pipeline(client, [SHAPED]);
        await change('INSERT INTO shapes VALUES (1)');
        await change('ALTER TABLE shapes ADD b int DEFAULT 2');
        await pipeline(client, [SHAPED]).catch(() => undefined);
        expect((await pipeline(client, [SHAPED]))[0]?.rows).toEqual([{ a: 1, b: 2 }]);
      } finally {
        await change('DROP TABLE shapes');
      }
    }));
});

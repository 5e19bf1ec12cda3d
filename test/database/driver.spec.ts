// What libs/postgres relies on inside pg and TypeORM that neither documents. A new version of a driver that changes one of
// these fails here by name, and not somewhere in a transaction.

import { createDataSource } from '@app/postgres';
import pg, { type Connection, type Pool, type PoolClient } from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

type DataSource = ReturnType<typeof createDataSource>;
type Internals = Record<string, unknown> & { readonly connection: Connection & Record<string, unknown> };

let database: TestDatabase;
let source: DataSource;
let pool: Pool;
let client: PoolClient;
let inside: Internals;

beforeAll(async () => {
  database = await createTestDatabase();
  source = createDataSource(database.url);
  await source.initialize();
  pool = (source.driver as unknown as { master: Pool }).master;
  client = await pool.connect();
  inside = client as unknown as Internals;
});
afterAll(async () => {
  client.release();
  await source.destroy();
  await database.drop();
});

test('the driver of TypeORM has its pool in `master`, and the pool counts its connections', () => {
  expect(pool).toBeInstanceOf(pg.Pool);
  expect(pool).toMatchObject({ totalCount: 1, idleCount: 0, waitingCount: 0 });
});

test('a client knows what a request to cancel needs', () => {
  expect(inside).toMatchObject({
    host: expect.any(String),
    port: expect.any(Number),
    processID: expect.any(Number),
    secretKey: expect.any(Number),
  });
});

test('a client knows whether a transaction is open', async () => {
  const status = (): unknown => (inside as unknown as { getTransactionStatus(): unknown }).getTransactionStatus();
  expect(status()).toBe('I');
  await client.query('BEGIN');
  expect(status()).toBe('T');
  await client.query('ROLLBACK');
  expect(status()).toBe('I');
});

test.each(['parse', 'bind', 'describe', 'execute', 'close', 'sync', 'on', 'off'])('a connection has `%s`', (method) => {
  expect(typeof inside.connection[method]).toBe('function');
});

test('the stream of a connection can hold back what is written', () => {
  expect(inside.connection).toMatchObject({
    stream: { cork: expect.any(Function), uncork: expect.any(Function) },
  });
});

/** Sends one statement, as a pipeline does, and returns the names of the handlers that the driver calls. */
const handlersOf = (text: string): Promise<string[]> =>
  new Promise((resolve) => {
    const called: string[] = [];
    const note =
      (name: string, isLast = false) =>
      (): void => {
        called.push(name);
        if (isLast) resolve(called);
      };
    const submittable = {
      callback: () => undefined,
      submit(connection: Internals['connection']) {
        const wire = connection as unknown as Record<string, (message?: unknown) => void>;
        wire['parse']!({ name: '', text });
        wire['bind']!({ statement: '', values: [] });
        wire['describe']!({ type: 'P' });
        wire['execute']!();
        wire['sync']!();
      },
      handleRowDescription: note('handleRowDescription'),
      handleDataRow: note('handleDataRow'),
      handleCommandComplete: note('handleCommandComplete'),
      handleReadyForQuery: note('handleReadyForQuery', true),
      handleError: note('handleError', true),
    };
    client.query(submittable as never);
  });

test('the driver passes the messages of the server on to what was submitted', async () => {
  expect(await handlersOf('SELECT 1 AS one')).toEqual([
    'handleRowDescription',
    'handleDataRow',
    'handleCommandComplete',
    'handleReadyForQuery',
  ]);
});

test('the driver gives an error with its SQLSTATE and its routine', async () => {
  const error: unknown = await client.query('SELECT 1 / 0').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(pg.DatabaseError);
  expect(error).toMatchObject({ code: '22012', routine: 'int4div' });
});

// Faults of the database that are nobody's bug: 503 with what is known, not ready, and well again by itself.

import { Client } from 'pg';
import { startApp, startAppOn, type TestApp } from '../support/app.js';
import { clientOf, expectProblem, type Ask } from './client.js';

let app: TestApp;
let ask: Ask;
let admin: Client;

beforeAll(async () => {
  app = await startApp();
  ask = clientOf(app);
  admin = new Client({ connectionString: app.databaseUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await app.close();
});

const here = async (): Promise<string> =>
  (await admin.query<{ name: string }>('SELECT quote_ident(current_database()) AS name')).rows[0]!.name;

/** A setting is taken over by sessions that begin later. */
async function set(setting: string): Promise<void> {
  await admin.query(`ALTER DATABASE ${await here()} ${setting}`);
  await admin.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'token-pool' AND datname = current_database()`,
  );
}

test('read-only: reads go on, what would change something is 503, and the service is not ready', async () => {
  await set('SET default_transaction_read_only = on');
  const answer = await ask('POST', '/api/tokens/allocate');
  expectProblem(answer, 503, 'unavailable');
  expect(answer.body.detail).toBe('the database is read-only; nothing was changed');
  expect(answer.headers.get('retry-after')).toBe('1');
  expect((await ask('GET', '/api/pools')).status).toBe(200);
  expect((await ask('GET', '/health/ready')).status).toBe(503);
  // The sessions stay, as they would on a standby whose address leads elsewhere now.
  await admin.query(`ALTER DATABASE ${await here()} RESET default_transaction_read_only`);
  await ask('GET', '/health/ready');
  expect((await ask('POST', '/api/tokens/allocate')).status).toBe(200);
});

test('a month without a partition gets one, and the command succeeds', async () => {
  const { rows } = await admin.query<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'token_events'::regclass`,
  );
  for (const { name } of rows) await admin.query(`DROP TABLE ${name}`);
  expect((await ask('POST', '/api/tokens/allocate')).body).toMatchObject({
    error: 'unavailable',
    detail: 'there is no room for events of this month; nothing was changed',
  });
  await admin.query(
    `DO $$ BEGIN EXECUTE format('CREATE TABLE long_ago PARTITION OF token_events FOR VALUES FROM (MINVALUE) TO (%L)',
       date_trunc('month', now(), 'UTC')); END $$`,
  );
  expect((await ask('POST', '/api/tokens/allocate')).status).toBe(200);
});

test('what somebody has set for the database changes no answer and no limit', async () => {
  for (const setting of [
    `default_transaction_isolation = 'serializable'`,
    'extra_float_digits = -10',
    `DateStyle = 'SQL, DMY'`,
    `TimeZone = 'Asia/Tokyo'`,
    `bytea_output = 'escape'`,
    `client_encoding = 'LATIN1'`,
    'standard_conforming_strings = off',
  ]) {
    await set(`SET ${setting}`);
  }
  const before = Date.now();
  const { status, body } = await ask('POST', '/api/tokens/allocate', { metadata: { a: 'ü€' } });
  expect(status).toBe(200);
  expect(Math.abs(Date.parse(body.activated_at as string) - before)).toBeLessThan(60_000);
  const { body: events } = await ask('GET', `/api/tokens/${body.token_id as string}/events?limit=1`);
  expect(events.events).toMatchObject([{ metadata: { a: 'ü€' }, occurred_at: body.activated_at }]);
});

test('a database that is not in UTF-8 is refused at the start, with what to do', async () => {
  const name = `${(await here()).replaceAll('"', '')}_ascii`;
  await admin.query(`CREATE DATABASE ${name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`);
  const url = new URL(app.databaseUrl);
  url.pathname = `/${name}`;
  try {
    await expect(startAppOn(url.href)).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/encoding is SQL_ASCII: make one with ENCODING 'UTF8'/) },
    });
  } finally {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  }
});

// Faults of the database that are nobody's bug: 503 with what is known, not ready, and well again by itself.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { startApp, startAppOn, type TestApp } from '../support/app.js';
import { clientOf, expectProblem, type Answer, type Ask } from './client.js';

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

const expectUnavailable = (answer: Answer, detail: string): void => {
  expectProblem(answer, 503, 'unavailable');
  expect(answer.body.detail).toBe(detail);
  expect(answer.headers.get('retry-after')).toBe('1');
};

/** What is known of it is kept for a second. */
async function readiness(ask: Ask, status: number): Promise<Answer> {
  for (;;) {
    const answer = await ask('GET', '/health/ready');
    if (answer.status === status) return answer;
    await sleep(50);
  }
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

describe('a database that lets the service in no more', () => {
  const role = `refused_${randomBytes(6).toString('hex')}`;
  let refused: TestApp;
  let askRefused: Ask;

  beforeAll(async () => {
    // No superuser, who would be let in beyond every limit.
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'before' IN ROLE CURRENT_USER`);
    const url = new URL(app.databaseUrl);
    [url.username, url.password] = [role, 'before'];
    refused = await startAppOn(url.href);
    askRefused = clientOf(refused);
  });
  afterAll(async () => {
    await refused.close();
    await admin.query(`DROP ROLE ${role}`);
  });

  test.each([
    [
      'its password was rotated',
      `ALTER ROLE ${role} PASSWORD 'after'`,
      `ALTER ROLE ${role} PASSWORD 'before'`,
      'the database refuses to let the service in',
    ],
    [
      'its role has too many connections',
      `ALTER ROLE ${role} CONNECTION LIMIT 0`,
      `ALTER ROLE ${role} CONNECTION LIMIT -1`,
      'the database has no connection left',
    ],
    [
      'the database has too many connections',
      'ALTER DATABASE here CONNECTION LIMIT 0',
      'ALTER DATABASE here CONNECTION LIMIT -1',
      'the database has no connection left',
    ],
  ])('because %s: 503 and not ready, until it does again', async (_why, refuse, letIn, why) => {
    const run = async (text: string): Promise<unknown> => admin.query(text.replace('here', await here()));
    expect((await askRefused('POST', '/api/tokens/allocate')).status).toBe(200);
    const before = (await ask('GET', '/api/pools/default')).body.last_seq as number;
    await run(refuse);
    await run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);
    expectUnavailable(await askRefused('POST', '/api/tokens/allocate'), `${why}; nothing was changed`);
    expectUnavailable(await askRefused('GET', '/api/pools'), `${why}; nothing was changed`);
    expectUnavailable(await readiness(askRefused, 503), why);
    expect((await askRefused('GET', '/health/live')).status).toBe(200);
    await run(letIn);
    expect((await askRefused('POST', '/api/tokens/allocate')).status).toBe(200);
    await readiness(askRefused, 200);
    expect((await ask('GET', '/api/pools/default')).body.last_seq).toBe(before + 1);
  });
});

describe('a full disk', () => {
  // Nothing is really full: a trigger raises what PostgreSQL raises when it cannot make a file longer.
  beforeAll(() =>
    admin.query(
      `CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`,
    ),
  );
  const fill = (): Promise<unknown> =>
    admin.query('CREATE TRIGGER no_room BEFORE INSERT ON token_events FOR EACH ROW EXECUTE FUNCTION no_room()');
  const makeRoom = (): Promise<unknown> => admin.query('DROP TRIGGER no_room ON token_events');
  const FULL = 'the disk of the database is full; nothing was changed';

  test('reads go on, what would change something is 503, and the service is not ready until something was written', async () => {
    await readiness(ask, 200);
    const lastSeq = (await ask('GET', '/api/pools/default')).body.last_seq as number;
    await fill();
    expectUnavailable(await ask('POST', '/api/tokens/allocate'), FULL);
    expect((await ask('GET', '/api/pools')).status).toBe(200);
    expectUnavailable(await readiness(ask, 503), 'the database has no room on its disk');
    await makeRoom();
    expect((await ask('POST', '/api/tokens/allocate')).status).toBe(200);
    const before = performance.now();
    await readiness(ask, 200);
    expect(performance.now() - before).toBeLessThan(3000);
    expect((await ask('GET', '/api/pools/default')).body.last_seq).toBe(lastSeq + 1);
  });

  test('that nobody tries any more is forgotten, so that somebody does', async () => {
    await fill();
    expectUnavailable(await ask('POST', '/api/tokens/allocate'), FULL);
    await makeRoom();
    await readiness(ask, 503);
    await readiness(ask, 200);
    expect((await ask('POST', '/api/tokens/allocate')).status).toBe(200);
  });
});

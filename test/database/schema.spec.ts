// The tables refuse what the domain refuses, and are what the entities and the migrations both say.

import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { createDataSource, isMigrated, migrate } from '@app/postgres';
import { policyFields, type PolicyField } from '@app/tokens';
import { BOUNDED_COLUMNS, POOL_BOUNDS } from '../../libs/postgres/src/schema/entities/pool.entity.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { untilNobodyWaits, untilWaiting } from '../support/waiting.js';

let database: TestDatabase;
let source: DataSource;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  source = await createDataSource(database.url).initialize();
  client = new Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await source.destroy();
  await database.drop();
});

test('entities and migrations describe the same tables', async () => {
  const { upQueries } = await source.driver.createSchemaBuilder().log();
  expect(upQueries.map(({ query }) => query)).toEqual([]);
});

test('entities and migrations describe the same checks', async () => {
  const differing: string[] = [];
  await client.query('BEGIN');
  for (const { tableName, checks } of source.entityMetadatas) {
    await client.query(`CREATE TEMP TABLE twin (LIKE ${tableName}) ON COMMIT DROP`);
    for (const { name, expression } of checks) {
      await client.query(`ALTER TABLE twin ADD CONSTRAINT "${name}" CHECK (${expression})`);
    }
    const { rows } = await client.query<{ name: string }>(`
      SELECT conname AS name FROM pg_constraint WHERE conrelid IN ('twin'::regclass, '${tableName}'::regclass) AND contype = 'c'
      GROUP BY 1 HAVING count(*) < 2 OR count(DISTINCT replace(pg_get_constraintdef(oid), ' NOT VALID', '')) > 1`);
    differing.push(...rows.map(({ name }) => name));
    await client.query('DROP TABLE twin');
  }
  await client.query('ROLLBACK');
  expect(differing).toEqual([]);
});

test('the table of policy fields and the migrations describe the same bounds', async () => {
  await client.query('BEGIN');
  await client.query('CREATE TEMP TABLE twin (LIKE pools) ON COMMIT DROP');
  await client.query(`
    CREATE TRIGGER pools_in_bounds AFTER INSERT OR UPDATE OF ${BOUNDED_COLUMNS.join(', ')} ON twin
    FOR EACH ROW WHEN (NOT (${POOL_BOUNDS.map((bound) => `(${bound})`).join(' AND ')}))
    EXECUTE FUNCTION pools_are_in_bounds()`);
  const { rows } = await client.query<{ trigger: string }>(`
    SELECT replace(replace(pg_get_triggerdef(oid), 'ON pg_temp.twin ', ''), 'ON public.pools ', '') AS trigger
    FROM pg_trigger WHERE tgname = 'pools_in_bounds' ORDER BY tgrelid`);
  await client.query('ROLLBACK');
  expect(rows).toHaveLength(2);
  expect(rows[1]).toEqual(rows[0]);
});

/** Values just outside the bounds of a field. */
function outsideOf(field: PolicyField): (string | number)[] {
  switch (field.type) {
    case 'whole':
      return [field.least - 1, field.most + 1];
    case 'seconds':
      return [0, -1];
    case 'word':
      return [`'other'`, `''`];
    case 'boolean':
      return [];
  }
}

test.each(policyFields.flatMap((field) => outsideOf(field).map((value) => [field.wire, value] as const)))(
  'the table refuses a policy with %s %s',
  async (wire, value) => {
    await client.query('BEGIN');
    await client.query(`
      INSERT INTO pools (name, kind, size, ttl_seconds, renewable, on_exhausted, release_authority)
      VALUES ('p', 'elastic', 2, 60, true, 'reject', 'anyone')`);
    const refused = await client.query(`UPDATE pools SET ${wire} = ${value}`).catch((error: unknown) => error);
    await client.query('ROLLBACK');
    expect(refused).toMatchObject({ code: '23514', constraint: 'pools_in_bounds' });
  },
);

/** Nobody has migrated it yet. */
async function inNewDatabase(work: (url: string, other: Client) => Promise<void>): Promise<void> {
  await client.query('CREATE DATABASE "new"');
  const url = new URL(database.url);
  url.pathname = '/new';
  const other = new Client({ connectionString: url.href });
  await other.connect();
  await work(url.href, other);
  await other.end();
  await client.query('DROP DATABASE "new" WITH (FORCE)');
}

test('five processes that migrate an empty database at once do it once', () =>
  inNewDatabase(async (url) => {
    await Promise.all(Array.from({ length: 5 }, () => migrate(url)));
    const other = await createDataSource(url).initialize();
    expect(await isMigrated(other)).toBe(true);
    expect(await other.query('SELECT count(*)::int AS migrations FROM migrations')).toEqual([
      { migrations: source.migrations.length },
    ]);
    await other.destroy();
  }));

test('a migration waits for nobody for much longer than a second, lets others pass, and tries again', () =>
  inNewDatabase(async (url, user) => {
    await user.query('BEGIN; CREATE TABLE pools ()');
    const said = jest.spyOn(console, 'log').mockImplementation();
    let isDone = false;
    const migrating = migrate(url).then(() => (isDone = true));
    await untilWaiting(url);
    const since = performance.now();
    await untilNobodyWaits(url);
    expect(performance.now() - since).toBeLessThan(2000);
    expect(isDone).toBe(false);
    await user.query('ROLLBACK');
    expect(await migrating).toBe(true);
    expect(said).not.toHaveBeenCalled();
    said.mockRestore();
  }));

test('a migration that others deadlock with gives way to them, and tries again', () =>
  inNewDatabase(async (url, user) => {
    await user.query(`SET deadlock_timeout = '1min'; BEGIN; CREATE TABLE tokens ()`);
    const migrating = migrate(`${url}?options=-c%20deadlock_timeout=50ms`);
    await untilWaiting(url);
    // The migration has made this one, and waits for the other.
    await user.query('CREATE TABLE pools ()');
    await user.query('ROLLBACK');
    expect((await migrating)[0]).toBe('PoolsTokensEvents1700000000000');
  }));

test('a migration that fails is named', () =>
  inNewDatabase(async (url, other) => {
    await other.query('CREATE TABLE pools ()');
    await expect(migrate(url)).rejects.toThrow(
      'Migration "PoolsTokensEvents1700000000000" failed, error: relation "pools" already exists',
    );
  }));

test('every migration can be taken back and made again', async () => {
  const before = await columns();
  for (const _ of source.migrations) await source.undoLastMigration({ transaction: 'each' });
  expect(await columns()).toEqual([]);
  await source.runMigrations({ transaction: 'each' });
  expect(await columns()).toEqual(before);
});

describe('the tables refuse', () => {
  const lease = `'active', '${uuid(4)}', '${uuid(5)}'`;
  const end = (id: string): string =>
    `INSERT INTO token_events (pool, seq, id, token_id, event, reason, occurred_at, recorded_at, user_id, fence, lease_id,
       activated_at, expires_at)
     VALUES ('p', ${id}, gen_random_uuid(), '${uuid(2)}', 'expired', 'ttl_expired', now(), now(), '${uuid(8)}', 1,
       '${uuid(9)}', now(), now())`;
  test.each([
    ['a token that is active without a lease', `UPDATE tokens SET status = 'active' WHERE id = '${uuid(1)}'`],
    ['a lease on a token that is available', `UPDATE tokens SET status = 'available' WHERE id = '${uuid(2)}'`],
    ['a lease without a deadline', `UPDATE tokens SET expires_at = NULL WHERE id = '${uuid(2)}'`],
    ['a deadline before the beginning', `UPDATE tokens SET expires_at = last_activated_at WHERE id = '${uuid(2)}'`],
    [
      'two open leases with one fence',
      `UPDATE tokens SET (status, user_id, lease_id, fence, last_activated_at, expires_at, free_since)
       = (${lease}, 1, now(), now() + interval '1 hour', NULL) WHERE id = '${uuid(1)}'`,
    ],
    ['the same token twice', `INSERT INTO tokens SELECT * FROM tokens WHERE id = '${uuid(1)}'`],
    ['two events with one seq', `INSERT INTO token_events SELECT * FROM token_events WHERE seq = 1`],
    ['an end without its lease', end('2').replace(`'${uuid(8)}', 1`, `NULL, NULL`)],
    ['two ends of one lease', `${end('2')}; ${end('3')}`],
    ['an unknown event', `${end('2').replace(`'expired'`, `'forgotten'`)}`],
    ['a change of the policy of a token', `${end('2').replace(`'expired', 'ttl_expired'`, `'policy_changed', NULL`)}`],
    ['an event of no token', `${end('2').replace(`'${uuid(2)}'`, 'NULL')}`],
    ['a changed event', `UPDATE token_events SET reason = 'cleanup'`],
    ['a removed event', `DELETE FROM token_events`],
    ['an emptied audit', `TRUNCATE token_events`],
    ['fewer tokens than none', `UPDATE pools SET token_count = -1, lease_count = -1`],
    ['more leases than tokens', `UPDATE pools SET token_count = 1, lease_count = 2`],
    ['a pool of size 0', `UPDATE pools SET size = 0`],
    ['a time in a pool before the clock', `UPDATE pools SET clock_offset_us = -1, clock_offset_at = now()`],
    ['an offset of nobody knows when', `UPDATE pools SET clock_offset_us = 1`],
    ['a fixed pool that deletes idle tokens', `UPDATE pools SET idle_ttl_seconds = 5`],
    ['a name with a blank', `UPDATE pools SET name = 'a b'`],
  ])('%s', async (_what, sql) => {
    await client.query('BEGIN');
    await client.query(`
    INSERT INTO pools (name, kind, size, ttl_seconds, renewable, on_exhausted, release_authority)
    VALUES ('p', 'fixed', 2, 60, false, 'evict_oldest', 'anyone');
    INSERT INTO tokens (pool, id, status, free_since) VALUES ('p', '${uuid(1)}', 'available', now());
    INSERT INTO tokens (pool, id, status, user_id, lease_id, fence, last_activated_at, expires_at)
    VALUES ('p', '${uuid(2)}', 'active', '${uuid(8)}', '${uuid(9)}', 1, now(), now() + interval '1 hour');
    INSERT INTO token_events (pool, seq, id, token_id, event, occurred_at, recorded_at)
    VALUES ('p', 1, '${uuid(3)}', '${uuid(1)}', 'generated', now(), now());`);
    await expect(client.query(sql).then(({ rowCount }) => rowCount)).rejects.toThrow(/violates|append-only|duplicate/);
    await client.query('ROLLBACK');
  });
});

test('no key and no constraint spans pools', async () => {
  const { rows } = await client.query<{ name: string; columns: string[] }>(`
    SELECT i.relname AS name, array_agg(a.attname::text ORDER BY k.place) AS columns
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid,
      unnest(x.indkey) WITH ORDINALITY AS k (attnum, place)
      JOIN pg_attribute a ON a.attnum = k.attnum
    WHERE a.attrelid = t.oid AND x.indisunique AND (t.relname = 'tokens' OR t.relname LIKE 'token\\_events%')
    GROUP BY 1`);
  expect(rows.length).toBeGreaterThan(3);
  expect(rows.filter(({ columns: [first] }) => first !== 'pool')).toEqual([]);
  const { rowCount: foreignKeys } = await client.query(`SELECT FROM pg_constraint WHERE contype = 'f'`);
  expect(foreignKeys).toBe(0);
});

async function columns(): Promise<unknown[]> {
  const { rows } = await client.query(`
    SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'migrations' ORDER BY 1, 2`);
  return rows;
}

function uuid(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

// deploy/citus/distribute.sql, without Citus: stand-ins of its functions refuse what Citus refuses of tables and functions,
// and what the service does at each transaction it does by the function that Citus can send to a pool's node.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ANYBODY, auditPool } from '@app/tokens';
import { Client } from 'pg';
import { SAVE_SLICE } from '../../libs/postgres/src/commands/statements.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { wholeFeed } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';
import { STATEMENTS } from '../support/statements.js';

/** What stays on the coordinator, where the service is connected: joined with nothing that is distributed. */
const LOCAL: Readonly<Record<string, string>> = {
  audit_retention: 'one row, read when partitions are dropped',
  clock_days: 'a few rows, read when partitions are dropped',
  migrations: 'TypeORM reads it while nothing else is asked',
};

const USER = 'c0ffee00-0000-4000-8000-000000000001';
const OTHER = 'c0ffee00-0000-4000-8000-000000000002';

/** Of save_slice. */
const parameters = Array.from({ length: 39 }, (_, place) => `$${place + 1}`);

const read = (path: string): string => readFileSync(join(__dirname, path), 'utf8');

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(read('../support/citus.sql'));
  await client.query('SET search_path = public, citus');
  await client.query(read('../../deploy/citus/distribute.sql'));
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

const unclassified = async (): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class c
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
       AND oid NOT IN (SELECT name FROM citus.tables) ORDER BY 1`,
  );
  return rows.map(({ name }) => name).filter((name) => !(name in LOCAL));
};

test('each table is distributed by its pool, beside that pool, or is named as one that is not', async () => {
  expect(await unclassified()).toEqual([]);
  const { rows } = await client.query(
    `SELECT name, distribution_column AS by, colocated_with AS beside FROM citus.tables ORDER BY name::text`,
  );
  const byPool = [
    'event_snapshot_tokens',
    'event_snapshots',
    'kept_answers',
    'pools',
    'restores',
    'thing_secrets',
    'things',
    'tickets',
    'token_events',
    'token_upkeep',
    'tokens',
  ];
  expect(rows).toEqual([
    { name: 'api_keys', by: null, beside: null },
    ...byPool.map((name) => ({ name, by: name === 'pools' ? 'name' : 'pool', beside: 'pools' })),
  ]);
});

test('what the script sets holds for the next partition, whichever process makes it', async () => {
  const later = new Client({ connectionString: database.url });
  await later.connect();
  const { rows } = await later.query(`SHOW citus.enable_unsafe_triggers`);
  await later.end();
  expect(rows).toEqual([{ 'citus.enable_unsafe_triggers': 'on' }]);
});

// docs/scaling.md names them. Citus, multi_router_planner.c: "Router planner doesn't support INSERT common table expressions".
test('no other statement inserts inside of WITH', () => {
  const inserting = STATEMENTS.filter(({ text }) => /\bAS (MATERIALIZED )?\(\s*INSERT\b/.test(text));
  expect(inserting.map(({ name }) => name)).toEqual(['raise_counters', 'save_slice']);
});

describe('the function in place of the statement', () => {
  const statement = SAVE_SLICE as { text: string };
  const { text } = statement;
  let process: Service;

  beforeAll(async () => {
    statement.text = `SELECT save_slice(${parameters.join()})`;
    process = await openService(database.url);
  });
  afterAll(async () => {
    await process.close();
    statement.text = text;
  });

  it('saves whatever the service decides, as the audit and its hashes say', async () => {
    const { service, readers } = process;
    const caller = { ...ANYBODY, keyId: 'key', requestId: 'request' };
    await service.createPool('p', 'elastic', {
      ...{ size: 2, renewable: true, onExhausted: 'evict_oldest', maxLifetimeSeconds: 100, maxWaiting: 1 },
    });
    for (let i = 0; i < 2; i++) await service.generate('p', { caller });
    const first = await service.allocate('p', { userId: USER, metadata: { job: 'a' } }, { caller });
    await service.keepAlive(first.tokenId, { leaseId: first.leaseId }, undefined, { caller });
    const second = await service.allocate('p', { userId: OTHER });
    const third = await service.allocate('p', { userId: OTHER });
    expect(third.tokenId).toBe(first.tokenId);
    await service.release(second.tokenId, {});
    await service.delete(second.tokenId, false);
    expect((await wholeFeed(readers.feed, 'p')).map(({ event, reason }) => reason ?? event)).toEqual([
      'generated',
      'generated',
      'allocated',
      'renewed',
      'allocated',
      'lru_eviction',
      'allocated_after_eviction',
      'released_by_client',
      'deleted_by_client',
    ]);
    expect((await auditPool(readers.audit, 'p')).findings).toEqual([]);
    await client.query('ALTER FUNCTION save_slice RENAME TO gone');
    await expect(service.allocate('p', { userId: USER })).rejects.toThrow('the database');
    await client.query('ALTER FUNCTION gone RENAME TO save_slice');
  });

  it('refuses as a whole where a token is not there to be changed', async () => {
    const before = await client.query('SELECT * FROM pools');
    const lists = Array.from({ length: 39 }, () => "'{}'");
    const call = Object.assign(lists, { 0: `'p'`, 1: `'{f}'`, 2: `'{${USER}}'`, 3: `'{NULL}'` });
    for (const place of [22, 23, 24, 25, 26]) call[place - 1] = '9';
    await expect(client.query(`SELECT save_slice(${call.join()})`)).rejects.toThrow('0 of 1 tokens are there');
    expect((await client.query('SELECT * FROM pools')).rows).toEqual(before.rows);
  });
});

describe('the stand-ins', () => {
  const BY_POOL = 'pool text COLLATE "C" NOT NULL, id uuid NOT NULL';
  const DISTRIBUTE = `SELECT create_distributed_table('t', 'pool', colocate_with => 'pools')`;

  it.each([
    ['a table that nobody classified', 'CREATE TABLE t ()', null],
    [
      'a column that is not there',
      `CREATE TABLE t (id uuid); ${DISTRIBUTE}`,
      'column "pool" of relation "t" does not exist',
    ],
    ['a column that may be null', `CREATE TABLE t (pool text COLLATE "C"); ${DISTRIBUTE}`, '"pool" of "t" may be null'],
    [
      'a generated column',
      `CREATE TABLE t (name text NOT NULL, pool text COLLATE "C" NOT NULL GENERATED ALWAYS AS (name) STORED); ${DISTRIBUTE}`,
      'must not be generated',
    ],
    [
      'a primary key without it',
      `CREATE TABLE t (${BY_POOL}, PRIMARY KEY (id)); ${DISTRIBUTE}`,
      '"t_pkey" does not include',
    ],
    [
      'a unique index without it',
      `CREATE TABLE t (${BY_POOL}); CREATE UNIQUE INDEX i ON t (id); ${DISTRIBUTE}`,
      '"i" does not include',
    ],
    [
      'a unique index that only carries it',
      `CREATE TABLE t (${BY_POOL}); CREATE UNIQUE INDEX i ON t (id) INCLUDE (pool); ${DISTRIBUTE}`,
      '"i" does not include',
    ],
    [
      'an exclusion without it',
      `CREATE TABLE t (${BY_POOL}, CONSTRAINT x EXCLUDE USING btree (id WITH =)); ${DISTRIBUTE}`,
      '"x" does not include',
    ],
    [
      'an exclusion that compares it otherwise than by =',
      `CREATE TABLE t (pool int4range NOT NULL, CONSTRAINT x EXCLUDE USING gist (pool WITH &&));
       SELECT create_distributed_table('t', 'pool', colocate_with => 'none')`,
      '"x" does not include',
    ],
    [
      'a unique index of a partition without it',
      `CREATE TABLE t (${BY_POOL}) PARTITION BY HASH (id); CREATE TABLE a PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0);
       CREATE UNIQUE INDEX i ON a (id); ${DISTRIBUTE}`,
      '"i" does not include',
    ],
    [
      'partitions of partitions',
      `CREATE TABLE t (${BY_POOL}) PARTITION BY HASH (id);
       CREATE TABLE a PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0) PARTITION BY HASH (id); ${DISTRIBUTE}`,
      'multi-level partitioned tables',
    ],
    [
      'a partition by itself',
      `CREATE TABLE a (${BY_POOL}) PARTITION BY HASH (id); CREATE TABLE t PARTITION OF a FOR VALUES WITH (MODULUS 1, REMAINDER 0);
       ${DISTRIBUTE}`,
      'which is a partition',
    ],
    ['a view', `CREATE VIEW t AS SELECT FROM pools; ${DISTRIBUTE}`, 'is not a regular or partitioned table'],
    ['a table for the second time', `SELECT create_distributed_table('tokens', 'pool')`, 'already distributed'],
    [
      'a trigger that was not allowed',
      `CREATE TABLE t (${BY_POOL}); SET LOCAL citus.enable_unsafe_triggers = off;
       CREATE TRIGGER t BEFORE DELETE ON t EXECUTE FUNCTION token_events_are_append_only(); ${DISTRIBUTE}`,
      'because it has triggers',
    ],
    [
      'numbers that run out',
      `CREATE TABLE t (${BY_POOL}, n int GENERATED ALWAYS AS IDENTITY); ${DISTRIBUTE}`,
      'identity column',
    ],
    [
      'a neighbour that is not distributed',
      `CREATE TABLE t (${BY_POOL}); SELECT create_distributed_table('t', 'pool', colocate_with => 'api_keys')`,
      'which is not a distributed table',
    ],
    [
      'another type than the neighbour',
      `CREATE TABLE t (pool uuid NOT NULL); ${DISTRIBUTE}`,
      'types or collations do not match',
    ],
    [
      'another collation than the neighbour',
      `CREATE TABLE t (pool text NOT NULL); ${DISTRIBUTE}`,
      'types or collations do not match',
    ],
    [
      'a foreign key without the pool',
      `CREATE TABLE t (${BY_POOL}, FOREIGN KEY (pool) REFERENCES pools); ALTER TABLE restores ADD UNIQUE (after_seq);
       ALTER TABLE t ADD seq bigint CONSTRAINT k REFERENCES restores (after_seq); ${DISTRIBUTE}`,
      'foreign key "k" is not by the distribution column',
    ],
    [
      'a foreign key to a table elsewhere',
      `CREATE TABLE a (pool text COLLATE "C" PRIMARY KEY); SELECT create_distributed_table('a', 'pool', colocate_with => 'none');
       CREATE TABLE t (pool text COLLATE "C" NOT NULL CONSTRAINT k REFERENCES a); ${DISTRIBUTE}`,
      'foreign key "k" is not by the distribution column of co-located tables',
    ],
    [
      'a foreign key to a local table',
      `CREATE TABLE t (${BY_POOL}, n int CONSTRAINT k REFERENCES migrations); ${DISTRIBUTE}`,
      'foreign key "k" ties',
    ],
    [
      'a foreign key of a local table',
      `CREATE TABLE t (${BY_POOL}, PRIMARY KEY (pool)); CREATE TABLE a (pool text CONSTRAINT k REFERENCES t); ${DISTRIBUTE}`,
      'foreign key "k" ties',
    ],
    [
      'a foreign key of a reference table to a distributed one',
      `CREATE TABLE t (pool text COLLATE "C" CONSTRAINT k REFERENCES pools); SELECT create_reference_table('t')`,
      'foreign key "k" is from a reference table',
    ],
    ['a reference table for the second time', `SELECT create_reference_table('api_keys')`, 'already distributed'],
    [
      'a partitioned reference table',
      `CREATE TABLE t (id uuid) PARTITION BY HASH (id); SELECT create_reference_table('t')`,
      'partitioned tables are only distributed by hash',
    ],
    [
      'a function without that argument',
      `CREATE FUNCTION f(name text) RETURNS void LANGUAGE sql AS '';
       SELECT create_distributed_function('f(text)', 'pool', colocate_with => 'pools')`,
      'the distribution argument is not valid',
    ],
    [
      'a function with fewer arguments',
      `CREATE FUNCTION f(text) RETURNS void LANGUAGE sql AS '';
       SELECT create_distributed_function('f(text)', '$2', colocate_with => 'pools')`,
      'the distribution argument is not valid',
    ],
    [
      'a function of another type',
      `CREATE FUNCTION f(pool uuid) RETURNS void LANGUAGE sql AS '';
       SELECT create_distributed_function('f(uuid)', 'pool', colocate_with => 'pools')`,
      'distribution column types do not match',
    ],
    [
      'a function beside a reference table',
      `CREATE FUNCTION f(pool text) RETURNS void LANGUAGE sql AS '';
       SELECT create_distributed_function('f(text)', 'pool', colocate_with => 'api_keys')`,
      'which is not a distributed table',
    ],
  ])('notice %s', async (_, sin, error) => {
    await client.query('BEGIN; SET LOCAL citus.enable_unsafe_triggers = on');
    try {
      if (error !== null) await expect(client.query(sin)).rejects.toThrow(error);
      else {
        await client.query(sin);
        expect(await unclassified()).toEqual(['t']);
      }
    } finally {
      await client.query('ROLLBACK');
    }
  });

  it('let pass what Citus lets pass', async () => {
    await client.query(`BEGIN; CREATE TABLE t (${BY_POOL}, key text COLLATE "C" REFERENCES api_keys, n bigint GENERATED ALWAYS AS IDENTITY,
      PRIMARY KEY (id, pool), FOREIGN KEY (pool) REFERENCES pools, FOREIGN KEY (pool, id) REFERENCES tokens); ${DISTRIBUTE}`);
    expect(await unclassified()).toEqual([]);
    await client.query('ROLLBACK');
  });
});

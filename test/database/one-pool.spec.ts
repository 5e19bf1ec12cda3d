// Pools are independent: no statement and no constraint spans them, so that the tables can be distributed by pool.
// The planner is the judge: in a copy of the schema that is partitioned by pool, it must be able to leave out
// the partitions of all others before anything is executed. What it cannot leave out is listed here, each with its reason.

import { Client } from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { STATEMENTS, type Statement } from '../support/statements.js';

/** The tables, each by the column that names the pool. */
const BY_POOL = {
  pools: 'name',
  tokens: 'pool',
  token_events: 'pool',
  kept_answers: 'pool',
  restores: 'pool',
  event_snapshots: 'pool',
  event_snapshot_tokens: 'pool',
  things: 'pool',
  thing_secrets: 'pool',
  tickets: 'pool',
  token_upkeep: 'pool',
};

/** What reads all pools, or looks for a token in all of them: no command does. */
const OF_ALL_POOLS: Readonly<Record<string, string>> = {
  pools: 'the list of pools',
  pool_names: 'after a restore, the pools to raise the counters of, each in a transaction of its own',
  lease_ages: 'metrics of all pools',
  line_ages: 'metrics of all pools',
  clock_behind: 'metrics of all pools',
  pools_named: 'the list of the pools of a key',
  seqs_given: 'where the feeds end that anybody follows',
  pools_to_sweep: 'the sweep asks which pools it should change, and changes each in a transaction of its own',
  first_seqs: 'where each month begins, for the pools that it is asked for',
  news: 'the pools that anybody streams, side by side',
  locate: 'a token by its id alone, also of one that is gone: in which pool?',
  token_events: 'the events of a token by its id alone',
  ticket: 'a ticket by its id alone: in which pool?',
};

interface Hidden {
  readonly where: string;
  readonly so: string;
  /** The number of a parameter that is null. */
  readonly without?: number;
}

/** What is of one pool, without the planner being able to tell: with `so` in place of `where` it can. */
const HIDDEN: Readonly<Record<string, Hidden>> = {
  // By the place of rows that were found in the pool. With the pool as well, the planner prefers to go through the whole
  // pool for each row where the table was empty when its statistics were made.
  // By the index of attributes, among which the pool is: with the pool as well, the planner prefers to go through the
  // whole pool where the table was empty when its statistics were made.
  ...Object.fromEntries(
    ['', '_of_line', '_kept_up', '_of_line_kept_up'].map((shape) => [
      `load_slice_counted_listed_chosen${shape}`,
      {
        where: `SELECT token_id FROM things
          WHERE attributes`,
        so: 'SELECT token_id FROM things WHERE pool = $1 AND attributes',
      },
    ]),
  ),
  save_slice: { where: 'tokens.ctid = there.ctid', so: 'tokens.ctid = there.ctid AND tokens.pool = $1' },
  // By the path, in which the pool stands, too: with the pool as well, the planner may prefer to go through the whole pool.
  ...Object.fromEntries(
    Object.entries({ list_all_found: 7, list_active_found: 7, list_available_found: 5, list_kept_back_found: 8 }).map(
      ([name, ofName]) => [
        name,
        {
          where: '::text IS NULL AND attributes @@',
          so: '::text IS NULL AND pool = $1 AND attributes @@',
          without: ofName,
        },
      ],
    ),
  ),
};

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query('CREATE SCHEMA by_pool');
  for (const [table, column] of Object.entries(BY_POOL)) {
    // Refused for a unique index without that column: so none spans pools.
    await client.query(`CREATE TABLE by_pool.${table} (LIKE ${table} INCLUDING ALL) PARTITION BY LIST (${column})`);
    for (const pool of ['mine', 'other']) {
      await client.query(
        `CREATE TABLE by_pool.${table}_${pool} PARTITION OF by_pool.${table} FOR VALUES IN ('${pool}')`,
      );
    }
  }
  await client.query('SET search_path = by_pool, public; SET plan_cache_mode = force_custom_plan');
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

interface Plan {
  readonly 'Node Type': string;
  readonly Operation?: string;
  readonly 'Relation Name'?: string;
  readonly Output?: readonly string[];
  readonly Plans?: readonly Plan[];
}

/** The pools that the planner cannot leave out when $1 is the pool `mine`. */
async function poolsOf({ name, text }: Statement, without?: number): Promise<string[]> {
  await client.query(`DEALLOCATE ALL; PREPARE ${name} AS ${text}`);
  const { rows: parameters } = await client.query<{ type: string }>(
    `SELECT unnest(parameter_types)::text AS type FROM pg_prepared_statements`,
  );
  const values = parameters.map(({ type }, place) => {
    if (place + 1 === without) return 'NULL';
    return `'${place === 0 && type === 'text' ? 'mine' : sampleOf(type)}'`;
  });
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
    `EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON)
     EXECUTE ${name}${values.length > 0 ? `(${values.join()})` : ''}`,
  );
  return [...new Set(poolsIn(rows[0]!['QUERY PLAN'][0].Plan))].sort();
}

function sampleOf(type: string): string {
  if (type.endsWith('[]')) return type === 'jsonb[]' ? '{"{}"}' : `{${sampleOf(type.slice(0, -2))}}`;
  if (type === 'text' || type === 'bytea') return 'other';
  if (type === 'uuid') return '00000000-0000-4000-8000-000000000001';
  if (type === 'jsonb') return '{}';
  if (type === 'jsonpath') return '$.k == 1';
  return type.startsWith('timestamp') ? '2026-11-21' : '1';
}

function poolsIn({ Operation, 'Relation Name': relation = '', Plans = [] }: Plan): string[] {
  const below = Plans.flatMap(poolsIn);
  const [, partitionOf] = /_(mine|other)$/.exec(relation) ?? [];
  if (partitionOf) return [partitionOf, ...below];
  if (Operation !== 'Insert' || !(relation in BY_POOL)) return below;
  // Rows that are inserted find their partition when they are there: it is said by their first column.
  const isOfMine = Plans[0]?.Output?.[0]?.startsWith(`'mine'::text`);
  return [isOfMine ? 'mine' : `any of ${relation}`, ...below];
}

const TABLES = new RegExp(`\\b(FROM|UPDATE|INTO) (${Object.keys(BY_POOL).join('|')})\\b`);

const BOUND = STATEMENTS.filter(({ name }) => !(name in OF_ALL_POOLS) && !(name in HIDDEN));

it.each(BOUND.map((statement) => [statement.name, statement] as const))(
  '%s is of one pool at most',
  async (_, statement) => {
    const namesTables = TABLES.test(statement.text);
    expect(await poolsOf(statement)).toEqual(namesTables ? ['mine'] : []);
  },
);

it.each(Object.entries(HIDDEN))(
  '%s is of one pool, which has to be said twice to the planner',
  async (name, { where, so, without }) => {
    const { text } = STATEMENTS.find((statement) => statement.name === name)!;
    expect(await poolsOf({ name, text }, without)).toEqual(['mine', 'other']);
    expect(text).toContain(where);
    expect(await poolsOf({ name, text: text.replace(where, so) }, without)).toEqual(['mine']);
  },
);

it('what is listed as reading all pools does, and changes nothing', async () => {
  for (const name of Object.keys(OF_ALL_POOLS)) {
    const { text } = STATEMENTS.find((statement) => statement.name === name)!;
    expect([name, await poolsOf({ name, text })]).toEqual([name, expect.arrayContaining(['other'])]);
    expect(text).not.toMatch(/\b(INSERT|UPDATE|DELETE|FOR (NO KEY )?(UPDATE|SHARE))\b/);
  }
});

it('no foreign key ties a table to another', async () => {
  const { rows } = await client.query(`SELECT conname FROM pg_constraint WHERE contype = 'f'`);
  expect(rows).toEqual([]);
});

describe('the judge', () => {
  it.each([
    ['reads without a pool', 'SELECT * FROM tokens WHERE id = $1::uuid', ['mine', 'other']],
    [
      'a join that leaves the pool',
      'SELECT FROM pools p JOIN tokens t ON t.id = $2 WHERE name = $1',
      ['mine', 'other'],
    ],
    ['a change of another pool', `UPDATE pools SET size = 1 WHERE name <> $1`, ['other']],
    ['rows of any pool', `INSERT INTO pools (name) SELECT unnest($2::text[]) WHERE $1 <> ''`, ['any of pools']],
  ])('notices %s', async (_, text, pools) => {
    expect(await poolsOf({ name: 'sin', text })).toEqual(pools);
  });

  it('has a table for each that names a pool, and refuses a unique index without it', async () => {
    const { rows } = await client.query<{ table: string }>(
      `SELECT table_name AS table FROM information_schema.columns
       JOIN pg_class c ON c.oid = format('%I.%I', table_schema, table_name)::regclass AND NOT c.relispartition
       WHERE table_schema = 'public' AND column_name = 'pool'`,
    );
    expect(Object.keys(BY_POOL)).toEqual(expect.arrayContaining(rows.map(({ table }) => table)));
    const index = client.query('CREATE UNIQUE INDEX spanning ON by_pool.tokens (lease_id)');
    await expect(index).rejects.toThrow(/must include all partitioning columns/);
  });
});

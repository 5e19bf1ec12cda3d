// Years of audit: what a page and an instant of the past cost when the same months hold more and more events, and why.

import type { Readers } from '../service.js';
import type { Client } from 'pg';
import type { Bench } from '../bench.js';
import { withClient, type Database } from '../cluster.js';
import { quantile, type Quantiles } from '../../harness/numbers.js';
import { idsOfTokens, keyOf, makePast, type Past } from '../past.js';
import { buffersOf, TimedReader, type Explained, type Timed } from '../timed-reader.js';

export interface ReadTimes {
  readonly what: string;
  readonly events: number;
  /** Milliseconds. */
  readonly inDatabase: Quantiles;
  readonly forCaller: Quantiles;
  /** Of 8 kB, touched by all statements of the answer. */
  readonly buffers: Quantiles;
}

export interface AuditSize {
  readonly events: number;
  readonly partitions: number;
  readonly tableBytes: number;
  readonly indexBytes: number;
  /** Of the largest partition. */
  readonly rows: number;
  /** Of its key: how many pages are read from its root to a row's place, and how many there are. */
  readonly levels: number;
  readonly keyPages: number;
}

export interface Plan {
  readonly what: string;
  /** A statement each. */
  readonly statements: readonly string[];
}

export interface RowsResult {
  readonly tokens: number;
  readonly months: number;
  /** Rows of a page. */
  readonly limit: number;
  readonly sizes: readonly AuditSize[];
  readonly reads: readonly ReadTimes[];
  /** At the largest size. */
  readonly plans: readonly Plan[];
  /** Of the largest audit, in milliseconds: to make the next month, and to drop the fullest one. */
  readonly partition: { readonly made: number; readonly dropped: number; readonly droppedEvents: number };
}

/** A search by request looks at all the events that it may look at: it is judged by its growth alone. */
export const BY_REQUEST = 'events of a request';

const TOKENS = 100;
const MONTHS = 36;
const LIMIT = 100;

/** Keys of an inner page of the index, at the least: they are of 24 bytes and a pointer of 4, and a page is half full or more. */
const KEYS_OF_PAGE = 140;

/** How many pages of a key are read to find a place in so many. */
export function levelsOf(keyPages: number): number {
  let levels = 1;
  for (let pages = keyPages; pages > 1; pages = Math.ceil(pages / KEYS_OF_PAGE)) levels++;
  return levels;
}

type Read = (on: Readers) => Promise<unknown>;

interface Audit {
  readonly past: Past;
  readonly events: number;
  readonly database: Database;
}

export async function measureRows({ isShort, millions, cluster, say }: Bench): Promise<RowsResult> {
  const audits: Audit[] = [];
  for (const events of (isShort ? [0.01, 0.02] : millions).map((count) => Math.round(count * 1e6))) {
    const past = { pool: `of-${events}`, tokens: TOKENS, grants: events / 2, months: MONTHS };
    audits.push({ past, events, database: await cluster.createDatabase(`rows_${events}`) });
  }
  // Each on a connection of its own: one is made by one core.
  await Promise.all(
    audits.map(({ database, past }) => withClient(database.url, (client) => makePast(client, past, say))),
  );
  const sizes: AuditSize[] = [];
  const reads: ReadTimes[] = [];
  for (const { past, events, database } of audits) {
    sizes.push(await withClient(database.url, (client) => sizeOf(client, past.pool, events)));
    reads.push(...(await timeReads(past, database, isShort ? 10 : 500, say)));
  }
  const largest = audits.at(-1) as Audit;
  const plans = await plansOf(largest);
  const partition = await withClient(largest.database.url, timePartitions);
  for (const { database } of audits) await database.drop();
  return { tokens: TOKENS, months: MONTHS, limit: LIMIT, sizes, reads, plans, partition };
}

/** What is asked for, each time somewhere else in the past. */
async function readsOf({ pool, grants }: Past, { url }: Database): Promise<Record<string, () => Read>> {
  const { ids, begins, ends } = await withClient(url, async (client) => {
    const { rows } = await client.query<{ begins: Date; ends: Date }>(
      `SELECT (SELECT recorded_at FROM token_events WHERE pool = $1 AND seq = $2) AS begins, last_at AS ends
       FROM pools WHERE name = $1`,
      [pool, TOKENS],
    );
    return { ids: await idsOfTokens(client, { pool }), ...rows[0]! };
  });
  const any = (count: number): number => Math.floor(Math.random() * count);
  const anyToken = (): string => ids[any(ids.length)] as string;
  const anySeq = (): number => TOKENS + any(2 * grants - TOKENS);
  const anyFence = (): number => 1 + any(grants);
  const anyInstant = (): string =>
    new Date(begins.getTime() + 1 + any(ends.getTime() - begins.getTime() - 1)).toISOString();
  return {
    "the pool's events": () => {
      const after = anySeq();
      return (on) => on.feed.page(pool, after, LIMIT);
    },
    "a token's events": () => {
      const [token, cursor] = [anyToken(), cursorAt('events', anySeq())];
      return (on) => on.tokens.events(token, { limit: LIMIT, cursor });
    },
    "a token's history": () => {
      const [token, cursor] = [anyToken(), cursorAt('history', anyFence())];
      return (on) => on.tokens.history(token, { limit: LIMIT, cursor });
    },
    'events of an actor': () => {
      const [after, actor] = [anySeq(), keyOf(anyFence())];
      return (on) => on.feed.search(pool, after, LIMIT, { actor });
    },
    [BY_REQUEST]: () => {
      const after = anySeq();
      return (on) => on.feed.search(pool, after, LIMIT, { requestId: 'nobody-has-asked-this' });
    },
    'the pool as of an instant': () => {
      const at = anyInstant();
      return (on) => on.past.pool(pool, at);
    },
    'a token as of an instant': () => {
      const [token, at] = [anyToken(), anyInstant()];
      return (on) => on.past.token(token, at);
    },
    "the pool's tokens": () => (on) => on.tokens.tokens({ poolName: pool, status: 'all', limit: LIMIT }),
  };
}

async function timeReads(
  past: Past,
  database: Database,
  samples: number,
  say: (what: string) => void,
): Promise<ReadTimes[]> {
  const reader = await TimedReader.open(database.url);
  const events = 2 * past.grants;
  const all: ReadTimes[] = [];
  for (const [what, next] of Object.entries(await readsOf(past, database))) {
    const count = what === BY_REQUEST ? Math.ceil(samples / 10) : samples;
    for (let i = 0; i < count / 10; i++) await reader.time(next());
    const times: Timed[] = [];
    for (let i = 0; i < count; i++) times.push(await reader.time(next()));
    const of = (field: keyof Timed): Quantiles => {
      const values = times.map((one) => one[field]);
      return { p50: quantile(values, 0.5), p99: quantile(values, 0.99) };
    };
    const read = { what, events, inDatabase: of('inDatabase'), forCaller: of('forCaller'), buffers: of('buffers') };
    all.push(read);
    say(
      `${what}, ${events} events: p50 ${read.inDatabase.p50.toFixed(2)}, p99 ${read.inDatabase.p99.toFixed(2)} ms in the database, ${read.buffers.p50} buffers`,
    );
  }
  await reader.close();
  return all;
}

async function plansOf({ past, database }: Audit): Promise<Plan[]> {
  const reader = await TimedReader.open(database.url);
  const plans: Plan[] = [];
  for (const [what, next] of Object.entries(await readsOf(past, database))) {
    // Twice: the first time it is looked which months there are.
    await reader.time(next());
    plans.push({ what, statements: (await reader.plans(next())).map(shortened) });
  }
  await reader.close();
  return plans;
}

/** Partitions that were looked into beyond the third, and those that were not, as numbers. */
export function shortened(plan: string): string {
  const nodes = plan.split(/\n(?=\s*->)/);
  const isPartition = (node: string): boolean => / on token_events_\w+/.test(node);
  const indent = (node: string): string => /^\s*/.exec(node)![0];
  const kept: string[] = [];
  for (let first = 0, next; first < nodes.length; first = next) {
    // Those of one parent stand together.
    const node = nodes[first]!;
    for (next = first + 1; isPartition(node) && next < nodes.length; next++) {
      if (!isPartition(nodes[next]!) || indent(nodes[next]!) !== indent(node)) break;
    }
    const alike = nodes.slice(first, next);
    const opened = alike.filter((one) => !one.includes('(never executed)'));
    const left = alike.length - opened.length;
    kept.push(...(isPartition(node) ? opened.slice(0, SHOWN) : alike));
    if (isPartition(node) && opened.length > SHOWN)
      kept.push(`${indent(node)}->  … and ${opened.length - SHOWN} partitions more like these`);
    if (isPartition(node) && left > 0) kept.push(`${indent(node)}->  … and ${left} partitions never looked into`);
  }
  return kept.join('\n');
}
const SHOWN = 3;

interface Partition {
  readonly name: string;
  readonly rows: number;
  /** Bytes. */
  readonly table: number;
  readonly indexes: number;
}

/** Those with rows, the fullest first. */
async function partitionsOf(client: Client): Promise<Partition[]> {
  const { rows } = await client.query<Partition>(
    `SELECT name, pg_table_size(name::regclass)::float8 AS table, pg_indexes_size(name::regclass)::float8 AS indexes,
       reltuples::float8 AS rows
     FROM event_partitions JOIN pg_class c ON c.oid = name::regclass WHERE reltuples > 0 ORDER BY reltuples DESC`,
  );
  return rows;
}

async function sizeOf(client: Client, pool: string, events: number): Promise<AuditSize> {
  const partitions = await partitionsOf(client);
  const sum = (of: 'table' | 'indexes'): number => partitions.reduce((total, one) => total + one[of], 0);
  const { name, rows } = partitions[0]!;
  const [key] = (
    await client.query<{ pages: number; seq: string }>(
      `SELECT (pg_relation_size(indexrelid) / 8192)::float8 AS pages, (SELECT max(seq) - 1 FROM ${name} WHERE pool = $2) AS seq
       FROM pg_index WHERE indrelid = $1::regclass AND indisprimary`,
      [name, pool],
    )
  ).rows;
  await client.query('SET enable_seqscan = off; SET enable_bitmapscan = off');
  const look = () =>
    client.query<Explained>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT event FROM ${name} WHERE pool = '${pool}' AND seq = ${key!.seq}`,
    );
  // The first one in a session reads catalogues, too; and the row itself is one more.
  await look();
  const looked = await look();
  return {
    events,
    partitions: partitions.length,
    tableBytes: sum('table'),
    indexBytes: sum('indexes'),
    rows,
    levels: buffersOf(looked.rows[0]!) - 1,
    keyPages: key!.pages,
  };
}

async function timePartitions(client: Client): Promise<RowsResult['partition']> {
  const [{ name, rows: droppedEvents }] = (await partitionsOf(client)) as [Partition];
  const timed = async (sql: string): Promise<number> => {
    const begun = performance.now();
    await client.query(sql);
    return performance.now() - begun;
  };
  return {
    made: await timed(`SELECT make_event_partitions(clock_timestamp() + interval '4 months')`),
    dropped: await timed(`DROP TABLE ${name}`),
    droppedEvents,
  };
}

/** Anywhere in the list: as the reader writes them, see cursor.ts there. */
const cursorAt = (list: string, place: number): string => Buffer.from(`${list}~${place}`).toString('base64url');

// The audit in partitions: a month each, made ahead; an audit from before becomes the first; nothing reads more of
// them than it has to.

import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { createDataSource } from '@app/postgres';
import { Database } from '../../libs/postgres/src/connection/database.js';
import { EventMonths } from '../../libs/postgres/src/reading/event-months.js';
import { FEED, NEW_EVENTS } from '../../libs/postgres/src/reading/feed-statements.js';
import { HISTORY, TOKEN_EVENTS } from '../../libs/postgres/src/reading/token-statements.js';
import { startAppOn } from '../support/app.js';
import { installClock } from '../support/clock.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { audit, wholeFeed } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';
import { clientOf } from '../http/client.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';
const MONTH = 31 * 86_400;

let database: TestDatabase;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
});
afterEach(async () => {
  await client.end();
  await database.drop();
});

const rows = async <Row>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await client.query(sql, values)).rows as Row[];

const partitions = (): Promise<{ name: string; ends_at: Date }[]> =>
  rows('SELECT name, ends_at FROM event_partitions ORDER BY ends_at');

const inMonths = (date: Date, months: number): Date =>
  new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1));

test('after a migration there is room for the present month and three more', async () => {
  const made = await partitions();
  expect(made[0]?.name).toBe('token_events_beginning');
  // The first partition holds the present month and the next one; the month may have changed since the migration.
  expect(made[0]!.ends_at.getTime()).toBeGreaterThan(Date.now());
  expect(made.at(-1)!.ends_at).toEqual(inMonths(made[0]!.ends_at, 2));
  for (const [place, { name, ends_at }] of made.entries()) {
    if (place === 0) continue;
    const begins = made[place - 1]!.ends_at;
    expect(ends_at).toEqual(inMonths(begins, 1));
    expect(name).toBe(`token_events_${begins.toISOString().slice(0, 7).replace('-', '_')}`);
  }
});

test('every partition has the columns, keys, checks and triggers of the first', async () => {
  const described = (name: string): Promise<unknown> =>
    rows(
      `SELECT replace(what, $1, 'part') AS what FROM (
         SELECT attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull AS what FROM pg_attribute
         WHERE attrelid = $1::text::regclass AND attnum > 0
         UNION ALL SELECT regexp_replace(pg_get_indexdef(indexrelid), 'INDEX \\S+', '') FROM pg_index WHERE indrelid = $1::text::regclass
         UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1::text::regclass
         UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = $1::text::regclass) d ORDER BY 1`,
      [name],
    );
  const [first, ...others] = await partitions();
  const expected = await described(first!.name);
  for (const { name } of others) expect(await described(name)).toEqual(expected);
});

test('the audit of the released version becomes the first partition as it is, and all of it is there', async () => {
  const source = await createDataSource(database.url).initialize();
  const newer = source.migrations.length - 2;
  for (let i = 0; i < newer; i++) await source.undoLastMigration({ transaction: 'each' });
  await client.query(`
    INSERT INTO pools (name, kind, size, ttl_seconds, renewable, on_exhausted, release_authority, last_seq, token_count)
    VALUES ('old', 'elastic', 5, 60, true, 'reject', 'anyone', 2, 2);
    INSERT INTO tokens (pool, id, status, free_since)
    SELECT 'old', md5(n::text)::uuid, 'available', now() FROM generate_series(1, 2) n;
    INSERT INTO token_events (pool, seq, id, token_id, event, occurred_at, recorded_at)
    SELECT 'old', n, gen_random_uuid(), md5(n::text)::uuid, 'generated', now() - interval '3 years', now() - interval '3 years'
    FROM generate_series(1, 2) n`);
  const [before] = await rows<{ file: string }>(`SELECT pg_relation_filepath('token_events') AS file`);
  await source.runMigrations({ transaction: 'each' });
  expect(await rows(`SELECT pg_relation_filepath('token_events_beginning') AS file`)).toEqual([before]);
  // As 0.1.0 writes: it names its columns, and knows of no others.
  await client.query(`
    INSERT INTO token_events (pool, seq, id, token_id, event, reason, occurred_at, recorded_at, user_id, fence, lease_id,
      activated_at, expires_at, metadata)
    VALUES ('old', 3, gen_random_uuid(), md5('1')::uuid, 'deleted', 'deleted_by_client', now(), now(), NULL, NULL, NULL,
      NULL, NULL, NULL);
    UPDATE pools SET last_seq = 3, token_count = 1;
    DELETE FROM tokens WHERE id = md5('1')::uuid`);
  await source.destroy();
  const service = await openService(database.url);
  await service.service.allocate('old', { userId: ANN });
  expect((await wholeFeed(service.readers.feed, 'old')).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  expect(await audit(service.readers, 'old')).toEqual([]);
  await service.close();
});

describe('as the years go by', () => {
  const TOKENS = 2;
  let service: Service;

  async function years(months: number): Promise<void> {
    const clock = await installClock(database.url);
    await clock.toMiddleOfMonth();
    service = await openService(database.url);
    await service.service.createPool('p', 'fixed', { size: TOKENS });
    for (let month = 0; month < months; month++) {
      await service.partitions.ensure();
      for (let i = 0; i < 3; i++) await service.service.allocate('p', { userId: ANN });
      await clock.advance(MONTH);
    }
    await service.close();
    // As a process that starts now sees it.
    service = await openService(database.url);
  }
  afterEach(() => service.close());

  test('each month has its partition, and no page misses or repeats anything', async () => {
    await years(14);
    const used = await rows(`SELECT DISTINCT tableoid FROM token_events`);
    expect(used.length).toBeGreaterThan(11);
    const feed = await wholeFeed(service.readers.feed, 'p');
    expect(feed.map(({ seq }) => seq)).toEqual(feed.map((_, place) => place + 1));
    expect(await audit(service.readers, 'p')).toEqual([]);
    const paged = [];
    for (let after = 0; after < feed.length; after += 7)
      paged.push(...(await service.readers.feed.page('p', after, 7)).events);
    expect(paged).toEqual(feed);
    for (const after of [0, 1, 30, feed.length - 1]) {
      const [added] = await service.readers.feed.newEvents(new Map([['p', after]]), 1000);
      expect(added!.events).toEqual(feed.slice(after));
    }
    for (const { id } of (await service.readers.tokens.tokens({ poolName: 'p', status: 'all', limit: 9 })).tokens) {
      const newestFirst = feed.filter(({ token_id }) => token_id === id).reverse();
      for (const limit of [1, 5, 100]) {
        expect(
          await all(
            (cursor) => service.readers.tokens.events(id, { limit, cursor }),
            (page) => page.events,
          ),
        ).toEqual(newestFirst);
        const uses = await all(
          (cursor) => service.readers.tokens.history(id, { limit, cursor }),
          (page) => page.history,
        );
        expect(uses).toHaveLength(newestFirst.filter(({ event }) => event === 'activated').length);
      }
      const { history } = await service.readers.tokens.token(id);
      expect(history).toHaveLength(20);
    }
  });

  test('each page opens the partitions that hold it, and reads them in the order of an index', async () => {
    await years(14);
    const source = await createDataSource(database.url).initialize();
    const months = new EventMonths(new Database(source));
    const last = (await service.readers.pools.pool('p')).last_seq - 1;
    const { from, to } = await months.between('p', 20, 5);
    const [since] = await months.since(new Map([['p', last]]));
    const [token] = (await service.readers.tokens.tokens({ poolName: 'p', status: 'all', limit: 1 })).tokens;
    const { id } = token!;
    const recent = await months.recent();
    const plans = {
      feed: await plan(source, FEED, ['p', 5, 20, from, to]),
      newEvents: await plan(source, NEW_EVENTS, ['{p}', `{${last}}`, 5, `{${since}}`]),
      events: await plan(source, TOKEN_EVENTS, [id, 5, 99, recent]),
      history: await plan(source, HISTORY, ['p', id, 5, 99, recent]),
    };
    await source.destroy();
    const opened = (of: string): string[] =>
      [...of.matchAll(/Index Scan.* on (token_events_\w+)/g)].map(([, name]) => name!);
    const all = (await partitions()).map(({ name }) => name);
    expect(opened(plans.feed).length).toBeLessThanOrEqual(3);
    expect(all).toEqual(expect.arrayContaining(opened(plans.feed)));
    for (const page of [plans.events, plans.history]) expect(opened(page)).toEqual(all.slice(-5));
    expect(plans.newEvents.match(/never executed/g)!.length).toBeGreaterThan(all.length - 7);
    // What is said of the pool beside its events is looked up once.
    const loops = [...plans.feed.matchAll(/on (?:restores|event_snapshots|pools) .*loops=(\d+)/g)].map(([, n]) => n);
    expect(loops).toEqual(['1', '1', '1', '1']);
    for (const page of Object.values(plans)) expect(page).not.toMatch(/Seq Scan on token_events|Bitmap/);
  });
});

/** As the service's sessions make it: for any values, before they are known. */
async function plan(source: DataSource, { name, text }: { name: string; text: string }, values: unknown[]) {
  const runner = source.createQueryRunner();
  await runner.query(`PREPARE plan_of_${name} AS ${text}`);
  const literals = values.map((value) => (typeof value === 'number' ? String(value) : `'${String(value)}'`));
  const lines = (await runner.query(
    `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE plan_of_${name}(${literals.join(', ')})`,
  )) as { 'QUERY PLAN': string }[];
  await runner.release();
  return lines.map((line) => line['QUERY PLAN']).join('\n');
}

async function all<Page extends { next_cursor: string | null }>(
  ask: (cursor?: string) => Promise<Page>,
  list: (page: Page) => readonly unknown[],
): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await ask(cursor);
    rows.push(...list(page));
    if (page.next_cursor === null) return rows;
    cursor = page.next_cursor;
  }
}

test('a process that sweeps makes room, and one that does not is warned of while there is time', async () => {
  const clock = await installClock(database.url);
  const app = await startAppOn(database.url);
  const ask = clientOf(app);
  expect((await ask('GET', '/health/ready')).body).toEqual({ status: 'ok' });
  await clock.advance(4 * MONTH);
  let ready = await ask('GET', '/health/ready');
  // What was found is remembered for a second.
  while (ready.body.warning === undefined) ready = await ask('GET', '/health/ready');
  expect(ready).toMatchObject({
    status: 200,
    body: { status: 'ok', warning: expect.stringMatching(/^there is room for events until .* only/) as string },
  });
  const sweeping = await startAppOn(database.url, { SWEEP_INTERVAL_MS: '5' });
  for (;;) {
    const { body } = await ask('GET', '/health/ready');
    if (body.warning === undefined) break;
  }
  await sweeping.close();
  await app.close();
});

test('many processes that make room at once make it once', async () => {
  const clock = await installClock(database.url);
  const services = await Promise.all([1, 2, 3].map(() => openService(database.url)));
  await clock.advance(6 * MONTH);
  await Promise.all(services.map(({ partitions }) => partitions.ensure()));
  expect((await partitions()).length).toBeGreaterThan(8);
  for (const one of services) await one.close();
});

// The past that the bench makes by SQL is one that could have been: the service's own auditor reads it, hashes included,
// and any instant of it is told as its events say.

import { Client } from 'pg';
import { auditPool, fromIso, toIso, type EventView } from '@app/tokens';
import { createDataSource } from '@app/postgres';
import { POOL_THEN } from '../../libs/postgres/src/reading/past-statements.js';
import { keyOf, makePast } from '../../tools/bench/past.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { wholeFeed } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';

const TOKENS = 7;
const GRANTS = 500;
const MONTHS = 14;

let database: TestDatabase;
let service: Service;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
  await makePast(client, { pool: 'years', tokens: TOKENS, grants: GRANTS, months: MONTHS }, () => undefined);
  await makePast(client, { pool: 'minutes', tokens: 3, grants: 20 }, () => undefined);
  service = await openService(database.url);
});
afterAll(async () => {
  await service.close();
  await client.end();
  await database.drop();
});

test.each(['years', 'minutes'])('the auditor finds nothing wrong with the %s that were made', async (pool) => {
  const report = await auditPool(service.readers.audit, pool);
  expect(report.findings).toEqual([]);
  const [{ last_hash, hashed_seq }] = (
    await client.query<{ last_hash: string; hashed_seq: string }>(
      `SELECT encode(last_hash, 'hex') AS last_hash, hashed_seq FROM pools WHERE name = $1`,
      [pool],
    )
  ).rows as [{ last_hash: string; hashed_seq: string }];
  expect({ last_hash, hashed_seq: Number(hashed_seq) }).toEqual({
    last_hash: report.last_hash,
    hashed_seq: report.last_seq,
  });
});

test('it says whose keys and requests they were, and the service goes on from there', async () => {
  const feed = await wholeFeed(service.readers.feed, 'years');
  expect(feed).toHaveLength(2 * GRANTS);
  for (const { event, reason, actor, request_id, fence } of feed) {
    if (event === 'generated') continue;
    expect(request_id === null).toBe(reason === 'ttl_expired');
    if (event === 'activated') expect(actor).toBe(keyOf(fence!));
    if (reason === 'ttl_expired') expect(actor).toBe('system');
  }
  await service.service.allocate('minutes', { userId: 'c0ffee00-0000-4000-8000-000000000001' });
  expect((await auditPool(service.readers.audit, 'minutes')).findings).toEqual([]);
});

test('each of its months fills a partition', async () => {
  const {
    rows: [made],
  } = await client.query<{ months: number; partitions: number }>(
    `SELECT count(DISTINCT date_trunc('month', recorded_at AT TIME ZONE 'UTC'))::int AS months,
       count(DISTINCT tableoid)::int AS partitions FROM token_events WHERE pool = 'years'`,
  );
  expect(made!.partitions).toBe(made!.months);
  // The past ends a minute ago. In the first minute of a month that is in the month before.
  expect([MONTHS, MONTHS + 1]).toContain(made!.months);
});

test('as_of tells what its events say of that instant', async () => {
  const feed = await wholeFeed(service.readers.feed, 'years');
  const instants = [TOKENS, TOKENS + 3, 100, 333, 700, 2 * GRANTS - 1].flatMap((place) => {
    const at = fromIso(feed[place]!.recorded_at);
    // Before an end that is written down half a pace after its deadline there is an instant at which it is overdue.
    return [at, at + 1, at - 1];
  });
  const overdue: number[] = [];
  for (const at of instants) {
    const held = heldAt(feed, at);
    overdue.push([...held.values()].filter(({ expires_at }) => fromIso(expires_at!) <= at).length);
    const running = new Map([...held].filter(([, { expires_at }]) => fromIso(expires_at!) > at));
    const { counts } = await service.readers.past.pool('years', toIso(at));
    expect(counts).toEqual({ total: TOKENS, active: running.size, available: TOKENS - running.size });
    for (const { token_id } of feed.slice(0, TOKENS)) {
      const id = token_id!;
      const { status, active_user_id, fence } = await service.readers.past.token(id, toIso(at));
      const lease = running.get(id);
      expect({ status, active_user_id, fence }).toEqual({
        status: lease ? 'active' : 'available',
        active_user_id: lease?.user_id ?? null,
        fence: lease?.fence ?? null,
      });
    }
  }
  expect(Math.max(...overdue)).toBe(1);
});

test('no instant of the past waits for workers to be started, however large its partitions are', async () => {
  const source = await createDataSource(database.url, { poolSize: 1 }).initialize();
  for (const made of [
    'parallel_setup_cost',
    'parallel_tuple_cost',
    'min_parallel_table_scan_size',
    'min_parallel_index_scan_size',
  ])
    await source.query(`SET ${made} = 0`);
  await source.query(`PREPARE past AS ${POOL_THEN.text}`);
  const plan: unknown[] = await source.query(`EXPLAIN EXECUTE past('years', now() - interval '1 year', 100)`);
  await source.destroy();
  expect(plan.length).toBeGreaterThan(10);
  expect(JSON.stringify(plan)).not.toMatch(/Gather|Parallel/);
});

/** The leases that nobody had written down as ended by then, by token. */
function heldAt(feed: readonly EventView[], at: number): Map<string, EventView> {
  const held = new Map<string, EventView>();
  for (const event of feed) {
    if (fromIso(event.recorded_at) > at) break;
    if (event.event === 'activated') held.set(event.token_id!, event);
    else held.delete(event.token_id!);
  }
  return held;
}

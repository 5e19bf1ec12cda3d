// Events that are older than they are kept: dropped a month at a time, after a snapshot from which everything goes on.

import { Client } from 'pg';
import { auditPool, checkExport, compareExport, dropExpired, exportLines, sweep } from '@app/tokens';
import { createDataSource, keepEventsFor, PostgresEventRetention } from '@app/postgres';
import type { DataSource } from 'typeorm';
import { startAppOn } from '../support/app.js';
import { installClock, type MovableClock } from '../support/clock.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openService, type Service } from '../../tools/harness/service.js';
import { openStream, streamOf } from '../http/stream-reader.js';
import { clientOf } from '../http/client.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';
const BEA = 'c0ffee00-0000-4000-8000-000000000002';
const DAY = 86_400;
/** Only the first month is over for so long. */
const DAYS = 57;

const THINGS = [1, 2, 3].map((os) => ({ name: `os ${os}`, attributes: { os } }));

let database: TestDatabase;
let clock: MovableClock;
let client: Client;
let source: DataSource;
let service: Service;
let retention: PostgresEventRetention;
/** The last seq of `p` in its first month, and of the second. */
let ofFirst: number;
let ofSecond: number;

/** Three months in which things happened, and a fourth, in which it is now. */
beforeEach(async () => {
  database = await createTestDatabase();
  clock = await installClock(database.url);
  client = new Client({ connectionString: database.url });
  await client.connect();
  await clock.toMiddleOfMonth();
  // What drops events goes by the real clock whatever the caller's says; here by the one that is moved.
  for (const name of ['expired_partition', 'expired_events', 'drop_expired_events']) {
    await client.query(`ALTER FUNCTION ${name}() SET search_path = clock, pg_catalog, public, pg_temp`);
  }
  service = await openService(database.url);
  source = await createDataSource(database.url).initialize();
  retention = new PostgresEventRetention(source);
  await service.service.createPool('p', 'elastic', { size: 4, ttlSeconds: 100 * DAY, onExhausted: 'evict_oldest' });
  await service.service.createPool('quiet', 'fixed', { size: 2 });
  for (let i = 0; i < 3; i++) await service.service.generate('p');
  await service.service.createPool('things', 'listed', { ttlSeconds: 100 * DAY, onExhausted: 'evict_oldest' });
  await service.service.importThings('things', THINGS, false);
  for (let i = 0; i < 3; i++) await service.service.allocate('things', { userId: ANN });
  const named = { userId: ANN, select: { os: 2 } };
  await service.service.deleteWhenFree((await service.service.allocate('things', named)).tokenId);
  ofFirst = await month();
  ofSecond = await month();
  await month();
});
afterEach(async () => {
  await source.destroy();
  await service.close();
  await client.end();
  await database.drop();
});

/** Makes a token, evicts, leaves leases open, ends one, whose token is idle and deleted; then it is a month later. */
async function month(): Promise<number> {
  await service.partitions.ensure();
  await service.service.generate('p');
  for (let i = 0; i < 6; i++) await service.service.allocate('p', { userId: i % 2 === 0 ? ANN : BEA });
  const { tokenId, leaseId } = await service.service.allocate('p', { userId: ANN });
  await service.service.release(tokenId, { leaseId });
  const { last_seq } = await service.readers.pools.pool('p');
  await clock.advance(31 * DAY);
  await sweep(service.repository, service.executor);
  return last_seq;
}

const rows = async <Row>(sql: string): Promise<Row[]> => (await client.query(sql)).rows as Row[];
const partitions = async (): Promise<string[]> =>
  (await rows<{ name: string }>('SELECT name FROM event_partitions ORDER BY ends_at')).map(({ name }) => name);
const snapshots = (): Promise<{ seq: string; is_beginning: boolean }[]> =>
  rows(`SELECT seq, is_beginning FROM event_snapshots WHERE pool = 'p' ORDER BY seq`);
/** As if the clock had been looked at on the last three days, and nothing had been dropped today. */
const seenForDays = (): Promise<unknown> =>
  client.query(`DELETE FROM clock_days;
    INSERT INTO clock_days (day) SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date - n FROM generate_series(0, 2) n`);
const keepFor = async (days: number | null): Promise<boolean> => {
  await seenForDays();
  return keepEventsFor(database.url, days);
};
const found = async (): Promise<readonly string[]> => (await auditPool(service.readers.audit, 'p')).findings;
const begins = (): Promise<number> => service.readers.feed.begins('p');

test('nothing is dropped unless it is said for how long events are kept', async () => {
  const before = await partitions();
  expect(await dropExpired(retention)).toEqual([]);
  await keepFor(1000);
  expect(await dropExpired(retention)).toEqual([]);
  await keepFor(DAYS);
  await keepFor(null);
  expect(await dropExpired(retention)).toEqual([]);
  expect(await partitions()).toEqual(before);
  expect(await snapshots()).toEqual([]);
});

test('what is wholly older goes, its snapshot stays, and the audit goes on from there over every border', async () => {
  await keepFor(DAYS);
  const [first, second] = await partitions();
  expect(await dropExpired(retention)).toEqual([first]);
  expect(await partitions()).not.toContain(first);
  expect(await begins()).toBe(ofFirst);
  expect(await auditPool(service.readers.audit, 'p')).toMatchObject({ findings: [], begins_after: await begins() });
  expect(await auditPool(service.readers.audit, 'quiet')).toMatchObject({ findings: [], tokens: 2, begins_after: 2 });
  // The snapshot knows the names and attributes, and which token goes at the end of its lease.
  const { last_seq: seq } = await service.readers.pools.pool('things');
  expect(await auditPool(service.readers.audit, 'things')).toMatchObject({
    findings: [],
    tokens: 3,
    begins_after: seq,
  });
  const { tokenId, name } = await service.service.allocate('things', { userId: BEA, select: { os: 3 } });
  const [time] = await rows<{ at: string }>(`SELECT to_json(clock_timestamp()) #>> '{}' AS at`);
  expect(await service.readers.past.token(tokenId, time!.at)).toMatchObject({ name, attributes: { os: 3 } });
  await service.service.importThings('things', THINGS.slice(0, 2), true);
  expect((await auditPool(service.readers.audit, 'things')).findings).toEqual([]);

  await keepFor(30);
  expect(await dropExpired(retention)).toEqual([second]);
  expect(await begins()).toBe(ofSecond);
  expect(await snapshots()).toEqual([{ seq: String(await begins()), is_beginning: true }]);
  expect(await found()).toEqual([]);
  for (let i = 0; i < 5; i++) await service.service.allocate('p', { userId: BEA });
  expect(await found()).toEqual([]);
  expect(await rows(`SELECT count(DISTINCT seq)::int AS n FROM event_snapshot_tokens WHERE pool = 'p'`)).toEqual([
    { n: 1 },
  ]);
});

test('a clock that is far ahead for a moment drops nothing, and neither do three looks in a row', async () => {
  await keepEventsFor(database.url, DAYS);
  const before = await partitions();
  for (let i = 0; i < 3; i++) expect(await dropExpired(retention)).toEqual([]);
  await clock.advance(100 * DAY);
  for (let i = 0; i < 3; i++) expect(await dropExpired(retention)).toEqual([]);
  // Around a midnight of the wrong clock, and back.
  await clock.advance(DAY);
  expect(await dropExpired(retention)).toEqual([]);
  await clock.advance(-101 * DAY);
  expect(await dropExpired(retention)).toEqual([]);
  expect(await partitions()).toEqual(before);
  expect(await rows('SELECT day FROM clock_days')).toHaveLength(1);
  expect(await snapshots()).toEqual([]);
});

test('what is due goes once the clock was seen on three days, one partition a day', async () => {
  const before = await partitions();
  await keepEventsFor(database.url, 1);
  const dropped: string[][] = [];
  for (let day = 0; day < 4; day++) {
    dropped.push(await dropExpired(retention));
    expect(await dropExpired(retention)).toEqual([]);
    await clock.advance(DAY);
  }
  expect(dropped).toEqual([[], [], [before[0]], [before[1]]]);
  expect(await found()).toEqual([]);
});

test('a snapshot is the state that the events before it fold to', async () => {
  await keepFor(DAYS);
  const at = `(SELECT max(recorded_at) FROM token_events WHERE pool = 'p' AND tableoid = 'token_events_beginning'::regclass)`;
  const held = await rows(`
    SELECT token_id AS id, user_id, fence::int FROM (
      SELECT DISTINCT ON (token_id) * FROM token_events WHERE pool = 'p' AND recorded_at <= ${at} ORDER BY token_id, seq DESC) e
    WHERE event IN ('activated', 'renewed') ORDER BY 1`);
  expect(held.length).toBeGreaterThan(0);
  await dropExpired(retention);
  expect(
    await rows(`
      SELECT t ->> 'id' AS id, t #>> '{lease,user_id}' AS user_id, (t #>> '{lease,fence}')::int AS fence
      FROM event_snapshot_tokens, jsonb_array_elements(tokens) t
      WHERE pool = 'p' AND t -> 'lease' <> 'null' ORDER BY 1`).then((all) =>
      all.map((row) => ({ ...(row as object) })),
    ),
  ).toEqual(held);
});

test('where the audit finds anything, nothing is dropped', async () => {
  await keepFor(DAYS);
  await client.query('ALTER TABLE token_events_beginning DISABLE TRIGGER ALL');
  await client.query(`UPDATE token_events_beginning SET user_id = gen_random_uuid() WHERE pool = 'p' AND seq = 5`);
  const before = await partitions();
  await expect(dropExpired(retention)).rejects.toThrow(/nothing is dropped: in pool p the audit found seq 5 .*hash/);
  expect(await partitions()).toEqual(before);
  expect(await snapshots()).toEqual([]);
  await expect(retention.drop()).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/no snapshot of pool/) as string },
  });
});

test('a snapshot with another hash does not count, and one that was changed is found', async () => {
  await keepFor(DAYS);
  for (const { pool, seq } of await retention.uncovered()) {
    await client.query(
      `INSERT INTO event_snapshots (pool, seq, recorded_at, last_fence, token_count, lease_count, hash)
       VALUES ($1, $2, now(), 0, 0, 0, sha256('x'))`,
      [pool, seq],
    );
  }
  await expect(retention.drop()).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/no snapshot of pool/) as string },
  });
  await client.query('DELETE FROM event_snapshots');
  await dropExpired(retention);
  await client.query(`UPDATE event_snapshots SET hash = sha256('x') WHERE pool = 'p'`);
  expect((await found())[0]).toMatch(/^seq \d+ .*its hash is another/);
});

test('several processes at once drop it once, and one that is interrupted leaves nothing half', async () => {
  await keepFor(DAYS);
  const [{ pool, seq }] = (await retention.uncovered()).filter((one) => one.pool === 'p') as [
    { pool: string; seq: number },
  ];
  const killed = retention.snapshot(pool, seq, async () => {
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return { seq, recorded_at: 0, last_fence: 0, last_eviction_at: null, hash: '00', parts: [[]] };
  });
  await expect(killed).rejects.toThrow();
  expect(await snapshots()).toEqual([]);
  const all = await Promise.all([1, 2, 3].map(() => dropExpired(retention)));
  expect([...all, await dropExpired(retention)].flat()).toHaveLength(1);
  expect(await found()).toEqual([]);
});

test('a reader who asks for deleted events learns that, and where to begin', async () => {
  await keepFor(DAYS);
  const [early] = await rows<{ at: string; id: string }>(
    `SELECT to_json(max(recorded_at)) #>> '{}' AS at, (SELECT min(id::text) FROM tokens WHERE pool = 'p') AS id
     FROM token_events WHERE pool = 'p' AND seq <= 5`,
  );
  // The first sweep of a service drops what is due.
  const app = await startAppOn(database.url, { EVENT_RETENTION_DAYS: String(DAYS), SWEEP_INTERVAL_MS: '60000' });
  while ((await begins()) === 0);
  const begins_after = await begins();
  const ask = clientOf(app);
  const gone = { status: 410, body: { error: 'history_dropped', begins_after } };
  for (const path of [
    '/api/pools/p/events',
    `/api/pools/p/events?after=${begins_after - 1}`,
    '/api/pools/p/events?request_id=x',
    '/api/pools/p/events/stream',
    `/api/pools/p/events/stream?after=${begins_after - 1}`,
    `/api/pools/p?as_of=${encodeURIComponent(early!.at)}`,
    `/api/tokens/${early!.id}?as_of=${encodeURIComponent(early!.at)}`,
  ]) {
    expect([path, await ask('GET', path)]).toMatchObject([path, gone]);
  }
  expect(await ask('GET', `/api/pools/p/events?after=${begins_after}&limit=1`)).toMatchObject({
    status: 200,
    body: { events: [{ seq: begins_after + 1 }] },
  });
  const stream = await openStream(app, streamOf('p', `?after=${begins_after}`));
  await stream.until(() => stream.events.length > 0);
  expect(stream.events[0]).toMatchObject({ seq: begins_after + 1 });
  stream.leave();
  expect((await ask('GET', '/api/pools/p/audit')).body).toMatchObject({ is_sound: true, begins_after });
  expect((await ask('GET', `/api/tokens/${early!.id}`)).status).toBe(200);
  await app.close();
});

test('an export begins where the events begin, and proves itself', async () => {
  await keepFor(DAYS);
  const whole = await checkExport(of(await lines(exportLines(service.readers.audit, 'p'))));
  expect(await compareExport(whole, service.readers.audit)).toEqual({ findings: [], lacking: null });
  await dropExpired(retention);
  expect(await compareExport(whole, service.readers.audit)).toEqual({ findings: [], lacking: null });
  const text = await lines(exportLines(service.readers.audit, 'p'));
  expect(JSON.parse(text[0]!)).toMatchObject({ begins: { seq: await begins() } });
  const { last_seq } = await service.readers.pools.pool('p');
  expect(await checkExport(of(text))).toMatchObject({ findings: [], last_seq, events: last_seq - (await begins()) });
  await keepFor(1);
  await clock.advance(100 * DAY);
  do await seenForDays();
  while ((await dropExpired(retention)).length > 0);
  expect(await compareExport(whole, service.readers.audit)).toMatchObject({
    findings: [],
    lacking: expect.stringMatching(/^its events up to seq \d+ were dropped$/) as string,
  });
  const without = await checkExport(of([text[0]!, ...text.slice(2)]));
  expect(without.findings.length).toBeGreaterThan(0);
});

async function lines(pieces: AsyncIterable<string>): Promise<string[]> {
  let whole = '';
  for await (const piece of pieces) whole += piece;
  return whole.trimEnd().split('\n');
}
async function* of(text: readonly string[]): AsyncGenerator<string> {
  yield* text;
}

// A clock that was ahead and came back, or was set back: time goes on in the pools, from where it was and at the clock's pace.

import { pino } from 'pino';
import { Client } from 'pg';
import { poolsNow } from '../../libs/postgres/src/schema/pool-clock.js';
import { startAppOn, type TestApp } from '../support/app.js';
import { installClock, type MovableClock } from '../support/clock.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { audit, wholeFeed } from '../support/service.js';
import { openService } from '../../tools/harness/service.js';
import { STATEMENTS } from '../support/statements.js';
import { clientOf, type Ask } from '../http/client.js';

const DAY = 86_400;
const POOL = { name: 'p', kind: 'fixed', size: 1, ttl_seconds: 2, on_exhausted: 'reject' };

let database: TestDatabase;
let clock: MovableClock;
let client: Client;
let apps: TestApp[];

beforeEach(async () => {
  database = await createTestDatabase();
  clock = await installClock(database.url);
  client = new Client({ connectionString: database.url });
  await client.connect();
  apps = [];
});
/** After each: time has never gone back, nothing is counted twice or missing, and the auditor agrees. */
afterEach(async () => {
  const service = await openService(database.url);
  const { readers } = service;
  const feed = await wholeFeed(readers.feed, 'p').catch(() => []);
  expect(feed.map(({ seq }) => seq)).toEqual(feed.map((_, place) => place + 1));
  const instants = feed.map(({ recorded_at }) => recorded_at);
  expect(instants).toEqual(instants.toSorted());
  const fences = feed.filter(({ event }) => event === 'activated').map(({ fence }) => fence);
  expect(fences).toEqual(fences.map((_, place) => place + 1));
  if (feed.length > 0) {
    expect(await audit(readers, 'p')).toEqual([]);
    const [added] = await readers.feed.newEvents(new Map([['p', feed.length - 1]]), 1);
    expect(added!.delay_seconds).toBeGreaterThanOrEqual(0);
  }
  await service.close();
  await client.end();
  await Promise.all(apps.map((app) => app.close()));
  await database.drop();
});

const start = async (env: Record<string, string> = {}, logger?: pino.Logger): Promise<Ask> => {
  const app = await startAppOn(database.url, env, logger);
  apps.push(app);
  return clientOf(app);
};

const behind = async (ask: Ask, pool = 'p'): Promise<number> => {
  const { body } = await ask('GET', '/metrics');
  return Number(
    new RegExp(`^token_pool_clock_behind_seconds\\{pool="${pool}"\\} (\\S+)$`, 'm').exec(body as string)?.[1],
  );
};

const allocate = (ask: Ask) => ask('POST', '/api/tokens/allocate', { pool: 'p' });
const held = async (ask: Ask): Promise<number> => (await ask('GET', '/api/pools/p')).body.counts.active as number;

test('a clock that is behind shows in the metrics and in readiness', async () => {
  const ask = await start();
  expect([await behind(ask, 'default'), (await ask('GET', '/health/ready')).body]).toEqual([0, { status: 'ok' }]);
  await clock.advance(DAY);
  expect((await ask('POST', '/api/tokens/allocate', {})).status).toBe(200);
  await clock.advance(-DAY);
  expect(await behind(ask, 'default')).toBeGreaterThan(86_000);
  let ready = await ask('GET', '/health/ready');
  while (ready.body.warning === undefined) ready = await ask('GET', '/health/ready');
  expect(ready).toMatchObject({
    status: 200,
    body: { status: 'ok', warning: expect.stringMatching(/clock is 86\d{3} s behind/) },
  });
});

describe('a lease ends after its time by the clock, for every process and without a sweep', () => {
  const END = 2.1;

  test.each([
    ['that was a day ahead and came back', DAY],
    ['that was set back by a day', 0],
  ])('after one %s', async (_, ahead) => {
    const [ask, other] = [await start(), await start()];
    await ask('POST', '/api/pools', POOL);
    await clock.advance(ahead);
    expect((await allocate(ask)).status).toBe(200);
    await clock.advance(-DAY);
    // Nobody knows for how long the clock was away: the lease has all of its time.
    const refused = await allocate(ask);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([409, '2']);
    expect([await held(ask), await held(other)]).toEqual([1, 1]);
    await clock.advance(END);
    expect([await held(ask), await held(other)]).toEqual([0, 0]);
    const next = await allocate(other);
    expect(next).toMatchObject({ status: 200, body: { fence: 2 } });
    await clock.advance(END);
    expect((await allocate(ask)).body.fence).toBe(3);
    expect(await behind(other)).toBeGreaterThan(DAY - 600);
  });

  test('and where nobody asks, the sweep notices', async () => {
    const ask = await start({ SWEEP_INTERVAL_MS: '20' });
    await ask('POST', '/api/pools', POOL);
    await clock.advance(DAY);
    await allocate(ask);
    await clock.advance(-DAY);
    let noted = 0;
    while (noted === 0) {
      const { rows } = await client.query(`SELECT clock_offset_us FROM pools WHERE name = 'p'`);
      noted = Number((rows as [{ clock_offset_us: string }])[0].clock_offset_us);
    }
    await clock.advance(END);
    let ends: unknown[] = [];
    while (ends.length === 0)
      ends = (await ask('GET', '/api/pools/p/events')).body.events.filter(
        ({ event }: { event: string }) => event === 'expired',
      );
    expect(ends).toMatchObject([{ reason: 'ttl_expired', fence: 1 }]);
  });
});

test('the offset becomes less by 1 % of the time that passes, until it is gone', async () => {
  const ask = await start();
  await ask('POST', '/api/pools', POOL);
  await clock.advance(20);
  await allocate(ask);
  await clock.advance(-20);
  await allocate(ask);
  const first = await behind(ask);
  expect(first).toBeGreaterThan(15);
  await clock.advance(1000);
  const { body } = await allocate(ask);
  const then = await behind(ask);
  expect(first - then).toBeGreaterThan(9.9);
  expect(first - then).toBeLessThan(11);
  expect(Date.parse(body.activated_at as string) / 1000 - Date.now() / 1000).toBeGreaterThan(1000);
  await clock.advance(1000);
  expect(await behind(ask)).toBe(0);
  expect((await allocate(ask)).status).toBe(200);
});

test('a clock that was set back and is put right ends no lease before its time', async () => {
  const ask = await start();
  await ask('POST', '/api/pools', { ...POOL, ttl_seconds: 60 });
  await clock.advance(-DAY);
  expect((await allocate(ask)).status).toBe(200);
  await clock.advance(10);
  expect(await behind(ask)).toBeGreaterThan(DAY - 600);
  await clock.advance(DAY);
  expect([await behind(ask), await held(ask)]).toEqual([0, 1]);
  await clock.advance(51);
  expect(await held(ask)).toBe(0);
});

test('a clock that leaps and comes back again and again does not lead a pool further and further ahead', async () => {
  const ask = await start();
  await ask('POST', '/api/pools', POOL);
  for (let leap = 0; leap < 3; leap++) {
    for (const seconds of [DAY, -DAY]) {
      await clock.advance(seconds);
      await allocate(ask);
      await clock.advance(3);
      expect((await allocate(ask)).status).toBe(200);
    }
    expect(Math.round((await behind(ask)) / DAY)).toBe(1);
  }
});

test('what is known of it is said once in the log', async () => {
  const lines: { msg: string; pool: string; seconds: number }[] = [];
  const ask = await start({}, pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line) as never) }));
  await ask('POST', '/api/pools', POOL);
  await clock.advance(DAY);
  await allocate(ask);
  await clock.advance(-DAY);
  for (let i = 0; i < 3; i++) await allocate(ask);
  expect(lines).toEqual([expect.objectContaining({ pool: 'p', msg: expect.stringMatching(/clock/) })]);
  expect(lines[0]!.seconds).toBeGreaterThan(DAY - 600);
});

test('a pool that is months ahead of the clock finds room for its events', async () => {
  const ask = await start();
  await ask('POST', '/api/pools', POOL);
  await client.query(`UPDATE pools SET last_at = last_at + interval '300 days' WHERE name = 'p'`);
  expect((await allocate(ask)).status).toBe(200);
  await clock.advance(2.1);
  expect((await allocate(ask)).status).toBe(200);
});

test('statements take the time in a pool from one place', () => {
  const ofKeys = 'no pool takes part';
  const byTheBareClock: Readonly<Record<string, string>> = {
    ensure_partitions: 'partitions are for what all pools write; a pool whose time is ahead is asked beside it',
    partitions_until: 'for how long there are partitions',
    news: 'how long ago an event was written down, for a histogram',
    add_key: ofKeys,
    find_key: ofKeys,
    list_keys: ofKeys,
    rotate_key: ofKeys,
    revoke_key: ofKeys,
    note_use: ofKeys,
  };
  const ofLastAt = { save_slice: 'writes it', note_clock: 'writes it' };
  const known = Array.from({ length: 30 }, (_, n) => `$${n}::bigint`);
  const helpers = [undefined, ...known].map((instant) => poolsNow('', instant).split('FROM pools')[0] as string);
  for (const helper of helpers) expect(helper).toMatch(/clock_timestamp/);
  const withoutHelper = (text: string): string => helpers.reduce((rest, helper) => rest.replaceAll(helper, ''), text);
  const naming = (words: RegExp): string[] =>
    STATEMENTS.filter(({ text }) => words.test(withoutHelper(text))).map(({ name }) => name);
  expect(naming(/clock_timestamp|\bnow\(\)|current_timestamp|statement_timestamp|localtimestamp/i).sort()).toEqual(
    Object.keys(byTheBareClock).sort(),
  );
  expect(naming(/\blast_at\b/).sort()).toEqual(Object.keys(ofLastAt).sort());
});

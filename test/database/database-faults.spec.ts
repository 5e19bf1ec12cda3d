// The database, or the way to it, fails: what was answered is in the audit once, and the service goes on by itself.

import { Client } from 'pg';
import { createDataSource } from '@app/postgres';
import { Proxy } from '../../tools/harness/proxy.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { audit, wholeFeed } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';
import { untilWaiting } from '../support/waiting.js';

const USER = 'c0ffee00-0000-4000-8000-000000000001';

let database: TestDatabase;
let proxy: Proxy;
let service: Service;
let admin: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  proxy = await Proxy.open(database.url);
  service = await openService(proxy.url);
  await service.service.createPool('p', 'fixed', { size: 2 });
  admin = new Client({ connectionString: database.url });
  await admin.connect();
});
afterEach(async () => {
  await admin.end();
  await service.close();
  await proxy.close();
  await database.drop();
});

const allocate = () => service.service.allocate('p', { userId: USER });

async function elapsed<T>(work: Promise<T>): Promise<{ result: PromiseSettledResult<T>; seconds: number }> {
  const started = performance.now();
  const [result] = await Promise.allSettled([work]);
  return { result, seconds: (performance.now() - started) / 1000 };
}

async function grants(): Promise<number> {
  // By a way of its own: the service's may still be bad.
  const direct = await openService(database.url);
  expect(await audit(direct.readers, 'p')).toEqual([]);
  const feed = await wholeFeed(direct.readers.feed, 'p');
  await direct.close();
  return feed.filter(({ event }) => event === 'activated').length;
}

/** Of this test's database: other tests run at the same time on the same server. */
async function killSessions(): Promise<void> {
  await admin.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'token-pool' AND datname = current_database()`,
  );
}

test('every session killed between two requests is not noticed by either', async () => {
  await allocate();
  await killSessions();
  const { fence } = await allocate();
  expect(fence).toBe(2);
  await killSessions();
  expect(await service.readers.pools.pool('p')).toMatchObject({ counts: { active: 2 } });
  expect(await grants()).toBe(2);
});

test('a session killed while it waits for the pool’s lock is not noticed', async () => {
  await admin.query(`BEGIN; SELECT FROM pools WHERE name = 'p' FOR UPDATE`);
  const waiting = allocate();
  await untilWaiting(database.url);
  await killSessions();
  await untilWaiting(database.url);
  await admin.query('COMMIT');
  expect((await waiting).fence).toBe(1);
  expect(await grants()).toBe(1);
});

test('a COMMIT that never arrived is made up for: one grant, once in the audit', async () => {
  proxy.set({ commit: 'is lost', commitsLeft: 1 });
  expect((await allocate()).fence).toBe(1);
  expect(proxy.takeCommitsLost()).toBe(1);
  expect(await grants()).toBe(1);
});

test('a COMMIT whose answer was lost is found in the audit: one grant, not a second one', async () => {
  proxy.set({ commit: 'is not answered', commitsLeft: 1 });
  const { fence, leaseId, tokenId } = await allocate();
  expect(proxy.takeCommitsLost()).toBe(1);
  expect(fence).toBe(1);
  expect(await grants()).toBe(1);
  await service.service.release(tokenId, { leaseId });
});

test('with no way to the database the answer is `unavailable` at once, and afterwards all is well by itself', async () => {
  await allocate();
  proxy.set({ isClosed: true });
  const { result, seconds } = await elapsed(allocate());
  expect(result).toMatchObject({
    status: 'rejected',
    reason: { code: 'unavailable', facts: { retryAfterSeconds: 1 } },
  });
  expect(seconds).toBeLessThan(5);
  await expect(service.readers.pools.pools()).rejects.toMatchObject({ code: 'unavailable' });
  proxy.heal();
  expect((await allocate()).fence).toBe(2);
  expect(await grants()).toBe(2);
});

test('with a silent database every answer is `unavailable` within 10 s, also of those that wait in the queue', async () => {
  proxy.set({ isSilent: true });
  const first = elapsed(allocate());
  const reading = elapsed(service.readers.pools.pool('p'));
  await new Promise(setImmediate);
  const queued = Array.from({ length: 5 }, () => elapsed(allocate()));
  for (const { result, seconds } of await Promise.all([first, ...queued, reading])) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    expect(seconds).toBeLessThan(10);
  }
  proxy.heal();
  const { result } = await elapsed(allocate());
  expect(result.status).toBe('fulfilled');
  // What was answered is there; what was not was lost on the way before COMMIT.
  expect(await grants()).toBe(1);
});

test('when all connections have died unnoticed, one of them is waited for, not each in turn', async () => {
  await allocate();
  await Promise.all(Array.from({ length: 8 }, () => service.readers.pools.pools()));
  proxy.halfOpen();
  const first = await elapsed(allocate());
  expect(first.seconds).toBeLessThan(5);
  const next = await elapsed(allocate());
  expect(next.result.status).toBe('fulfilled');
  expect(next.seconds).toBeLessThan(1);
  expect(await grants()).toBe(2);
});

test('a session that is terminated in the instant in which it gets ready does not end the process', async () => {
  // Again and again while connections are made and used: the error arrives together with the readiness.
  let isOver = false;
  const killer = (async () => {
    while (!isOver) await killSessions();
  })();
  const attempts = Array.from({ length: 300 }, () => allocate().catch(() => null));
  await Promise.all([
    ...attempts,
    ...Array.from({ length: 50 }, () => service.readers.pools.pools().catch(() => null)),
  ]);
  isOver = true;
  await killer;
  expect((await allocate()).fence).toBeGreaterThan(0);
});

test('a process that was stopped in the middle of a transaction holds the pool for some 2 s', async () => {
  const stopped = await createDataSource(database.url).initialize();
  const session = stopped.createQueryRunner();
  await session.query('BEGIN');
  await session.query(`SELECT FROM pools WHERE name = 'p' FOR NO KEY UPDATE`);
  const { result, seconds } = await elapsed(allocate());
  expect(result.status).toBe('fulfilled');
  expect(seconds).toBeGreaterThan(1);
  expect(seconds).toBeLessThan(3.5);
  await stopped.destroy();
});

test('a lock that is held for longer than anybody waits is `unavailable`, and nothing was changed', async () => {
  await admin.query(`BEGIN; SELECT FROM pools WHERE name = 'p' FOR UPDATE`);
  const { result, seconds } = await elapsed(allocate());
  await admin.query('COMMIT');
  expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  expect(seconds).toBeLessThan(10);
  expect(await grants()).toBe(0);
});

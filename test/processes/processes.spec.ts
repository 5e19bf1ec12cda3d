// The service as real processes: several on one database, killed, stopped, and started again.

import { chmodSync, existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startLocalPostgres } from '@app/local-postgres';
import { openStream, streamOf } from '../http/stream-reader.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { type Answer } from '../support/documented.js';
import { ask, build, killServices, spawnService, startService, type ServiceProcess } from '../support/process.js';
import { audit, wholeFeed } from '../support/service.js';
import { openService } from '../../tools/harness/service.js';
import { until, untilWaiting } from '../support/waiting.js';

let database: TestDatabase;

beforeAll(build, 120_000);
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await killServices();
  await database.drop();
});

const start = (env: Record<string, string> = {}): Promise<ServiceProcess> =>
  startService({ DATABASE_URL: database.url, LOG_LEVEL: 'warn', ...env });

const allocate = (service: { url: string }, body: object = {}): Promise<Answer> =>
  ask(service.url, 'POST', '/api/tokens/allocate', body);

async function findings(url: string, pool: string): Promise<string[]> {
  const direct = await openService(url);
  try {
    return await audit(direct.readers, pool);
  } finally {
    await direct.close();
  }
}

async function grantsIn(url: string, pool: string): Promise<Map<number, string>> {
  const direct = await openService(url);
  try {
    const feed = await wholeFeed(direct.readers.feed, pool);
    return new Map(feed.filter(({ event }) => event === 'activated').map((event) => [event.fence!, event.token_id!]));
  } finally {
    await direct.close();
  }
}

test('five processes that start at once on an empty database make the two pools once', async () => {
  const services = await Promise.all(Array.from({ length: 5 }, () => start()));
  for (const service of services) {
    const { body } = await service.ask('GET', '/api/pools');
    expect(body).toMatchObject({
      pools: [
        { name: 'default', size: 100, counts: { total: 100, available: 100, active: 0 }, last_seq: 100 },
        { name: 'elastic', size: 10, counts: { total: 0, available: 0, active: 0 }, last_seq: 0 },
      ],
    });
  }
});

test('two processes under 40 allocates at once on a full pool hand out 40 tokens, those of the 40 oldest leases', async () => {
  const services = await Promise.all([start(), start()]);
  const fill = await Promise.all(Array.from({ length: 100 }, (_, i) => allocate(services[i % 2]!)));
  const tokenOf = new Map(fill.map(({ body }) => [body['fence'] as number, body['token_id']]));
  expect(tokenOf.size).toBe(100);
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => allocate(services[i % 2]!)));
  expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200));
  const evicted = answers.map(({ body }) => (body['evicted'] as { fence: number }).fence).sort((a, b) => a - b);
  const oldest = Array.from({ length: 40 }, (_, i) => i + 1);
  expect(evicted).toEqual(oldest);
  expect(new Set(answers.map(({ body }) => body['token_id']))).toEqual(
    new Set(oldest.map((fence) => tokenOf.get(fence))),
  );
  const active = await services[0].ask('GET', '/api/tokens/active');
  expect((active.body['tokens'] as { fence: number }[]).map(({ fence }) => fence)).toEqual(
    Array.from({ length: 100 }, (_, i) => i + 41),
  );
  expect(await findings(database.url, 'default')).toEqual([]);
});

test('a process killed under load loses no answered grant, and every lease ends at its own deadline', async () => {
  const env = { POOL_SIZE: '200', TOKEN_TTL_SECONDS: '1.5', SWEEP_INTERVAL_MS: '100' };
  const killed = await start(env);
  const answered: Answer[] = [];
  await Promise.all(
    Array.from({ length: 16 }, async (_, worker) => {
      for (;;) {
        const answer = await allocate(killed).catch(() => null);
        if (answer === null) return;
        answered.push(answer);
        if (worker === 0 && answered.length > 300) killed.signal('SIGKILL');
      }
    }),
  );
  expect(await killed.ended).toBe('SIGKILL');
  expect(answered.length).toBeGreaterThan(300);

  const restarted = await start(env);
  const grants = await grantsIn(database.url, 'default');
  for (const { body } of answered) expect(grants.get(body['fence'] as number)).toBe(body['token_id']);
  while (((await restarted.ask('GET', '/api/pools/default')).body['counts'] as { active: number }).active > 0);
  // The sweep that started with the process writes the ends down.
  const direct = await openService(database.url);
  while ((await direct.repository.poolsToSweep()).length > 0);
  const feed = await wholeFeed(direct.readers.feed, 'default');
  await direct.close();
  const deadlines = new Map(answered.map(({ body }) => [body['fence'], body['expires_at']]));
  const expired = feed.filter(({ event, fence }) => event === 'expired' && deadlines.has(fence));
  expect(expired.length).toBeGreaterThan(0);
  for (const { fence, occurred_at } of expired) expect(occurred_at).toBe(deadlines.get(fence));
  expect(await findings(database.url, 'default')).toEqual([]);
});

test('a process stopped with several transactions in hand holds up others for some 2 s, not for 2 s each', async () => {
  const [stopped, other] = await Promise.all([start({ SWEEP_INTERVAL_MS: '100' }), start()]);
  const admin = new Client({ connectionString: database.url });
  await admin.connect();
  await admin.query(`BEGIN; SELECT FROM pools WHERE name = 'default' FOR UPDATE`);
  const asked = [
    allocate(stopped),
    stopped.ask('POST', '/api/tokens/cleanup'),
    stopped.ask('PATCH', '/api/pools/default', { ttl_seconds: 60 }),
  ];
  await untilWaiting(database.url);
  // Answered after all that was asked before it has been sent to the database.
  await stopped.ask('GET', '/api/pools');
  stopped.signal('SIGSTOP');
  const began = performance.now();
  const blocked = allocate(other);
  await admin.query('COMMIT');
  await admin.end();
  expect((await blocked).status).toBe(200);
  const seconds = (performance.now() - began) / 1000;
  expect(seconds).toBeGreaterThan(1);
  expect(seconds).toBeLessThan(3);
  stopped.signal('SIGCONT');
  // Done after all, or not at all.
  for (const { status } of await Promise.all(asked)) expect([200, 503]).toContain(status);
  expect(await findings(database.url, 'default')).toEqual([]);
});

test('SIGTERM under load fails no accepted request and exits 0', async () => {
  const service = await start({ POOL_SIZE: '10' });
  const statuses: number[] = [];
  const failures: { wasUnderWay: boolean; message: string }[] = [];
  let signalled = NaN;
  const workers = Promise.all(
    Array.from({ length: 16 }, async () => {
      for (;;) {
        const wasUnderWay = Number.isNaN(signalled);
        try {
          statuses.push((await allocate(service)).status);
        } catch (error) {
          failures.push({ wasUnderWay, message: (error as Error).message });
          return;
        }
        if (statuses.length !== 200) continue;
        signalled = performance.now();
        service.signal('SIGTERM');
      }
    }),
  );
  expect(await service.ended).toBe(0);
  expect(performance.now() - signalled).toBeLessThan(10_000);
  await workers;
  expect(new Set(statuses)).toEqual(new Set([200]));
  // Each worker ends at a request of after the signal that nobody took, not in the middle of an answer.
  expect(failures).toEqual(Array(16).fill({ wasUnderWay: false, message: 'fetch failed' }));
  const grants = await grantsIn(database.url, 'default');
  expect(grants.size).toBe(statuses.length);
});

test('SIGTERM under load ends streams in order, and with another process they go on without a gap or a repeat', async () => {
  const [first, second] = [await start({ POOL_SIZE: '10' }), await start({ POOL_SIZE: '10' })];
  const readers = await Promise.all(Array.from({ length: 10 }, () => openStream(first, streamOf('default'))));
  let isOver = false;
  const workers = Array.from({ length: 4 }, async () => {
    while (!isOver) await allocate(second);
  });
  await Promise.all(readers.map((reader) => reader.until(() => reader.events.length > 100)));
  first.signal('SIGTERM');
  expect(await first.ended).toBe(0);
  for (const reader of readers) {
    expect(await reader.over).toBe('ended');
    const again = await openStream(second, streamOf('default'), reader.lastId);
    await again.until(() => again.events.length > 100);
    const seqs = [...reader.events, ...again.events].map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    again.leave();
  }
  isOver = true;
  await Promise.all(workers);
});

test('later starts keep tokens and history; a larger POOL_SIZE adds tokens, a smaller one is refused', async () => {
  const first = await start({ POOL_SIZE: '5' });
  const { body } = await allocate(first, { ttl_seconds: 100 });
  first.signal('SIGTERM');
  expect(await first.ended).toBe(0);

  const second = await start({ POOL_SIZE: '8', TOKEN_TTL_SECONDS: '7' });
  expect((await second.ask('GET', '/api/pools/default')).body).toMatchObject({
    size: 8,
    ttl_seconds: 120,
    counts: { total: 8, active: 1 },
  });
  expect((await second.ask('GET', `/api/tokens/${String(body['token_id'])}`)).body).toMatchObject({ fence: 1 });

  const third = await spawnService({ DATABASE_URL: database.url, POOL_SIZE: '6' });
  expect(await third.ended).toBe(1);
  expect(third.output()).toMatch(/^[^\n]*POOL_SIZE[^\n]*\n$/);
  const fourth = await start();
  expect((await fourth.ask('GET', '/api/pools/default')).body).toMatchObject({ size: 8 });
});

test.each([
  ['POOL_SIZE', 'many'],
  ['TOKEN_TTL_SECONDS', '0'],
  ['SWEEP_INTERVAL_MS', '-1'],
  ['PORT', '70000'],
  ['DATABASE_URL', 'mysql://nowhere'],
])('%s=%s stops the start with one line that says what is allowed', async (name, value) => {
  const service = await spawnService({ DATABASE_URL: database.url, [name]: value });
  expect(await service.ended).toBe(1);
  expect(service.output()).toMatch(new RegExp(`^[^\\n]*${name}[^\\n]*\\n$`));
});

test('the embedded database is refused in production', async () => {
  const service = await spawnService({ NODE_ENV: 'production' });
  expect(await service.ended).toBe(1);
  expect(service.output()).toMatch(/^[^\n]*DATABASE_URL[^\n]*\n$/);
});

describe('with a database of its own', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'token-pool-processes-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('PostgreSQL killed under load: 503 while it is gone, then all goes on, and no answered grant is missing', async () => {
    const postgres = await startLocalPostgres({ directory });
    const service = await startService({ DATABASE_URL: postgres.url, POOL_SIZE: '20', LOG_LEVEL: 'warn' });
    const answered: Answer[] = [];
    const refused: { answer: Answer; seconds: number }[] = [];
    let isOver = false;
    const workers = Promise.all(
      Array.from({ length: 16 }, async () => {
        while (!isOver) {
          const asked = performance.now();
          const answer = await allocate(service);
          if (answer.status === 200) answered.push(answer);
          else refused.push({ answer, seconds: (performance.now() - asked) / 1000 });
        }
      }),
    );
    await until(() => answered.length >= 300);
    process.kill(postgres.pid, 'SIGKILL');
    await until(() => refused.length >= 20);
    expect((await service.ask('GET', '/health/live')).status).toBe(200);
    // What readiness has found is remembered for a second.
    await until(async () => (await service.ask('GET', '/health/ready')).status === 503);
    const again = await startLocalPostgres({ directory });
    const before = answered.length;
    await until(() => answered.length >= before + 100);
    isOver = true;
    await workers;
    for (const { answer, seconds } of refused) {
      expect(answer).toMatchObject({
        status: 503,
        body: { error: 'unavailable', title: expect.any(String) as string },
      });
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(seconds).toBeLessThan(10);
    }
    const grants = await grantsIn(again.url, 'default');
    for (const { body } of answered) expect(grants.get(body['fence'] as number)).toBe(body['token_id']);
    expect(await findings(again.url, 'default')).toEqual([]);
    service.signal('SIGTERM');
    expect(await service.ended).toBe(0);
    await again.stop();
    await postgres.stop();
  });

  test('without DATABASE_URL it brings its own, which outlives a kill of the service and ends with the next one', async () => {
    const first = await startService({ LOG_LEVEL: 'info' }, directory);
    const { body } = await allocate(first);
    first.signal('SIGKILL');
    await first.ended;
    const second = await startService({ LOG_LEVEL: 'info' }, directory);
    await until(() => /listening on .*embedded PostgreSQL/.test(second.output()));
    expect((await second.ask('GET', `/api/tokens/${String(body['token_id'])}`)).body).toMatchObject({ fence: 1 });
    second.signal('SIGTERM');
    expect(await second.ended).toBe(0);
    const postgres = await startLocalPostgres({ directory: join(directory, '.data/postgres') });
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    // It had to be started again: the service took its database with it.
    const { rows } = await client.query<{ fresh: boolean }>(
      `SELECT pg_postmaster_start_time() > clock_timestamp() - interval '10 seconds' AS fresh`,
    );
    expect(rows[0]!.fresh).toBe(true);
    await client.end();
    await postgres.stop();
  });

  test("it takes its database with it at every signal that ends it, whatever the caller's variables of PostgreSQL", async () => {
    chmodSync(directory, 0o755); // otherwise root's server would have its data elsewhere
    const pidFile = join(directory, '.data/postgres/cluster/data/postmaster.pid');
    for (const signal of ['SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const) {
      const variables = { PGSSLMODE: 'require', PGOPTIONS: '-c nonsense=1' };
      const service = await startService({ LOG_LEVEL: 'info', ...variables }, directory);
      await until(() => /listening on .*embedded PostgreSQL/.test(service.output()));
      expect(existsSync(pidFile)).toBe(true);
      service.signal(signal);
      expect(await service.ended).toBe(0);
      expect(existsSync(pidFile)).toBe(false);
    }
  });
});

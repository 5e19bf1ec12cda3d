// The client while the service is killed and started again under it.

import { LeaseLostError, TokenPoolClient, type Grant, type TokenEvent } from '../../libs/client/src/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { build, killServices, startService, type ServiceProcess } from '../support/process.js';
import { until } from '../support/waiting.js';

let database: TestDatabase;
let service: ServiceProcess;
let client: TokenPoolClient;

beforeAll(build, 120_000);
beforeEach(async () => {
  database = await createTestDatabase();
  service = await start();
  client = new TokenPoolClient(service.url);
});
afterEach(async () => {
  await killServices();
  await database.drop();
});

const start = (env: Record<string, string> = {}): Promise<ServiceProcess> =>
  startService({ DATABASE_URL: database.url, LOG_LEVEL: 'warn', ...env });

async function killed(): Promise<void> {
  service.signal('SIGKILL');
  await service.ended;
}

/** Starts the service on the same port. */
async function restarted(): Promise<void> {
  service = await start({ PORT: new URL(service.url).port });
}

async function feedOf(pool: string): Promise<TokenEvent[]> {
  const events: TokenEvent[] = [];
  for await (const event of client.pool(pool).feed()) events.push(event);
  return events;
}

test('the feed has exactly the grants that callers have', async () => {
  const pool = client.pool();
  let isOver = false;
  const grants: Grant[] = [];
  const callers = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const grant = await pool.allocate();
      grants.push(grant);
      await pool.release(grant);
    }
  });
  for (let times = 0; times < 3; times++) {
    const before = grants.length;
    await until(() => grants.length >= before + 50);
    await killed();
    await restarted();
  }
  isOver = true;
  await Promise.all(callers);
  const feed = await feedOf('default');
  const fences = (event: string): (number | null)[] =>
    feed
      .filter((one) => one.event === event)
      .map(({ fence }) => fence)
      .sort((a, b) => a! - b!);
  const had = grants.map(({ fence }) => fence).sort((a, b) => a - b);
  expect(fences('activated')).toEqual(had);
  expect(fences('released')).toEqual(had);
});

test('a lease survives a restart that is shorter than the lease', async () => {
  await client.createPool({ name: 'seat', kind: 'fixed', size: 1, ttl_seconds: 12, renewable: true });
  const seat = client.pool('seat');
  const fences = await seat.withLease(async ({ fence }, signal) => {
    await killed();
    await restarted();
    for await (const { event } of seat.watch({ after: 0 }, { signal })) if (event === 'renewed') break;
    return [fence, (await seat.details()).counts.active, signal.aborted];
  });
  expect(fences).toEqual([1, 1, false]);
  expect((await feedOf('seat')).map(({ event }) => event)).toEqual(['generated', 'activated', 'renewed', 'released']);
});

test('the client stops work before its lease ends if the service does not come back', async () => {
  await client.createPool({ name: 'seat', kind: 'fixed', size: 1, ttl_seconds: 2, renewable: true });
  const seat = client.pool('seat');
  let stoppedAt = 0;
  const loss: unknown = await seat
    .withLease(async (_lease, signal) => {
      await killed();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      stoppedAt = Date.now();
      await restarted();
    })
    .catch((error: unknown) => error);
  expect(loss).toBeInstanceOf(LeaseLostError);
  // It is told at once, without the service: how it ended there is not known yet.
  expect(loss).toMatchObject({ reason: 'expired' });
  // The service has the same clock here.
  const deadlines = (await feedOf('seat')).map(({ expires_at }) => Date.parse(expires_at ?? '')).filter((at) => at > 0);
  expect(Math.max(...deadlines)).toBeGreaterThan(stoppedAt);
});

test('watch survives kills, and yields what the feed has: no event twice, none missing', async () => {
  const pool = client.pool();
  const seen: TokenEvent[] = [];
  const states: string[] = [];
  const over = new AbortController();
  const watching = (async () => {
    const options = { signal: over.signal, onState: (state: string) => void states.push(state) };
    for await (const event of pool.watch({ after: 0 }, options)) seen.push(event);
  })();
  watching.catch(() => undefined);
  let isOver = false;
  const writing = (async () => {
    while (!isOver) await pool.release(await pool.allocate());
  })();
  for (let times = 0; times < 3; times++) {
    const before = seen.length;
    await until(() => seen.length >= before + 50);
    await killed();
    await restarted();
  }
  isOver = true;
  await writing;
  const feed = await feedOf('default');
  await until(() => seen.length >= feed.length);
  over.abort();
  await expect(watching).rejects.toBe(over.signal.reason);
  expect(seen).toEqual(feed);
  expect(states.filter((state) => state === 'connected')).toHaveLength(4);
});

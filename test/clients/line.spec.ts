// The client that waits in the line of the real service, which is killed and started again under it.

import {
  isTicket,
  LeaseLostError,
  TokenPoolClient,
  TokenPoolError,
  type CreatePoolBody,
  type Grant,
  type PoolHandle,
  type Ticket,
} from '../../libs/client/src/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { build, killServices, startService, type ServiceProcess } from '../support/process.js';
import { until } from '../support/waiting.js';

let database: TestDatabase;
let service: ServiceProcess;
let client: TokenPoolClient;
let pools = 0;

beforeAll(async () => {
  await build();
  database = await createTestDatabase();
  service = await start();
  client = new TokenPoolClient(service.url);
}, 120_000);
afterAll(async () => {
  await killServices();
  await database.drop();
});

const start = (env: Record<string, string> = {}): Promise<ServiceProcess> =>
  startService({ DATABASE_URL: database.url, LOG_LEVEL: 'warn', ...env });

async function pool(policy: Partial<CreatePoolBody> = {}): Promise<PoolHandle> {
  const name = `line-${++pools}`;
  const common = { kind: 'fixed', size: 1, ttl_seconds: 60, on_exhausted: 'reject', max_waiting: 10 } as const;
  await client.createPool({ ...common, name, ...policy });
  return client.pool(name);
}

async function placesIn(pool: PoolHandle, number: number): Promise<Ticket[]> {
  let places: Ticket[] = [];
  await until(async () => (places = (await pool.line().page()).tickets).length === number);
  return places;
}

test('places are taken, seen, claimed and given back by hand', async () => {
  const seat = await pool();
  const held = await seat.allocate();
  const place = await seat.takePlace({ holder: 'ci-1' }, { idempotencyKey: 'a-place' });
  expect(await seat.takePlace({ holder: 'ci-1' }, { idempotencyKey: 'a-place' })).toMatchObject({ id: place.id });
  expect(place).toMatchObject({ status: 'waiting', position: 1, holder: 'ci-1', not_later_than: expect.any(String) });
  const other = (await seat.allocate({ holder: 'ci-2', wait_seconds: 0.1 })) as Ticket;
  expect(other).toMatchObject({ status: 'waiting', position: 2 });
  expect((await seat.line({ limit: 1 }).page()).next_cursor).not.toBeNull();
  const holders: unknown[] = [];
  for await (const { holder } of seat.line({ limit: 1 })) holders.push(holder);
  expect(holders).toEqual(['ci-1', 'ci-2']);
  expect(isTicket(await seat.claim(place.id))).toBe(true);
  await seat.release(held);
  const grant = (await seat.claim(place.id, { wait_seconds: 60 })) as Grant;
  expect(grant).toMatchObject({ token_id: held.token_id, fence: 2 });
  expect(await seat.claim(place.id)).toMatchObject({ lease_id: grant.lease_id });
  expect(await seat.ticket(place.id)).toMatchObject({ status: 'granted' });
  expect(await seat.leave(other.id, { note: 'not needed' })).toEqual({ cancelled: true, ticket_id: other.id });
  expect(await seat.leave(other.id).catch(({ code }: TokenPoolError) => code)).toBe('ticket_ended');
});

test('those who wait work one after the other, also while the service is killed and comes back', async () => {
  const seat = await pool();
  const order: number[] = [];
  let free: () => void = () => undefined;
  const first = seat.withLease(() => new Promise<void>((resolve) => (free = resolve)));
  const waiting: Promise<void>[] = [];
  for (const number of [1, 2, 3]) {
    waiting.push(client.withLease(seat.name, { wait: '5m' }, () => void order.push(number)));
    await placesIn(seat, number);
  }
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    service.signal(signal);
    await service.ended;
    service = await start({ PORT: new URL(service.url).port });
  }
  expect(await placesIn(seat, 3)).toHaveLength(3);
  free();
  await Promise.all([first, ...waiting]);
  expect(order).toEqual([1, 2, 3]);
  const events: string[] = [];
  for await (const { event } of seat.feed()) events.push(event);
  expect(events.filter((event) => event === 'queued')).toHaveLength(3);
  expect(events).not.toContain('left');
});

test('whoever aborts gives the place back, and the next in line gets the token', async () => {
  const seat = await pool();
  const held = await seat.allocate();
  const leaving = new AbortController();
  const options = { wait: 60, signal: leaving.signal };
  const left = seat.withLease(() => 'worked', options).catch((error: unknown) => error);
  await placesIn(seat, 1);
  const next = client.withLease(seat.name, { wait: 60 }, ({ fence }) => fence);
  await placesIn(seat, 2);
  leaving.abort(new Error('enough'));
  expect(await left).toBe(leaving.signal.reason);
  await placesIn(seat, 1);
  await seat.release(held);
  expect(await next).toBe(2);
});

test('a pool without a line refuses as before, and still grants what is free', async () => {
  const seat = await pool({ max_waiting: 0 });
  await seat.withLease(
    async () => {
      const refused = await seat.allocateInTurn({}, { wait: 60 }).catch((error: unknown) => error);
      expect(TokenPoolError.is(refused, 'pool_exhausted')).toBe(true);
    },
    { wait: 60 },
  );
});

test('several leases are granted at once or not at all, and the work stops when one of them is lost', async () => {
  const seats = await pool({ size: 3, renewable: true, ttl_seconds: 6 });
  const held = await seats.allocate();
  const fences = await seats.withLeases((leases) => leases.map(({ fence }) => fence), { count: 2 });
  expect(fences).toEqual([2, 3]);
  const refused = await seats.withLeases(() => 'worked', { count: 3 }).catch((error: unknown) => error);
  expect(TokenPoolError.is(refused, 'pool_exhausted')).toBe(true);
  expect((await seats.details()).counts.active).toBe(1);

  const work = client.withLeases(seats.name, { count: 3, wait: '1m' }, async (leases) => {
    const [first, second] = leases;
    expect(new Set(leases.map(({ token_id }) => token_id)).size).toBe(3);
    expect(first!.signal).toBe(second!.signal);
    await seats.release(second!);
    await new Promise((_, reject) =>
      first!.signal.addEventListener('abort', () => reject(first!.signal.reason as Error)),
    );
  });
  const lost = work.catch((error: unknown) => error);
  await placesIn(seats, 1);
  await seats.release(held);
  expect(await lost).toBeInstanceOf(LeaseLostError);
  expect(await lost).toMatchObject({ reason: 'released' });
  expect((await seats.details()).counts.active).toBe(0);
});

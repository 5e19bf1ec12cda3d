// A request with an idempotency key may be sent again and again, to whatever process: it has one effect.

import { sweep, type OpenGrant, type Idempotency } from '@app/tokens';
import { Proxy } from '../../tools/harness/proxy.js';
import { installClock, type MovableClock } from '../support/clock.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { audit, wholeFeed } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';

let database: TestDatabase;
let one: Service;
let other: Service;
let clock: MovableClock;

beforeEach(async () => {
  database = await createTestDatabase();
  clock = await installClock(database.url);
  [one, other] = await Promise.all([openService(database.url), openService(database.url)]);
  await one.service.createPool('p', 'fixed', { size: 3, ttlSeconds: 60, renewable: true });
});
afterEach(async () => {
  await Promise.all([one.close(), other.close()]);
  await database.drop();
});

let replays: number;
beforeEach(() => (replays = 0));
const keyed = (key: string, fingerprint = 'the same'): Idempotency => ({ key, fingerprint, onReplay: () => replays++ });
const allocate = (service: Service, key: string, fingerprint?: string): Promise<OpenGrant> =>
  service.service.allocate('p', { userId: ANN }, { idempotency: keyed(key, fingerprint) });

async function activations(): Promise<number> {
  expect(await audit(one.readers, 'p')).toEqual([]);
  return (await wholeFeed(one.readers.feed, 'p')).filter(({ event }) => event === 'activated').length;
}

test('the same request gets the same grant, from another process, too', async () => {
  const first = await allocate(one, 'k');
  expect(replays).toBe(0);
  expect(await allocate(one, 'k')).toEqual(first);
  expect(await allocate(other, 'k')).toEqual(first);
  expect(replays).toBe(2);
  expect(await activations()).toBe(1);
});

test('50 parallel retries on two processes make one grant', async () => {
  const grants = await Promise.all(Array.from({ length: 50 }, (_, i) => allocate(i % 2 ? one : other, 'k')));
  expect(new Set(grants.map(({ leaseId }) => leaseId)).size).toBe(1);
  expect(replays).toBe(49);
  expect(await activations()).toBe(1);
});

test('after a restart the answer is still the same', async () => {
  const first = await allocate(one, 'k');
  await other.close();
  other = await openService(database.url);
  expect(await allocate(other, 'k')).toEqual(first);
  expect(await activations()).toBe(1);
});

test('a connection cut after COMMIT, then 50 retries and a restart in between: one grant', async () => {
  const proxy = await Proxy.open(database.url);
  const cut = await openService(proxy.url);
  proxy.set({ commit: 'is not answered', commitsLeft: 1 });
  const first = cut.service.allocate('p', { userId: ANN }, { idempotency: keyed('k') });
  const retries = Promise.all(Array.from({ length: 25 }, () => allocate(other, 'k')));
  const { leaseId } = await first;
  await cut.close();
  const restarted = await openService(database.url);
  const late = await Promise.all(Array.from({ length: 25 }, () => allocate(restarted, 'k')));
  for (const grant of [...(await retries), ...late]) expect(grant.leaseId).toBe(leaseId);
  await restarted.close();
  await proxy.close();
  expect(await activations()).toBe(1);
});

test('a key that was used for another request is refused, and nothing happens', async () => {
  await allocate(one, 'k');
  await expect(allocate(other, 'k', 'another')).rejects.toMatchObject({ code: 'idempotency_key_reused' });
  expect(await activations()).toBe(1);
});

test('a key counts within its pool and its use case', async () => {
  await other.service.createPool('q', 'elastic', {});
  await allocate(one, 'k');
  const { id } = await one.service.generate('q', { idempotency: keyed('k') });
  expect((await one.service.allocate('q', { userId: ANN }, { idempotency: keyed('k') })).tokenId).toBe(id);
  expect(replays).toBe(0);
});

test('a lease that ended meanwhile is not revived', async () => {
  const { tokenId, leaseId } = await allocate(one, 'k');
  await one.service.release(tokenId, { leaseId });
  expect((await allocate(one, 'k')).leaseId).toBe(leaseId);
  expect(await one.readers.tokens.token(tokenId)).toMatchObject({ status: 'available', current_user: null });
  expect(await activations()).toBe(1);
});

test('release, keep-alive, generate and cleanup are done once', async () => {
  await one.service.createPool('e', 'elastic', { size: 5 });
  const makes = await Promise.all(
    [1, 2, 3].map((n) => (n % 2 ? one : other).service.generate('e', { idempotency: keyed('g') })),
  );
  expect(new Set(makes.map(({ id }) => id)).size).toBe(1);
  const { tokenId, leaseId } = await one.service.allocate('e', { userId: ANN });
  const renewed = await one.service.keepAlive(tokenId, { leaseId }, 30, { idempotency: keyed('a') });
  await clock.advance(5);
  expect(await other.service.keepAlive(tokenId, { leaseId }, 30, { idempotency: keyed('a') })).toEqual(renewed);
  await one.service.release(tokenId, { leaseId }, { idempotency: keyed('r') });
  await one.service.allocate('e', { userId: ANN });
  // Without the key this would be 410; with it, the answer that was lost on the way.
  await other.service.release(tokenId, { leaseId }, { idempotency: keyed('r') });
  expect(await one.service.cleanup('e', { idempotency: keyed('c') })).toBe(1);
  await one.service.allocate('e', { userId: ANN });
  expect(await other.service.cleanup('e', { idempotency: keyed('c') })).toBe(1);
  expect((await one.readers.pools.pool('e')).counts.active).toBe(1);
  expect(replays).toBe(5);
  const events = (await wholeFeed(one.readers.feed, 'e')).map(({ event, reason }) => reason ?? event);
  expect(events).toEqual([
    'generated',
    'allocated',
    'renewed',
    'released_by_client',
    'allocated',
    'cleanup',
    'allocated',
  ]);
});

test('a refusal is not kept: the same request may succeed later', async () => {
  await one.service.createPool('r', 'fixed', { size: 1, ttlSeconds: 10, onExhausted: 'reject' });
  const ask = () => one.service.allocate('r', { userId: ANN }, { idempotency: keyed('k') });
  await one.service.allocate('r', { userId: ANN });
  await expect(ask()).rejects.toMatchObject({ code: 'pool_exhausted' });
  await clock.advance(10);
  expect((await ask()).fence).toBe(2);
  expect((await ask()).fence).toBe(2);
});

test('the sweep forgets a key after a day, and not before', async () => {
  const first = await allocate(one, 'k');
  await clock.advance(23 * 3600);
  await sweep(one.repository, one.executor);
  expect((await allocate(one, 'k')).fence).toBe(first.fence);
  await clock.advance(2 * 3600);
  expect(await one.repository.poolsToSweep()).toEqual(['p']);
  await sweep(one.repository, one.executor);
  expect(await one.repository.poolsToSweep()).toEqual([]);
  expect((await allocate(one, 'k')).fence).toBe(first.fence + 1);
  expect(await activations()).toBe(2);
});

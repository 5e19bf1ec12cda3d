// Waiting in the line of a service in memory, under a clock that the tests move.

import { TokenPoolClient, WaitEndedError, secondsOf, type Lease, type LeaseOptions, type Ticket } from './index.js';
import { FakeService } from './testing/fake-service.js';

beforeEach(() => {
  // The platform's streams need these to make progress.
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => jest.useRealTimers());

const seconds = (count: number): Promise<void> => jest.advanceTimersByTimeAsync(count * 1000);

/** A service whose only token somebody else holds for an hour. */
function taken() {
  const service = new FakeService({ ttlSeconds: 3600 });
  const lease = service.take();
  return { service, free: () => service.end(lease, 'released_by_client') };
}

/** Starts work that lasts until the test ends it. */
function start(service: FakeService, options: LeaseOptions = {}) {
  const places: Ticket[] = [];
  let lease: Lease | undefined;
  let finish: () => void = () => undefined;
  const pool = new TokenPoolClient('http://fake', { fetch: service.fetch }).pool('p');
  const work = (given: Lease): Promise<string> => {
    lease = given;
    return new Promise((resolve) => (finish = () => resolve('done')));
  };
  const onPlace = (ticket: Ticket): void => void places.push(ticket);
  const result = pool.withLease(work, { wait: '10m', onPlace, ...options });
  const outcome = result.catch((error: unknown) => error);
  return { outcome, places, lease: () => lease, finish: () => finish() };
}

test('work starts at once if a token is free, and nobody takes a place', async () => {
  const service = new FakeService();
  const work = start(service);
  await seconds(1);
  work.finish();
  expect(await work.outcome).toBe('done');
  expect([service.tickets, work.places]).toEqual([[], []]);
  expect(service.asked(/allocate/)).toHaveLength(1);
});

test('work starts when its turn comes, and its lease counts from the claim and not from the offer or the request', async () => {
  const { service, free } = taken();
  const work = start(service, { request: { ttl_seconds: 60 }, onPlace: undefined });
  await seconds(50);
  expect(work.lease()).toBeUndefined();
  free();
  await seconds(1);
  const lease = service.leases[1]!;
  expect(work.lease()).toMatchObject({ fence: 2, lease_id: lease.lease_id });
  const leftMs = lease.to - performance.now();
  expect(work.lease()!.remainingMs).toBeLessThan(leftMs);
  expect(work.lease()!.remainingMs).toBeGreaterThan(leftMs - 2000);
  work.finish();
  expect(await work.outcome).toBe('done');
  expect(service.leases[1]).toMatchObject({ endReason: 'released_by_client' });
});

test('a request to wait is held for at most 60 seconds, and for a shorter time if the place is to be followed', async () => {
  const { service } = taken();
  start(service, { onPlace: undefined });
  await seconds(200);
  const claims = service.asked(/claim/);
  expect(claims).toHaveLength(4);
  expect(Math.max(...claims.map((at, i) => at - (claims[i - 1] ?? at)))).toBeLessThan(61_000);

  const { service: followed } = taken();
  start(followed);
  await seconds(51);
  expect(followed.asked(/claim/)).toHaveLength(11);
});

test('the place is told when it is taken, and when it has changed', async () => {
  const { service } = taken();
  const first = start(service);
  await seconds(1);
  const second = start(service);
  await seconds(11);
  expect(second.places).toMatchObject([{ position: 2, waiting: 2, not_later_than: expect.any(String) as string }]);
  expect(first.places).toHaveLength(1);
  service.tickets[0]!.status = 'ended';
  await seconds(6);
  expect(second.places.slice(1)).toMatchObject([{ position: 1, waiting: 1 }]);
});

test.each(['refuses', 'silent', 'mute', 'busy'] as const)(
  'a place outlives a service that %s for a while, before and after it is taken',
  async (network) => {
    const { service, free } = taken();
    service.network = network;
    const work = start(service);
    await seconds(8);
    service.network = 'up';
    await seconds(15);
    expect(service.tickets).toHaveLength(1);
    expect(new Set(service.requests.filter(({ what }) => /allocate/.test(what)).map(({ key }) => key)).size).toBe(1);
    service.network = network;
    await seconds(15);
    service.network = 'up';
    await seconds(15);
    free();
    await seconds(1);
    expect(work.lease()).toMatchObject({ fence: 2 });
    expect(service.tickets).toMatchObject([{ status: 'granted' }]);
    work.finish();
  },
);

test('a service that stops is not flooded with claims, and the one that follows it knows the place', async () => {
  const { service, free } = taken();
  const work = start(service);
  await seconds(2);
  const before = service.requests.length;
  service.stop();
  await seconds(10);
  expect(service.requests.length - before).toBeLessThan(3);
  service.network = 'up';
  await seconds(6);
  free();
  await seconds(1);
  expect(work.lease()).toMatchObject({ fence: 2 });
  work.finish();
});

test('a wait that is over gives its place back, and says where it stood', async () => {
  const { service } = taken();
  const work = start(service, { wait: 90 });
  await seconds(89);
  expect(service.tickets).toMatchObject([{ status: 'waiting' }]);
  await seconds(2);
  const error = await work.outcome;
  expect(error).toBeInstanceOf(WaitEndedError);
  expect(error).toMatchObject({ endReason: null, ticket: { position: 1 } });
  expect(service.tickets).toMatchObject([{ status: 'ended', endReason: 'cancelled' }]);
});

test('an aborted wait gives its place back before it rejects', async () => {
  const { service } = taken();
  const leaving = new AbortController();
  const work = start(service, { signal: leaving.signal });
  await seconds(7);
  leaving.abort(new Error('enough'));
  expect(await work.outcome).toBe(leaving.signal.reason);
  expect(service.tickets).toMatchObject([{ status: 'ended', endReason: 'cancelled' }]);
  await seconds(3600);
  expect(jest.getTimerCount()).toBe(0);
});

test('a lease that was granted meanwhile is given back: the response to its claim was on its way or lost', async () => {
  const { service, free } = taken();
  const leaving = new AbortController();
  const work = start(service, { signal: leaving.signal });
  await seconds(7);
  service.latency = () => [0, 3000];
  free();
  await seconds(1);
  expect(service.tickets).toMatchObject([{ status: 'granted' }]);
  service.latency = () => [0, 0];
  leaving.abort(new Error('enough'));
  expect(await work.outcome).toBe(leaving.signal.reason);
  expect(work.lease()).toBeUndefined();
  expect(service.leases[1]).toMatchObject({ endReason: 'released_by_client' });
});

test('a place that was taken without our knowledge is given back, too', async () => {
  const { service } = taken();
  const leaving = new AbortController();
  service.latency = () => [0, 3000];
  const work = start(service, { signal: leaving.signal });
  await seconds(1);
  leaving.abort(new Error('enough'));
  expect(await work.outcome).toBe(leaving.signal.reason);
  await seconds(10);
  expect(service.tickets).toMatchObject([{ status: 'ended', endReason: 'cancelled' }]);
});

test('a place that is lost ends the wait: nobody goes to the end of the line in silence', async () => {
  const { service } = taken();
  const work = start(service);
  await seconds(1);
  service.network = 'refuses';
  await seconds(60);
  service.network = 'up';
  await seconds(10);
  expect(await work.outcome).toMatchObject({ name: 'WaitEndedError', endReason: 'patience', ticket: { position: 1 } });
});

test('an error of onPlace gives the place back', async () => {
  const { service } = taken();
  const error = new Error('no');
  const work = start(service, {
    onPlace: () => {
      throw error;
    },
  });
  await seconds(1);
  expect(await work.outcome).toBe(error);
  expect(service.tickets).toMatchObject([{ status: 'ended', endReason: 'cancelled' }]);
});

test('a time to wait is a number of seconds, or a text with a unit', () => {
  expect([90, '90', '90s', '1.5m', '2h'].map(secondsOf)).toEqual([90, 90, 90, 90, 7200]);
  for (const wrong of ['', '10 m', '-1', '1d', NaN, Infinity, -1]) expect(() => secondsOf(wrong)).toThrow(RangeError);
});

// withLease against a service in memory, under a clock that the tests move.

import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { LeaseLostError, TokenPoolClient, TokenPoolConnectionError, TokenPoolError } from './index.js';
import type { Lease, LeaseOptions } from './index.js';
import { FakeService } from './testing/fake-service.js';

beforeEach(() => {
  // The platform's streams need these to make progress.
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => jest.useRealTimers());

const seconds = (count: number): Promise<void> => jest.advanceTimersByTimeAsync(count * 1000);

/** Starts work that lasts until the test ends it. */
function start(service: FakeService, options: LeaseOptions = {}) {
  let lease: Lease | undefined;
  let signal: AbortSignal | undefined;
  let finish: (value: string) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const pool = new TokenPoolClient('http://fake', { fetch: service.fetch }).pool('p');
  const result = pool.withLease((given, its) => {
    lease = given;
    signal = its;
    return new Promise<string>((resolve, reject) => {
      finish = resolve;
      fail = reject;
    });
  }, options);
  result.catch(() => undefined);
  return {
    result,
    lease: () => lease!,
    signal: () => signal!,
    lost: () => signal!.reason as LeaseLostError,
    hasStarted: () => lease !== undefined,
    finish: () => finish('done'),
    fail: (error: unknown) => fail(error),
  };
}

/** How a promise settles, however long that takes. */
async function outcome(result: Promise<unknown>): Promise<unknown> {
  const settled = result.catch((error: unknown) => error);
  await seconds(60);
  return settled;
}

test('work gets the thing and its signal with the lease, and no error of a lost lease has the secret', async () => {
  const service = new FakeService({ ttlSeconds: 60 });
  const client = new TokenPoolClient('http://fake', { fetch: service.fetch });
  const result = client.withLease('p', { select: { country: 'de' } }, async ({ name, attributes, secret, signal }) => {
    expect({ name, attributes, secret }).toEqual({
      name: 'seat-1',
      attributes: { country: 'de' },
      secret: { pin: 'not to be printed' },
    });
    service.take();
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  });
  const loss = await outcome(result);
  expect(loss).toMatchObject({ name: 'LeaseLostError', reason: 'evicted', lease: { name: 'seat-1', fence: 1 } });
  expect(inspect(loss, { depth: null, showHidden: true })).not.toContain('not to be printed');
});

describe('a renewable lease', () => {
  test('is renewed after about a third of its length, and released at the end', async () => {
    const service = new FakeService({ ttlSeconds: 60 });
    const work = start(service);
    await seconds(3600);
    const renewals = service.asked(/keep-alive/);
    const pauses = renewals.map((at, i) => (at - (renewals[i - 1] ?? 0)) / 1000);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(18);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(22);
    expect(new Set(pauses).size).toBeGreaterThan(100);
    expect(work.signal().aborted).toBe(false);
    work.finish();
    expect(await work.result).toBe('done');
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client' }]);
    await seconds(60); // until the service's own timers end
    expect(jest.getTimerCount()).toBe(0);
  });

  test('has the new end and the remaining time after each renewal', async () => {
    const work = start(new FakeService({ ttlSeconds: 60 }));
    await seconds(10);
    expect(work.lease()).toMatchObject({ fence: 1, expires_at: '2030-01-01T00:01:00.000Z' });
    expect(work.lease().remainingMs).toBeCloseTo(49_000);
    await seconds(12);
    expect(Date.parse(work.lease().expires_at)).toBeGreaterThanOrEqual(Date.parse('2030-01-01T00:01:18.000Z'));
    expect(work.lease().remainingMs).toBeGreaterThan(50_000);
    work.finish();
  });

  test('is renewed with the length of its request', async () => {
    const service = new FakeService({ ttlSeconds: 60 });
    const work = start(service, { request: { ttl_seconds: 6 } });
    await seconds(10);
    expect(service.asked(/keep-alive/).length).toBeGreaterThanOrEqual(4);
    expect(service.leases[0]!.to - performance.now()).toBeLessThanOrEqual(6000);
    work.finish();
  });

  test('survives an outage that is shorter than its remaining time', async () => {
    const service = new FakeService({ ttlSeconds: 60 });
    const work = start(service);
    for (const network of ['refuses', 'silent', 'mute', 'busy'] as const) {
      await seconds(17);
      service.network = network;
      await seconds(25);
      service.network = 'up';
      await seconds(60);
      expect(work.signal().aborted).toBe(false);
    }
    work.finish();
    expect(await work.result).toBe('done');
    expect(service.leases).toHaveLength(1);
  });

  test('survives one response that never comes', async () => {
    const service = new FakeService({ ttlSeconds: 24 });
    const work = start(service);
    await seconds(5);
    service.network = 'silent';
    await seconds(13);
    service.network = 'up';
    await seconds(10);
    expect(work.signal().aborted).toBe(false);
    work.finish();
  });

  test('is lost before its end if the outage lasts, and its signal has the reason', async () => {
    const service = new FakeService({ ttlSeconds: 60 });
    const work = start(service);
    await seconds(17);
    service.network = 'refuses';
    await seconds(41.9);
    expect(work.signal().aborted).toBe(false);
    await seconds(0.2);
    expect(work.signal().aborted).toBe(true);
    expect(service.leases).toMatchObject([{ endedAt: null }]);
    expect(work.lost()).toBeInstanceOf(LeaseLostError);
    expect(work.lost()).toMatchObject({ reason: 'expired', endReason: null, lease: { fence: 1 } });
    expect(work.lost().cause).toBeInstanceOf(TokenPoolConnectionError);
    expect(work.lease().remainingMs).toBe(0);
    work.fail(work.signal().reason);
    expect(await outcome(work.result)).toBe(work.lost());
  });

  test('is lost at its maximum lifetime, without ever faster renewals before', async () => {
    const service = new FakeService({ ttlSeconds: 60, maxLifetimeSeconds: 100 });
    const work = start(service);
    await seconds(98.9);
    expect(work.signal().aborted).toBe(false);
    await seconds(1);
    expect(work.lost()).toMatchObject({ reason: 'expired' });
    expect(service.leases).toMatchObject([{ endedAt: null }]);
    expect(service.asked(/keep-alive/).length).toBeLessThan(8);
    work.finish();
  });

  test('of a year sets no timer beyond the longest possible one', async () => {
    const service = new FakeService({ ttlSeconds: 31_536_000 });
    const work = start(service);
    await seconds(3600);
    expect(work.signal().aborted).toBe(false);
    expect(service.asked(/keep-alive/)).toEqual([]);
    work.finish();
    expect(await work.result).toBe('done');
  });
});

describe('a lease without renewals', () => {
  const policy = { ttlSeconds: 120, renewable: false };

  test('is never renewed, and is lost before its end', async () => {
    const service = new FakeService(policy);
    const work = start(service);
    await seconds(118.9);
    expect(work.signal().aborted).toBe(false);
    await seconds(0.2);
    expect(work.lost()).toMatchObject({ reason: 'expired' });
    expect(service.leases).toMatchObject([{ endedAt: null }]);
    expect(service.asked(/keep-alive/)).toEqual([]);
    work.finish();
    expect(await outcome(work.result)).toMatchObject({ reason: 'expired' });
  });

  test('is checked at the same pace, so its signal aborts when another user has the token', async () => {
    const service = new FakeService(policy);
    const work = start(service);
    await seconds(5);
    const next = service.take();
    await seconds(45);
    expect(work.lost()).toMatchObject({
      reason: 'evicted',
      endReason: 'lru_eviction',
      endedAt: '2030-01-01T00:00:05.000Z',
      evictedBy: { user_id: next.user_id, fence: 2 },
    });
    expect(work.lost().message).toContain(`by user ${next.user_id} (fence 2)`);
    work.finish();
  });

  test('since a change of the pool lasts until its end', async () => {
    const service = new FakeService({ ttlSeconds: 60, renewable: true });
    const work = start(service);
    await seconds(25);
    service.policy.renewable = false;
    await seconds(50);
    expect(work.signal().aborted).toBe(false);
    expect(service.asked(/keep-alive/)).toHaveLength(2); // the second one was refused
    await seconds(10);
    expect(work.lost()).toMatchObject({ reason: 'expired' });
    work.finish();
  });
});

describe('a lease that another request ends', () => {
  test.each([
    ['evicted', 'lru_eviction'],
    ['released', 'released_by_client'],
    ['released', 'cleanup'],
    ['expired', 'ttl_expired'],
  ] as const)('counts as %s (%s) with the next renewal, and is not renewed again', async (reason, endReason) => {
    const service = new FakeService();
    const work = start(service);
    await seconds(25);
    if (endReason === 'lru_eviction') service.take();
    else service.end(service.leases[0]!, endReason);
    await seconds(22);
    const endedAt = '2030-01-01T00:00:25.000Z';
    expect(work.lost()).toMatchObject({ reason, endReason, endedAt });
    const renewals = service.asked(/keep-alive/).length;
    await seconds(100);
    expect(service.asked(/keep-alive/)).toHaveLength(renewals);
    work.fail(work.signal().reason);
    expect(await outcome(work.result)).toMatchObject({
      reason,
      endReason,
      endedAt,
      evictedBy: reason === 'evicted' ? { fence: 2 } : null,
    });
    expect(service.asked(/allocate/)).toHaveLength(1);
  });

  test('between two renewals is reported at the end, even if the work has succeeded', async () => {
    const service = new FakeService();
    const work = start(service);
    await seconds(1);
    service.take();
    work.finish();
    const lost = await outcome(work.result);
    expect(lost).toBeInstanceOf(LeaseLostError);
    expect(lost).toMatchObject({ reason: 'evicted', evictedBy: { fence: 2 } });
    expect(work.signal().aborted).toBe(false);
  });
});

describe('a suspended machine', () => {
  /** The monotonic clock and the timers stop meanwhile. */
  const suspend = (count: number): unknown => jest.setSystemTime(Date.now() + count * 1000);

  test('detects the loss within a second after it wakes up, if the lease has ended', async () => {
    const work = start(new FakeService({ ttlSeconds: 60 }));
    await seconds(5);
    suspend(120);
    expect(work.lease().remainingMs).toBe(0);
    await seconds(1);
    expect(work.lost()).toMatchObject({ name: 'LeaseLostError', reason: 'expired' });
    work.finish();
    expect(await outcome(work.result)).toBeInstanceOf(LeaseLostError);
  });

  test('renews the lease within a second after it wakes up, if the lease still runs', async () => {
    const service = new FakeService({ ttlSeconds: 60 });
    const work = start(service);
    await seconds(5);
    suspend(40);
    await seconds(1);
    expect(service.asked(/keep-alive/)).toHaveLength(1);
    expect(work.signal().aborted).toBe(false);
    expect(work.lease().remainingMs).toBeGreaterThan(57_000);
    work.finish();
  });

  test('detects the loss even if its clock was set back before', async () => {
    const work = start(new FakeService({ ttlSeconds: 60, renewable: false }));
    await seconds(5);
    suspend(-86_400);
    await seconds(5);
    expect(work.signal().aborted).toBe(false);
    expect(work.lease().remainingMs).toBeCloseTo(49_000);
    suspend(120);
    await seconds(1);
    expect(work.lost()).toMatchObject({ reason: 'expired' });
    work.finish();
  });

  test('counts a renewal from the sending of its request, even if it slept in between', async () => {
    const service = new FakeService({ ttlSeconds: 60 });
    service.latency = () => [0, 3000];
    const work = start(service);
    await seconds(27);
    while (service.asked(/keep-alive/).length < 1) await seconds(0.1);
    suspend(120);
    await seconds(3);
    expect(work.lost()).toMatchObject({ reason: 'expired' });
    work.finish();
  });
});

describe('withLease throws a loss at once', () => {
  test.each(['refuses', 'silent', 'mute', 'busy'] as const)('while the network is in the state %s', async (network) => {
    const service = new FakeService({ ttlSeconds: 60 });
    const work = start(service);
    await seconds(1);
    service.network = network;
    await seconds(57.9);
    expect(work.signal().aborted).toBe(false);
    await seconds(0.2);
    expect(work.signal().aborted).toBe(true);
    let thrown: unknown;
    work.result.catch((error: unknown) => (thrown = error));
    work.fail(work.signal().reason);
    await seconds(0);
    expect(thrown).toBe(work.lost());
    await seconds(60);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('after 2 s while the service responds neither to the query for the reason nor to the release', async () => {
    const service = new FakeService({ ttlSeconds: 60 });
    const work = start(service);
    await seconds(1);
    service.take();
    await seconds(22);
    expect(work.lost()).toMatchObject({ reason: 'evicted' });
    service.network = 'silent';
    let thrown: unknown;
    work.result.catch((error: unknown) => (thrown = error));
    work.finish();
    await seconds(2.1);
    expect(thrown).toBe(work.lost());
  });
});

describe('a lease whose grant no caller receives', () => {
  const poolOf = (service: FakeService) => new TokenPoolClient('http://fake', { fetch: service.fetch }).pool('p');
  const gone = new Error('gone');

  test('is released when the response comes after the abort of the call', async () => {
    const service = new FakeService();
    service.latency = () => [1000, 1000];
    const caller = new AbortController();
    const call = outcome(poolOf(service).allocate({}, { signal: caller.signal }));
    await seconds(0.5);
    caller.abort(gone);
    expect(await call).toBe(gone);
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client' }]);
    expect(service.asked(/allocate/)).toHaveLength(1);
  });

  test('is released if the call has timed out', async () => {
    const service = new FakeService();
    service.network = 'mute';
    const caller = poolOf(service).allocate({}, { timeoutMs: 3000 });
    const settled = caller.catch((error: unknown) => error).finally(() => (service.network = 'up'));
    await seconds(3.1);
    expect(await settled).toBeInstanceOf(TokenPoolConnectionError);
    await seconds(10);
    expect(service.leases).toMatchObject([{ fence: 1, endReason: 'released_by_client' }]);
  });

  test('is not requested again if the request reached no server', async () => {
    const service = new FakeService();
    service.network = 'refuses';
    const error = await outcome(poolOf(service).allocate({}, { timeoutMs: 3000 }));
    expect(error).toBeInstanceOf(TokenPoolConnectionError);
    service.network = 'up';
    await seconds(20);
    expect(service.requests).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('is left to expire after ten seconds without a response', async () => {
    const service = new FakeService();
    service.network = 'silent';
    const caller = new AbortController();
    const call = outcome(poolOf(service).allocate({}, { signal: caller.signal }));
    await seconds(1);
    caller.abort(gone);
    expect(await call).toBe(gone);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('the work', () => {
  test('that fails makes withLease throw its error, and release the lease', async () => {
    const service = new FakeService();
    const work = start(service);
    await seconds(1);
    const error = new Error('of the work');
    work.fail(error);
    expect(await outcome(work.result)).toBe(error);
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client' }]);
  });

  test('that throws synchronously is treated in the same way', async () => {
    const service = new FakeService();
    const pool = new TokenPoolClient('http://fake', { fetch: service.fetch }).pool('p');
    const error = new Error('at once');
    const result = pool.withLease(() => {
      throw error;
    });
    expect(await outcome(result)).toBe(error);
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client' }]);
  });

  test('that fails with another error after a loss makes withLease throw that error', async () => {
    const service = new FakeService();
    const work = start(service);
    await seconds(1);
    service.take();
    await seconds(22);
    expect(work.signal().aborted).toBe(true);
    const error = new Error('of the work');
    work.fail(error);
    expect(await outcome(work.result)).toBe(error);
  });

  test('that ends during an outage returns its result, and its lease expires', async () => {
    const service = new FakeService();
    const work = start(service);
    await seconds(1);
    service.network = 'refuses';
    work.finish();
    expect(await outcome(work.result)).toBe('done');
    expect(service.leases).toMatchObject([{ endReason: 'ttl_expired' }]);
  });

  test('that ends while responses get lost releases its lease once', async () => {
    const service = new FakeService();
    const work = start(service);
    await seconds(1);
    service.network = 'mute';
    work.finish();
    await seconds(2);
    service.network = 'up';
    expect(await outcome(work.result)).toBe('done');
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client', endedAt: 1000 }]);
  });

  test('does not start with a lease whose grant arrived too late', async () => {
    const service = new FakeService({ ttlSeconds: 5 });
    service.latency = () => [0, 6000];
    const work = start(service);
    expect(await outcome(work.result)).toMatchObject({ reason: 'expired' });
    expect(work.hasStarted()).toBe(false);
    expect(service.asked(/allocate/)).toHaveLength(1);
  });

  test('does not start without a lease', async () => {
    const service = new FakeService();
    service.network = 'refuses';
    const work = start(service, { timeoutMs: 3000 });
    expect(await outcome(work.result)).toBeInstanceOf(TokenPoolConnectionError);
    expect(work.hasStarted()).toBe(false);
  });

  test("is stopped by the caller's signal, and its lease is released", async () => {
    const service = new FakeService();
    const caller = new AbortController();
    const work = start(service, { signal: caller.signal });
    await seconds(30);
    const enough = new Error('enough');
    caller.abort(enough);
    expect(work.signal().reason).toBe(enough);
    await seconds(100);
    expect(service.leases).toMatchObject([{ endedAt: null }]); // it lasts until the work has ended
    work.fail(work.signal().reason);
    expect(await outcome(work.result)).toBe(enough);
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client' }]);
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });

  test('does not start, and requests no lease, if the signal has aborted before', async () => {
    const service = new FakeService();
    const work = start(service, { signal: AbortSignal.abort(new Error('gone')) });
    expect(await outcome(work.result)).toMatchObject({ message: 'gone' });
    expect(service.requests).toEqual([]);
  });
});

describe('the end of a lease', () => {
  test('counts from the sending of the request, not from the arrival of the response', async () => {
    const service = new FakeService({ ttlSeconds: 60, renewable: false });
    service.latency = () => [0, 9000];
    const work = start(service, { marginMs: 0 });
    await seconds(10);
    expect(work.lease().remainingMs).toBeCloseTo(50_000);
    work.finish();
  });

  test('counts from the first attempt if the service repeats the answer to that', async () => {
    const service = new FakeService({ ttlSeconds: 60, renewable: false });
    service.network = 'mute';
    const work = start(service, { marginMs: 0 });
    await seconds(8);
    service.network = 'up';
    await seconds(12);
    expect(service.asked(/allocate/).length).toBeGreaterThan(2);
    expect(service.leases).toHaveLength(1);
    expect(work.lease().remainingMs).toBeCloseTo(40_000);
    work.finish();
  });

  test('counts from the last attempt if the earlier ones had no effect', async () => {
    const service = new FakeService({ ttlSeconds: 60, renewable: false });
    service.network = 'refuses';
    const work = start(service, { marginMs: 0 });
    await seconds(8);
    service.network = 'up';
    await seconds(12);
    expect(work.lease().remainingMs).toBeCloseTo(60_000 - (performance.now() - service.leases[0]!.from));
    work.finish();
  });

  test('never comes before the signal aborts, however slow or broken the network is', async () => {
    const ms = fc.oneof({ weight: 5, arbitrary: fc.nat(300) }, fc.nat(9000), fc.nat(40_000));
    const network = fc.constantFrom('up', 'up', 'refuses', 'silent', 'mute', 'busy' as const);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          ttlSeconds: fc.double({ min: 0.5, max: 60, noNaN: true }),
          renewable: fc.boolean(),
          maxLifetimeSeconds: fc.constantFrom(Infinity, 70),
        }),
        fc.array(fc.tuple(ms, ms), { minLength: 1 }),
        fc.array(fc.tuple(network, fc.nat(30)), { maxLength: 8 }),
        fc.boolean(),
        async (policy, latencies, weather, isShortened) => {
          const service = new FakeService(policy);
          let turn = 0;
          service.latency = () => latencies[turn++ % latencies.length]!;
          const work = start(service);
          const tooLate: number[] = [];
          service.onExpiry = ({ fence, to }) => {
            if (work.hasStarted() && !work.signal().aborted && fence === work.lease().fence) tooLate.push(to);
          };
          for (const [network, duration] of weather) {
            service.network = network;
            await seconds(duration);
            if (isShortened) service.policy.ttlSeconds *= 0.7;
          }
          service.network = 'up';
          await seconds(70);
          expect(tooLate).toEqual([]);
          expect(service.leases.length).toBeLessThanOrEqual(1);
          work.finish();
          await outcome(work.result);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});

test('TokenPoolError.is distinguishes errors by their code, for the compiler too', () => {
  const error: unknown = new TokenPoolError({
    type: 'urn:x',
    title: 'No token is free',
    status: 409,
    detail: 'no token of pool p is free',
    error: 'pool_exhausted',
    request_id: 'r',
  });
  if (!TokenPoolError.is(error, 'pool_exhausted', 'pool_limit_reached')) throw new Error('not recognised');
  const code: 'pool_exhausted' | 'pool_limit_reached' = error.code;
  // @ts-expect-error -- the compiler knows that the code cannot be this one.
  expect(code === 'lease_ended').toBe(false);
  expect(TokenPoolError.is(error, 'lease_ended')).toBe(false);
  expect(TokenPoolError.is(new Error('pool_exhausted'), 'pool_exhausted')).toBe(false);
});

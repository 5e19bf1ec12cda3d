// Leases kept under a clock that the tests move, against a service in memory.

import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { LeaseLostError, TokenPoolClient, TokenPoolConnectionError, TokenPoolError } from './index.js';
import type { Lease, LeaseOptions } from './index.js';
import { PretendedService } from './testing/pretended-service.js';

beforeEach(() => {
  // What streams of the platform need to move on is left alone.
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => jest.useRealTimers());

const seconds = (count: number): Promise<void> => jest.advanceTimersByTimeAsync(count * 1000);

/** Work that goes on until the test ends it. */
function start(service: PretendedService, options: LeaseOptions = {}) {
  let lease: Lease | undefined;
  let signal: AbortSignal | undefined;
  let finish: (value: string) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const pool = new TokenPoolClient('http://pretended', { fetch: service.fetch }).pool('p');
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

/** What came of it, however long that takes. */
async function outcome(result: Promise<unknown>): Promise<unknown> {
  const settled = result.catch((error: unknown) => error);
  await seconds(60);
  return settled;
}

describe('a lease that is renewable', () => {
  test('is renewed at a third of its time, a little more or less by chance, and given back at the end', async () => {
    const service = new PretendedService({ ttlSeconds: 60 });
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
    await seconds(60); // for the timers of the service itself
    expect(jest.getTimerCount()).toBe(0);
  });

  test('shows its work the new end after each renewal, and how long it lasts', async () => {
    const work = start(new PretendedService({ ttlSeconds: 60 }));
    await seconds(10);
    expect(work.lease()).toMatchObject({ fence: 1, expires_at: '2030-01-01T00:01:00.000Z' });
    expect(work.lease().remainingMs).toBeCloseTo(49_000);
    await seconds(12);
    expect(Date.parse(work.lease().expires_at)).toBeGreaterThanOrEqual(Date.parse('2030-01-01T00:01:18.000Z'));
    expect(work.lease().remainingMs).toBeGreaterThan(50_000);
    work.finish();
  });

  test('asks for the length that was asked for at first', async () => {
    const service = new PretendedService({ ttlSeconds: 60 });
    const work = start(service, { request: { ttl_seconds: 6 } });
    await seconds(10);
    expect(service.asked(/keep-alive/).length).toBeGreaterThanOrEqual(4);
    expect(service.leases[0]!.to - performance.now()).toBeLessThanOrEqual(6000);
    work.finish();
  });

  test('is kept over an outage that is shorter than what is left of it', async () => {
    const service = new PretendedService({ ttlSeconds: 60 });
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

  test('is not lost for waiting too long for one answer that does not come', async () => {
    const service = new PretendedService({ ttlSeconds: 24 });
    const work = start(service);
    await seconds(5);
    service.network = 'silent';
    await seconds(13);
    service.network = 'up';
    await seconds(10);
    expect(work.signal().aborted).toBe(false);
    work.finish();
  });

  test('is lost before its end when the service stays away, and the work is told why', async () => {
    const service = new PretendedService({ ttlSeconds: 60 });
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

  test('is lost at its maximum lifetime, and not renewed ever faster before', async () => {
    const service = new PretendedService({ ttlSeconds: 60, maxLifetimeSeconds: 100 });
    const work = start(service);
    await seconds(98.9);
    expect(work.signal().aborted).toBe(false);
    await seconds(1);
    expect(work.lost()).toMatchObject({ reason: 'expired' });
    expect(service.leases).toMatchObject([{ endedAt: null }]);
    expect(service.asked(/keep-alive/).length).toBeLessThan(8);
    work.finish();
  });

  test('of a year waits for no timer that is too long for timers', async () => {
    const service = new PretendedService({ ttlSeconds: 31_536_000 });
    const work = start(service);
    await seconds(3600);
    expect(work.signal().aborted).toBe(false);
    expect(service.asked(/keep-alive/)).toEqual([]);
    work.finish();
    expect(await work.result).toBe('done');
  });
});

describe('a lease that is not renewable', () => {
  const policy = { ttlSeconds: 120, renewable: false };

  test('is never renewed, and lost before its end', async () => {
    const service = new PretendedService(policy);
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

  test('is looked after all the same: its work is told when somebody else has the token', async () => {
    const service = new PretendedService(policy);
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

  test('any more, because the pool was changed, is kept as long as it lasts', async () => {
    const service = new PretendedService({ ttlSeconds: 60, renewable: true });
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

describe('a lease that others end', () => {
  test.each([
    ['evicted', 'lru_eviction'],
    ['released', 'released_by_client'],
    ['released', 'cleanup'],
    ['expired', 'ttl_expired'],
  ] as const)('is %s (%s) for its work with the next renewal, and none follows', async (reason, endReason) => {
    const service = new PretendedService();
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

  test('while nobody looked is told at the end: what was done without it is not passed off as done under it', async () => {
    const service = new PretendedService();
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

describe('a machine that was suspended', () => {
  /** Its monotonic clock stands still meanwhile, and so do its timers. */
  const suspend = (count: number): unknown => jest.setSystemTime(Date.now() + count * 1000);

  test('for longer than the lease knows within a second of waking that it is lost', async () => {
    const work = start(new PretendedService({ ttlSeconds: 60 }));
    await seconds(5);
    suspend(120);
    expect(work.lease().remainingMs).toBe(0);
    await seconds(1);
    expect(work.lost()).toMatchObject({ name: 'LeaseLostError', reason: 'expired' });
    work.finish();
    expect(await outcome(work.result)).toBeInstanceOf(LeaseLostError);
  });

  test('for less renews the lease within a second of waking', async () => {
    const service = new PretendedService({ ttlSeconds: 60 });
    const work = start(service);
    await seconds(5);
    suspend(40);
    await seconds(1);
    expect(service.asked(/keep-alive/)).toHaveLength(1);
    expect(work.signal().aborted).toBe(false);
    expect(work.lease().remainingMs).toBeGreaterThan(57_000);
    work.finish();
  });

  test('knows it also when its clock was set back before', async () => {
    const work = start(new PretendedService({ ttlSeconds: 60, renewable: false }));
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

  test('while a renewal was under way takes its answer for as old as it is', async () => {
    const service = new PretendedService({ ttlSeconds: 60 });
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

describe('a loss is told when it happens', () => {
  test.each(['refuses', 'silent', 'mute', 'busy'] as const)('while the network %s', async (network) => {
    const service = new PretendedService({ ttlSeconds: 60 });
    const work = start(service);
    await seconds(1);
    service.network = network;
    await seconds(57.9);
    expect(work.signal().aborted).toBe(false);
    await seconds(0.2);
    expect(work.signal().aborted).toBe(true);
    let told: unknown;
    work.result.catch((error: unknown) => (told = error));
    work.fail(work.signal().reason);
    await seconds(0);
    expect(told).toBe(work.lost());
    await seconds(60);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('while the service answers neither how it came about nor the release', async () => {
    const service = new PretendedService({ ttlSeconds: 60 });
    const work = start(service);
    await seconds(1);
    service.take();
    await seconds(22);
    expect(work.lost()).toMatchObject({ reason: 'evicted' });
    service.network = 'silent';
    let told: unknown;
    work.result.catch((error: unknown) => (told = error));
    work.finish();
    await seconds(2.1);
    expect(told).toBe(work.lost());
  });
});

describe('a lease of which nobody hears', () => {
  const poolOf = (service: PretendedService) =>
    new TokenPoolClient('http://pretended', { fetch: service.fetch }).pool('p');
  const gone = new Error('gone');

  test('is given back when its answer comes after its caller has gone', async () => {
    const service = new PretendedService();
    service.latency = () => [1000, 1000];
    const caller = new AbortController();
    const call = outcome(poolOf(service).allocate({}, { signal: caller.signal }));
    await seconds(0.5);
    caller.abort(gone);
    expect(await call).toBe(gone);
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client' }]);
    expect(service.asked(/allocate/)).toHaveLength(1);
  });

  test('is given back when it was granted and the call timed out', async () => {
    const service = new PretendedService();
    service.network = 'mute';
    const caller = poolOf(service).allocate({}, { timeoutMs: 3000 });
    const settled = caller.catch((error: unknown) => error).finally(() => (service.network = 'up'));
    await seconds(3.1);
    expect(await settled).toBeInstanceOf(TokenPoolConnectionError);
    await seconds(10);
    expect(service.leases).toMatchObject([{ fence: 1, endReason: 'released_by_client' }]);
  });

  test('is not asked for once more where nobody got the request', async () => {
    const service = new PretendedService();
    service.network = 'refuses';
    const error = await outcome(poolOf(service).allocate({}, { timeoutMs: 3000 }));
    expect(error).toBeInstanceOf(TokenPoolConnectionError);
    service.network = 'up';
    await seconds(20);
    expect(service.requests).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('is given up after ten seconds, when nothing more is heard', async () => {
    const service = new PretendedService();
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
  test('that fails is heard, and its lease given back', async () => {
    const service = new PretendedService();
    const work = start(service);
    await seconds(1);
    const error = new Error('of the work');
    work.fail(error);
    expect(await outcome(work.result)).toBe(error);
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client' }]);
  });

  test('that throws at once is no exception', async () => {
    const service = new PretendedService();
    const pool = new TokenPoolClient('http://pretended', { fetch: service.fetch }).pool('p');
    const error = new Error('at once');
    const result = pool.withLease(() => {
      throw error;
    });
    expect(await outcome(result)).toBe(error);
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client' }]);
  });

  test('that fails in its own way after a loss is heard, not the loss', async () => {
    const service = new PretendedService();
    const work = start(service);
    await seconds(1);
    service.take();
    await seconds(22);
    expect(work.signal().aborted).toBe(true);
    const error = new Error('of the work');
    work.fail(error);
    expect(await outcome(work.result)).toBe(error);
  });

  test('that is done while the service is away has not been in vain: the lease ends by itself', async () => {
    const service = new PretendedService();
    const work = start(service);
    await seconds(1);
    service.network = 'refuses';
    work.finish();
    expect(await outcome(work.result)).toBe('done');
    expect(service.leases).toMatchObject([{ endReason: 'ttl_expired' }]);
  });

  test('that is done while answers get lost gives back once', async () => {
    const service = new PretendedService();
    const work = start(service);
    await seconds(1);
    service.network = 'mute';
    work.finish();
    await seconds(2);
    service.network = 'up';
    expect(await outcome(work.result)).toBe('done');
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client', endedAt: 1000 }]);
  });

  test('is not begun with a lease whose answer came too late', async () => {
    const service = new PretendedService({ ttlSeconds: 5 });
    service.latency = () => [0, 6000];
    const work = start(service);
    expect(await outcome(work.result)).toMatchObject({ reason: 'expired' });
    expect(work.hasStarted()).toBe(false);
    expect(service.asked(/allocate/)).toHaveLength(1);
  });

  test('is not begun without a lease', async () => {
    const service = new PretendedService();
    service.network = 'refuses';
    const work = start(service, { timeoutMs: 3000 });
    expect(await outcome(work.result)).toBeInstanceOf(TokenPoolConnectionError);
    expect(work.hasStarted()).toBe(false);
  });

  test('is stopped when the caller says so, and its lease given back', async () => {
    const service = new PretendedService();
    const caller = new AbortController();
    const work = start(service, { signal: caller.signal });
    await seconds(30);
    const enough = new Error('enough');
    caller.abort(enough);
    expect(work.signal().reason).toBe(enough);
    await seconds(100);
    expect(service.leases).toMatchObject([{ endedAt: null }]); // kept while the work winds up
    work.fail(work.signal().reason);
    expect(await outcome(work.result)).toBe(enough);
    expect(service.leases).toMatchObject([{ endReason: 'released_by_client' }]);
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });

  test('of a caller who has gone already is not begun, and no lease is asked for', async () => {
    const service = new PretendedService();
    const work = start(service, { signal: AbortSignal.abort(new Error('gone')) });
    expect(await outcome(work.result)).toMatchObject({ message: 'gone' });
    expect(service.requests).toEqual([]);
  });
});

describe('the end of a lease', () => {
  test('counts from when it was asked for, not from when the answer came', async () => {
    const service = new PretendedService({ ttlSeconds: 60, renewable: false });
    service.latency = () => [0, 9000];
    const work = start(service, { marginMs: 0 });
    await seconds(10);
    expect(work.lease().remainingMs).toBeCloseTo(50_000);
    work.finish();
  });

  test('counts from the first attempt when the answer is that of the first attempt', async () => {
    const service = new PretendedService({ ttlSeconds: 60, renewable: false });
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

  test('counts from the last attempt when the earlier ones had no effect', async () => {
    const service = new PretendedService({ ttlSeconds: 60, renewable: false });
    service.network = 'refuses';
    const work = start(service, { marginMs: 0 });
    await seconds(8);
    service.network = 'up';
    await seconds(12);
    expect(work.lease().remainingMs).toBeCloseTo(60_000 - (performance.now() - service.leases[0]!.from));
    work.finish();
  });

  test('never comes before the signal, however slow or broken the way to the service is', async () => {
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
          const service = new PretendedService(policy);
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

test('errors are told apart by their code, by the compiler too', () => {
  const error: unknown = new TokenPoolError({
    type: 'urn:x',
    title: 'No token is free',
    status: 409,
    detail: 'no token of pool p is free',
    error: 'pool_exhausted',
    request_id: 'r',
  });
  if (!TokenPoolError.is(error, 'pool_exhausted', 'pool_limit_reached')) throw new Error('not told apart');
  const code: 'pool_exhausted' | 'pool_limit_reached' = error.code;
  // @ts-expect-error -- the compiler knows that it cannot be this one.
  expect(code === 'lease_ended').toBe(false);
  expect(TokenPoolError.is(error, 'lease_ended')).toBe(false);
  expect(TokenPoolError.is(new Error('pool_exhausted'), 'pool_exhausted')).toBe(false);
});

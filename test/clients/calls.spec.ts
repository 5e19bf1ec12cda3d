// The client's calls, leases and streams against the real app.

import {
  LeaseLostError,
  TokenPoolClient,
  TokenPoolError,
  type PoolHandle,
  type TokenEvent,
} from '../../libs/client/src/index.js';
import { A_TIME, A_UUID } from '../http/client.js';
import { startApp, type TestApp } from '../support/app.js';

const NOBODY = '99999999-9999-4999-8999-999999999999';

let app: TestApp;
let client: TokenPoolClient;
beforeAll(async () => {
  app = await startApp();
  client = new TokenPoolClient(app.url);
});
afterAll(() => app.close());

let pools = 0;
/** Creates a pool for one test. */
async function pool(policy: Partial<Parameters<TokenPoolClient['createPool']>[0]> = {}): Promise<PoolHandle> {
  const { name } = await client.createPool({
    name: `p-${++pools}`,
    kind: 'fixed',
    size: 3,
    ttl_seconds: 60,
    renewable: true,
    on_exhausted: 'evict_oldest',
    ...policy,
  });
  return client.pool(name);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const refusal = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

/** Resolves with the signal's reason when it aborts. */
const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)));

describe('a call', () => {
  test('exists for everything that the API does with a lease', async () => {
    const seats = await pool();
    const lease = await seats.allocate({ user_id: NOBODY, ttl_seconds: 30, metadata: { ticket: 'A-1' } });
    expect(lease).toMatchObject({ pool: seats.name, user_id: NOBODY, lease_id: A_UUID, fence: 1, evicted: null });
    expect(await seats.show(lease.token_id)).toMatchObject({ status: 'active', current_user: { user_id: NOBODY } });
    expect(await all(seats.list({ status: 'active', user_id: NOBODY }))).toMatchObject([{ id: lease.token_id }]);
    const { renewed_at, expires_at } = await seats.keepAlive(lease, { ttl_seconds: 40 });
    expect(Date.parse(expires_at) - Date.parse(renewed_at)).toBe(40_000);
    expect((await seats.keepAlive(lease, { ttl_seconds: 1 })).expires_at).toBe(expires_at);
    expect(await seats.release(lease)).toEqual({ ok: true, token_id: lease.token_id, status: 'available' });
    const events = await all(seats.events(lease.token_id));
    expect(events.map(({ event }) => event)).toEqual(['released', 'renewed', 'renewed', 'activated', 'generated']);
    expect(events[3]!.metadata).toMatchObject({ ticket: 'A-1' });
    expect(await all(seats.history(lease.token_id))).toMatchObject([
      { user_id: NOBODY, fence: 1, ended_at: A_TIME, end_reason: 'released_by_client' },
    ]);
    await seats.allocate();
    await seats.allocate();
    expect(await seats.cleanup()).toEqual({ released: 2 });
  });

  test('exists for everything that the API does with a pool', async () => {
    const rooms = await pool({ kind: 'elastic', size: 2, on_exhausted: 'reject' });
    const [free, held] = [await rooms.generate(), await rooms.generate()];
    expect(held).toMatchObject({ pool: rooms.name, status: 'available' });
    await client.changePool(rooms.name, { size: 5 });
    expect(await rooms.details()).toMatchObject({ size: 5, counts: { total: 2, available: 2, active: 0 } });
    expect((await client.pools()).map(({ name }) => name)).toEqual(expect.arrayContaining(['default', rooms.name]));
    expect(await rooms.allocate()).toMatchObject({ token_id: free.id });
    expect(TokenPoolError.is(await refusal(rooms.delete(free.id)), 'token_in_use')).toBe(true);
    expect(await rooms.delete(free.id, { force: true })).toEqual({ deleted: true, token_id: free.id });
    expect(await all(rooms.list())).toMatchObject([{ id: held.id }]);
  });

  test('for a list returns all of it, in as many pages as it takes', async () => {
    const desks = await pool({ size: 7 });
    for (let i = 0; i < 4; i++) await desks.release(await desks.allocate({ user_id: NOBODY }));
    const pages = await all(desks.list({ limit: 3 }).pages());
    expect(pages.map(({ tokens }) => tokens.length)).toEqual([3, 3, 1]);
    expect(new Set(pages.flatMap(({ tokens }) => tokens.map(({ id }) => id))).size).toBe(7);
    const feed = await all(desks.feed({ limit: 4 }));
    expect(feed.map(({ seq }) => seq)).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    const second = await desks.feed({ limit: 4, after: 4 }).page();
    expect(second.events.map(({ seq }) => seq)).toEqual([5, 6, 7, 8]);
  });

  test('whose response is lost has its effect once', async () => {
    let lost = 0;
    const unlucky = new TokenPoolClient(app.url, {
      fetch: async (request) => {
        const answer = await fetch(request);
        await answer.clone().arrayBuffer();
        if (request.method === 'GET' || lost++ % 3 === 2) return answer;
        throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } });
      },
    });
    const { name } = await pool({ kind: 'elastic', on_exhausted: 'reject' });
    const rooms = unlucky.pool(name);
    const { id } = await rooms.generate();
    const lease = await rooms.allocate();
    await rooms.release(lease);
    await rooms.allocate();
    expect(await rooms.cleanup()).toEqual({ released: 1 });
    await rooms.delete(id);
    const events = (await all(client.pool(name).feed())).map(({ event, reason }) => `${event} ${reason ?? ''}`.trim());
    expect(events).toEqual([
      expect.stringMatching(/^generated/),
      'activated allocated',
      'released released_by_client',
      'activated allocated',
      'released cleanup',
      'deleted deleted_by_client',
    ]);
    expect(lost).toBe(18);
  });
});

test('force releases a lease without its lease_id in a pool that requires one', async () => {
  const seats = await pool({ release_authority: 'holder' });
  const { token_id, fence } = await seats.allocate();
  expect(await refusal(seats.release({ token_id }))).toMatchObject({ code: 'lease_handle_required' });
  expect(await refusal(seats.release({ token_id, fence: fence + 1 }, { force: true }))).toMatchObject({
    code: 'stale_lease',
  });
  expect(await seats.release({ token_id, fence }, { force: true })).toMatchObject({ ok: true });
});

describe('a refusal', () => {
  test('has the code and all other fields of the problem document', async () => {
    const seats = await pool();
    const lease = await seats.allocate();
    await seats.release(lease);
    const error = await refusal(seats.release(lease));
    expect(error).toMatchObject({
      name: 'TokenPoolError',
      code: 'lease_ended',
      status: 410,
      requestId: expect.stringMatching(/./),
      problem: { end_reason: 'released_by_client', ended_at: A_TIME },
    });
  });

  test.each([
    ['pool_not_found', () => client.pool('nowhere').allocate()],
    ['pool_is_fixed', () => client.pool().generate()],
    ['pool_exists', () => client.createPool({ name: 'default', kind: 'fixed', size: 1, ttl_seconds: 1 })],
    ['invalid_token_id', () => client.pool().show('no-uuid')],
    ['token_not_found', () => client.pool().show(NOBODY)],
    ['invalid_request', () => client.pool().allocate({ ttl_seconds: -1 })],
    ['pool_not_found', () => client.pool('nowhere').watch().next()],
  ] as const)('%s is known by its code', async (code, work) => {
    expect(TokenPoolError.is(await refusal(work()), code)).toBe(true);
  });

  test('of a full pool has the seconds after which another attempt makes sense', async () => {
    const seat = await pool({ size: 1, on_exhausted: 'reject' });
    await seat.allocate();
    const error = await refusal(seat.allocate());
    expect(error).toMatchObject({ code: 'pool_exhausted', retryAfter: expect.any(Number) });
    expect((error as TokenPoolError).retryAfter).toBeGreaterThan(50);
  });
});

describe('work under a lease', () => {
  test('has its lease renewed in the feed until it ends, and released then', async () => {
    const seats = await pool({ ttl_seconds: 0.9 });
    const answer = await seats.withLease(async (lease, signal) => {
      let renewals = 0;
      for await (const { event, fence } of seats.watch({ after: 0 }, { signal })) {
        if (event === 'renewed' && fence === lease.fence && ++renewals === 6) break;
      }
      return `${renewals} renewals, ${signal.aborted ? 'lost' : 'held'}`;
    });
    expect(answer).toBe('6 renewals, held');
    const events = await all(seats.feed({ after: 3 }));
    expect(events.map(({ event }) => event)).toEqual(['activated', ...Array<string>(6).fill('renewed'), 'released']);
    const times = events.slice(0, -1).map(({ occurred_at }) => Date.parse(occurred_at));
    const pauses = times.slice(1).map((at, i) => at - times[i]!);
    // A third of 0.9 s, ± 10 %, and what a busy machine takes.
    for (const pause of pauses) expect(pause).toBeGreaterThanOrEqual(260);
  });

  test('whose lease is evicted gets the next user and the time', async () => {
    const seat = await pool({ size: 1, ttl_seconds: 1.5 });
    let by: { user_id: string; fence: number; activated_at: string } | undefined;
    const loss = await refusal(
      seat.withLease(async (lease, signal) => {
        const over = aborted(signal);
        by = await seat.allocate();
        expect(await over).toBeInstanceOf(LeaseLostError);
        throw signal.reason;
      }),
    );
    expect(loss).toMatchObject({
      name: 'LeaseLostError',
      reason: 'evicted',
      endReason: 'lru_eviction',
      endedAt: by!.activated_at,
      evictedBy: { user_id: by!.user_id, fence: by!.fence },
    });
    // No second lease, and the other's is left alone.
    expect(await all(seat.list({ status: 'active' }))).toMatchObject([{ fence: by!.fence }]);
  });

  test.each([
    ['released_by_client', (seat: PoolHandle, tokenId: string) => seat.release({ token_id: tokenId })],
    ['cleanup', (seat: PoolHandle) => seat.cleanup()],
  ])('whose lease another request ends (%s) gets the reason', async (endReason, end) => {
    const seat = await pool({ size: 1, ttl_seconds: 1.5 });
    const loss = await refusal(
      seat.withLease(async ({ token_id }, signal) => {
        const over = aborted(signal);
        await end(seat, token_id);
        throw await over;
      }),
    );
    expect(loss).toMatchObject({ reason: 'released', endReason, endedAt: A_TIME });
  });

  test('in a pool without renewals is stopped before its time is up', async () => {
    const seat = await pool({ size: 1, ttl_seconds: 1, renewable: false });
    let stillHeld: string | undefined;
    const loss = await refusal(
      seat.withLease(
        async ({ token_id }, signal) => {
          await aborted(signal);
          stillHeld = (await seat.show(token_id)).status;
        },
        { marginMs: 400 },
      ),
    );
    expect(stillHeld).toBe('active');
    expect(loss).toMatchObject({ name: 'LeaseLostError', reason: 'expired' });
  });

  test('that fails makes withLease throw its error, and release the lease', async () => {
    const seat = await pool({ size: 1 });
    const failure = new Error('of its own');
    expect(await refusal(seat.withLease(() => Promise.reject(failure)))).toBe(failure);
    expect(await seat.details()).toMatchObject({ counts: { active: 0 } });
  });
});

describe('watching', () => {
  const first = async (count: number, events: AsyncIterable<TokenEvent>): Promise<TokenEvent[]> => {
    const found: TokenEvent[] = [];
    for await (const event of events) if (found.push(event) === count) break;
    return found;
  };

  test('yields the events as they are in the feed', async () => {
    const seats = await pool();
    for (let i = 0; i < 5; i++) await seats.release(await seats.allocate());
    expect(await first(13, seats.watch({ after: 0 }))).toEqual(await all(seats.feed()));
  });

  test('begins with the next event by default, and yields events as they happen', async () => {
    const seats = await pool();
    await seats.allocate();
    const events = seats.watch();
    const next = events.next();
    // Begun is when the stream has asked where it stands: until it is there, events are made that it may have missed.
    let isThere = false;
    const seen = next.then(() => (isThere = true));
    while (!isThere) await seats.release(await seats.allocate()).then(() => new Promise(setImmediate));
    await seen;
    expect((await next).value!.seq).toBeGreaterThan(4);
    await events.return();
  });

  test('can be for one token or one user', async () => {
    const seats = await pool();
    const [mine, other] = [await seats.allocate({ user_id: NOBODY }), await seats.allocate()];
    await seats.release(other);
    await seats.release(mine);
    const ofUser = await first(2, seats.watch({ after: 0, user_id: NOBODY }));
    expect(ofUser.map(({ event, fence }) => [event, fence])).toEqual([
      ['activated', 1],
      ['released', 1],
    ]);
    const ofToken = await first(3, seats.watch({ after: 0, token_id: other.token_id }));
    expect(ofToken.map(({ event }) => event)).toEqual(['generated', 'activated', 'released']);
  });
});

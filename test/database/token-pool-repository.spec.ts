// The exam that every implementation of the port sits: in memory, and PostgreSQL as one process and as two.

import { randomUUID } from 'node:crypto';
import { ANYBODY, Auditor, Executor, DomainError, loadSpec, toIso, type EventView, type TokenView } from '@app/tokens';
import { asStored, sweep, type TokenPoolRepository, type PolicyChange, type PoolKind } from '@app/tokens';
import type { Pooler } from '@app/postgres';
import {
  allocate,
  changePolicy,
  deletePool,
  deleteToken,
  generate,
  keepAlive,
  release,
  reopen,
} from '../../libs/tokens/src/commands/command.js';
import { newPolicy } from '../../libs/tokens/src/pool/pool-policy.js';
import { refusalOf } from '../../libs/tokens/src/testing/given.js';
import { InMemoryTokenPoolRepository } from '../../libs/tokens/src/testing/in-memory-token-pool-repository.js';
import { installClock } from '../support/clock.js';
import { createTestDatabase } from '../support/database.js';
import { allTokens, wholeFeed } from '../support/service.js';
import { openService } from '../../tools/harness/service.js';

interface Candidate {
  /** Repositories of as many processes on one store. */
  readonly repositories: readonly TokenPoolRepository[];
  advance(seconds: number): Promise<void>;
  feed(poolName: string): Promise<EventView[]>;
  tokens(poolName: string): Promise<TokenView[]>;
  close(): Promise<void>;
}

const USER = 'c0ffee00-0000-4000-8000-000000000001';
const OTHER = 'c0ffee00-0000-4000-8000-000000000002';

describe.each<[string, () => Promise<Candidate>]>([
  ['in memory', inMemory],
  ['PostgreSQL, one process', () => onPostgres(1)],
  ['PostgreSQL, two processes', () => onPostgres(2)],
  ['PostgreSQL, two processes as behind a pooler', () => onPostgres(2, 'transaction')],
])('the repository %s', (_name, start) => {
  let candidate: Candidate;
  let first: TokenPoolRepository;
  let executors: Executor[];
  let pools = 0;

  beforeAll(async () => {
    candidate = await start();
    first = candidate.repositories[0] as TokenPoolRepository;
    executors = candidate.repositories.map((repository) => new Executor(repository));
  });
  afterAll(() => candidate.close());

  const newPool = async (kind: PoolKind, given: PolicyChange = {}): Promise<string> => {
    const name = `pool-${++pools}`;
    await first.create(newPolicy(name, kind, given), (pool) => pool.fill(10_000));
    return name;
  };
  /** Callers are spread over the processes. */
  const executor = (caller = 0): Executor => executors[caller % executors.length] as Executor;
  const grant = (poolName: string, ttlSeconds?: number, caller = 0) =>
    executor(caller).submit(poolName, allocate({ userId: USER, ttlSeconds }));
  const atOnce = <T>(callers: number, work: (caller: number) => Promise<T>) =>
    Promise.allSettled(Array.from({ length: callers }, (_, caller) => work(caller)));

  const codes = (results: PromiseSettledResult<unknown>[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const result of results) {
      const code = result.status === 'fulfilled' ? 'ok' : (result.reason as DomainError).code;
      counts[code] = (counts[code] ?? 0) + 1;
    }
    return counts;
  };

  const expectSound = async (poolName: string): Promise<EventView[]> => {
    const feed = await candidate.feed(poolName);
    const events = feed.map(asStored);
    const size = await first.change(poolName, loadSpec({}), (pool) => pool.policy.size);
    const auditor = new Auditor(size);
    events.forEach((event) => auditor.add(event));
    expect(auditor.finish()).toEqual([]);
    const tokens = await candidate.tokens(poolName);
    expect(auditor.compare(tokens, events.at(-1)?.recorded_at ?? 0)).toEqual([]);
    const state = await first.change(poolName, loadSpec({}), (pool) => pool.state);
    expect(state).toMatchObject({
      lastSeq: feed.length,
      lastFence: feed.filter(({ event }) => event === 'activated').length,
      tokenCount: tokens.length,
      leaseCount: auditor.openLeases,
    });
    return feed;
  };

  const failure = async (work: Promise<unknown>): Promise<DomainError> => {
    const error: unknown = await work.then(
      () => new Error('it did not fail'),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(DomainError);
    return error as DomainError;
  };

  test('keeps whose lease it is, and who did what by which request', async () => {
    const pool = await newPool('fixed', { size: 1 });
    const ann = { keyId: 'ann', requestId: 'NULL', pools: null, mayOperate: false };
    const ben = { ...ann, keyId: 'ben', requestId: null };
    const { tokenId } = await executor().submit(pool, allocate({ userId: USER }, ann));
    const foreign = await executor(1)
      .submit(pool, release(tokenId, {}, ben))
      .catch((error: DomainError) => error.code);
    expect(foreign).toBe('token_not_active');
    await executor(1).submit(pool, release(tokenId, {}, ann));
    await grant(pool);
    expect((await expectSound(pool)).map(({ actor, request_id }) => [actor, request_id])).toEqual([
      ['system', null],
      ['ann', 'NULL'],
      ['ann', 'NULL'],
      ['open', null],
    ]);
  });

  test('keeps whose lease it is also of a token that was made in the same transaction', async () => {
    const pool = await newPool('elastic');
    const ann = { keyId: 'ann', requestId: null, pools: null, mayOperate: false };
    const { tokenId } = await first.change(pool, loadSpec({ free: 1 }), (made) => {
      made.generate();
      made.caller = ann;
      return made.allocate({ userId: USER });
    });
    await executor().submit(pool, release(tokenId, {}, ann));
    expect((await expectSound(pool)).map(({ event }) => event)).toEqual(['generated', 'activated', 'released']);
  });

  test('makes a pool once, with its tokens and an event for each', async () => {
    const name = await newPool('fixed', { size: 7 });
    expect(await candidate.tokens(name)).toHaveLength(7);
    expect((await expectSound(name)).map(({ event }) => event)).toEqual(Array(7).fill('generated'));
    const again = first.create(newPolicy(name, 'fixed'), (pool) => pool.fill(1));
    expect((await failure(again)).code).toBe('pool_exists');
    expect(await candidate.tokens(name)).toHaveLength(7);
  });

  test('makes one pool when twenty callers make it at once', async () => {
    const policy = newPolicy(`pool-${++pools}`, 'fixed', { size: 5 });
    const results = await atOnce(20, (caller) =>
      candidate.repositories[caller % executors.length]!.create(policy, (pool) => pool.fill(10)),
    );
    expect(codes(results)).toEqual({ ok: 1, pool_exists: 19 });
    expect(await candidate.tokens(policy.name)).toHaveLength(5);
  });

  test('says that a pool does not exist', async () => {
    expect((await failure(first.change('nowhere', loadSpec({}), () => 0))).code).toBe('pool_not_found');
    expect(await first.changeIfIdle('nowhere', loadSpec({}), () => 0)).toBeUndefined();
  });

  test('takes everything back when the decision throws', async () => {
    const name = await newPool('fixed', { size: 2 });
    const before = [await candidate.feed(name), await candidate.tokens(name)];
    const slice = loadSpec({ free: 2, grants: 2 });
    const refused = first.change(name, slice, (pool) => {
      pool.allocate({ userId: USER });
      pool.changePolicy({ size: 9 });
      throw new DomainError('invalid_request', 'changed my mind');
    });
    expect((await failure(refused)).message).toBe('changed my mind');
    expect([await candidate.feed(name), await candidate.tokens(name)]).toEqual(before);
    expect(await first.change(name, loadSpec({}), (pool) => pool.policy.size)).toBe(2);
  });

  test('shrinks at the ends of leases, says when to try again, and evicts nothing until it has its size', async () => {
    const name = await newPool('fixed', { size: 4, ttlSeconds: 60 });
    const grants = [];
    for (let i = 0; i < 3; i++) grants.push(await grant(name, undefined, i));
    await executor().submit(name, changePolicy({ size: 2 }, null));
    const refusal = await failure(grant(name, undefined, 1));
    expect(refusal.code).toBe('pool_exhausted');
    expect(refusal.facts.retryAfterSeconds).toBeGreaterThan(0);
    await executor(1).submit(name, release(grants[2]!.tokenId, {}));
    expect((await grant(name, undefined, 2)).evicted?.fence).toBe(1);
    const feed = await expectSound(name);
    const gone = feed.filter(({ reason }) => reason === 'shrunk').map(({ token_id }) => token_id);
    expect(gone).toHaveLength(2);
    expect(gone).toContain(grants[2]!.tokenId);
  });

  test('is deleted in chunks while others ask for it, by one of many, and opened again by one of many', async () => {
    const name = await newPool('fixed', { size: 6_000 });
    for (let i = 0; i < 3; i++) await grant(name, undefined, i);
    const work = await Promise.allSettled([
      ...[0, 1].map((caller) => executor(caller).submit(name, deletePool(true, null))),
      ...[0, 1].map((caller) => grant(name, undefined, caller)),
    ]);
    expect(codes(work.slice(0, 2))).toEqual({ ok: 1, pool_deleted: 1 });
    expect((await failure(grant(name))).code).toBe('pool_deleted');
    expect((await candidate.feed(name)).at(-1)).toMatchObject({ event: 'pool_deleted', token_id: null });
    const { lastFence } = await first.change(name, loadSpec({}), (pool) => pool.state);
    const policy = newPolicy(name, 'elastic', { size: 2 });
    const opened = await atOnce(3, (caller) => executor(caller).submit(name, reopen(policy, null)));
    expect(codes(opened)).toEqual({ ok: 1, pool_exists: 2 });
    await executor().submit(name, generate());
    expect((await grant(name, undefined, 1)).fence).toBe(lastFence + 1);
    await expectSound(name);
  });

  test('the sweep goes on with a deletion that was interrupted', async () => {
    const name = await newPool('fixed', { size: 120 });
    for (let i = 0; i < 3; i++) await grant(name, undefined, i);
    await first.change(name, loadSpec({}), (pool) => pool.beginDeletion(true));
    expect((await failure(grant(name))).code).toBe('pool_deleted');
    expect(await first.poolsToSweep()).toContain(name);
    expect((await sweep(first, executor())).failures).toEqual([]);
    expect((await candidate.feed(name)).at(-1)).toMatchObject({ event: 'pool_deleted', actor: 'system' });
    expect(await first.poolsToSweep()).not.toContain(name);
  });

  test('the sweep goes on with a shrinking that was interrupted', async () => {
    const name = await newPool('fixed', { size: 80 });
    await first.change(name, loadSpec({}), (pool) => pool.changePolicy({ size: 3 }));
    expect(await first.poolsToSweep()).toContain(name);
    expect((await sweep(first, executor())).failures).toEqual([]);
    expect(await candidate.tokens(name)).toHaveLength(3);
    expect(await first.poolsToSweep()).not.toContain(name);
    await expectSound(name);
  });

  test('hands out each free token once, then evicts in the order of granting', async () => {
    const name = await newPool('fixed', { size: 3 });
    const grants = [];
    for (let i = 0; i < 7; i++) grants.push(await grant(name, undefined, i));
    expect(new Set(grants.slice(0, 3).map(({ tokenId }) => tokenId)).size).toBe(3);
    expect(grants.map(({ fence }) => fence)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(grants.map(({ evicted }) => evicted?.fence ?? null)).toEqual([null, null, null, 1, 2, 3, 4]);
    await expectSound(name);
  });

  test('gives 40 callers at once on a full pool of 100 the 40 tokens of the oldest leases', async () => {
    const name = await newPool('fixed', { size: 100 });
    const before = await atOnce(100, (caller) => grant(name, undefined, caller));
    expect(codes(before)).toEqual({ ok: 100 });
    const oldest = (await candidate.feed(name)).filter(({ fence }) => fence !== null && fence <= 40);
    const grants = await Promise.all(Array.from({ length: 40 }, (_, caller) => grant(name, undefined, caller)));
    expect(new Set(grants.map(({ tokenId }) => tokenId))).toEqual(new Set(oldest.map((event) => event.token_id)));
    expect(grants.map(({ evicted }) => evicted!.fence).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
    const active = (await candidate.tokens(name)).filter(({ status }) => status === 'active');
    expect(active.map(({ fence }) => fence!).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 41),
    );
    await expectSound(name);
  });

  test('never finds a pool of 3 tokens empty under 24 callers with leases of 0.3 s', async () => {
    const name = await newPool('fixed', { size: 3, ttlSeconds: 0.3 });
    for (let round = 0; round < 4; round++) {
      expect(codes(await atOnce(24, (caller) => grant(name, undefined, caller)))).toEqual({ ok: 24 });
      await candidate.advance(round % 2 === 0 ? 0.3 : 0.1);
    }
    await candidate.advance(1);
    await first.changeIfIdle(name, loadSpec({ due: 100 }), (pool) => pool.settle());
    const feed = await expectSound(name);
    expect(feed.filter(({ event }) => event === 'activated')).toHaveLength(96);
    expect(feed.filter(({ event }) => event === 'expired' || event === 'released')).toHaveLength(96);
  });

  test('makes exactly 10 tokens of 200 that are asked for at once', async () => {
    const name = await newPool('elastic', { size: 10 });
    const results = await atOnce(200, (caller) => executor(caller).submit(name, generate()));
    expect(codes(results)).toEqual({ ok: 10, pool_limit_reached: 190 });
    expect(await candidate.tokens(name)).toHaveLength(10);
    await expectSound(name);
  });

  test('lets one of 30 callers release a lease, and tells the others that it is over', async () => {
    const name = await newPool('fixed', { size: 1 });
    const { tokenId, leaseId } = await grant(name);
    const results = await atOnce(30, (caller) => executor(caller).submit(name, release(tokenId, { leaseId })));
    expect(codes(results)).toEqual({ ok: 1, stale_lease: 29 });
    await expectSound(name);
  });

  test('serves a mix of everything at once, and the audit tells one consistent story', async () => {
    const name = await newPool('elastic', { size: 8, onExhausted: 'evict_oldest', ttlSeconds: 5, idleTtlSeconds: 20 });
    await atOnce(8, (caller) => executor(caller).submit(name, generate()));
    for (let round = 0; round < 6; round++) {
      const held = (await atOnce(12, (caller) => grant(name, 1 + (caller % 5), caller))).flatMap((result) =>
        result.status === 'fulfilled' ? [result.value] : [],
      );
      await candidate.advance(round);
      await atOnce(held.length * 4, (caller) => {
        const { tokenId, leaseId } = held[caller % held.length]!;
        const command = [
          release(tokenId, { leaseId }),
          keepAlive(tokenId, { leaseId }, 3),
          deleteToken(tokenId, caller % 8 === 2),
          caller % 2 ? generate() : allocate({ userId: OTHER }),
        ][caller % 4]!;
        return executor(caller).submit<unknown>(name, command);
      });
    }
    const feed = await expectSound(name);
    const kinds = new Set(feed.map(({ event }) => event));
    expect(kinds).toEqual(new Set(['generated', 'activated', 'renewed', 'released', 'expired', 'deleted']));
  });

  test('gives the last place of a quota to one of 40 callers at once, for a user and for a key', async () => {
    const name = await newPool('fixed', { size: 100, maxPerUser: 3, maxPerKey: 5, ttlSeconds: 60 });
    const ask = (caller: number, userId: string, keyId: string | null) =>
      executor(caller).submit(name, allocate({ userId }, { ...ANYBODY, keyId }));
    expect(codes(await atOnce(40, (caller) => ask(caller, USER, null)))).toEqual({ ok: 3, quota_exceeded: 37 });
    const ofKey = await atOnce(40, (caller) => ask(caller, randomUUID(), 'key'));
    expect(codes(ofKey)).toEqual({ ok: 5, quota_exceeded: 35 });
    const { tokenId } = await ask(0, OTHER, null);
    await executor(1).submit(name, release(tokenId, {}));
    expect(codes(await atOnce(40, (caller) => ask(caller, OTHER, null)))).toEqual({ ok: 3, quota_exceeded: 37 });
    const { facts } = await failure(ask(1, USER, null));
    expect(facts.retryAfterSeconds).toBeGreaterThan(50);
    await candidate.advance(60);
    expect(codes(await atOnce(40, (caller) => ask(caller, USER, 'key')))).toEqual({ ok: 3, quota_exceeded: 37 });
    await expectSound(name);
  });

  test('counts from the moment on at which the policy says so, in every process, and no longer', async () => {
    const name = await newPool('fixed', { size: 20 });
    const askEverywhere = async () => {
      const results = [];
      for (let caller = 0; caller < 4; caller++)
        results.push(...(await atOnce(1, () => grant(name, undefined, caller))));
      return codes(results);
    };
    const change = (maxPerUser: number | null) =>
      first.change(name, loadSpec({}), (pool) => pool.changePolicy({ maxPerUser }));
    expect(await askEverywhere()).toEqual({ ok: 4 });
    await change(6);
    expect(await askEverywhere()).toEqual({ ok: 2, quota_exceeded: 2 });
    await change(null);
    expect(await askEverywhere()).toEqual({ ok: 4 });
    await expectSound(name);
  });

  test('evicts the oldest lease of the user who holds the most, in batches of every kind', async () => {
    const policy = { size: 30, onExhausted: 'evict_oldest', evict: 'over_share_first', idleTtlSeconds: null } as const;
    const name = await newPool('elastic', { ...policy, ttlSeconds: 50 });
    await atOnce(30, (caller) => executor(caller).submit(name, generate()));
    // A walk at random, the same each time: users one to nine, of whom the first ask the most.
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 0x7fff_ffff) % below;
    const someone = (): string => `c0ffee00-0000-4000-8000-00000000010${random(1 + random(9))}`;
    for (let round = 0; round < 25; round++) {
      const held = (await candidate.tokens(name)).filter(({ status }) => status === 'active');
      await atOnce(5 + random(20), (caller) => {
        const lease = held[random(held.length)];
        if (!lease || random(4) > 0) return executor(caller).submit<unknown>(name, allocate({ userId: someone() }));
        const ending = random(3) > 0 ? release(lease.id, {}) : deleteToken(lease.id, true);
        return executor(caller).submit<unknown>(name, ending);
      });
      await atOnce(random(3), (caller) => executor(caller).submit(name, generate()));
      await candidate.advance(random(4));
    }
    // The auditor checks of each that nobody held more, and no older lease of as many.
    const feed = await expectSound(name);
    expect(feed.filter(({ reason }) => reason === 'over_share_eviction').length).toBeGreaterThan(20);
    expect(feed.filter(({ reason }) => reason === 'lru_eviction')).toEqual([]);
  });

  test('tells when the next lease ends, as the commands before it in the transaction have left them', async () => {
    const policy = { size: 3, ttlSeconds: 900, renewable: true, onExhausted: 'reject' } as const;
    const name = await newPool('fixed', policy);
    const lease = (ttlSeconds: number) => executor(0).submit(name, allocate({ userId: USER, ttlSeconds }));
    const one = await lease(10);
    const two = await lease(100);
    await lease(300);
    const loads = loadSpec({ tokenIds: [one.tokenId, two.tokenId], free: 1, grants: 1 });
    const seconds = await first.change(name, loads, (pool) => {
      const after = () => refusalOf(() => pool.allocate({ userId: OTHER })).facts.retryAfterSeconds;
      const before = after();
      pool.keepAlive(one.tokenId, { leaseId: one.leaseId }, 800);
      const renewed = after();
      pool.release(two.tokenId, {});
      pool.allocate({ userId: OTHER });
      return [before, renewed, after()];
    });
    for (const [place, most] of [10, 100, 300].entries()) {
      expect(seconds[place]).toBeLessThanOrEqual(most);
      expect(seconds[place]).toBeGreaterThan(most - 8);
    }
  });

  test('protects a lease for as long as the policy says, and tells when that is over', async () => {
    for (const evict of ['oldest', 'over_share_first'] as const) {
      const name = await newPool('fixed', { size: 2, ttlSeconds: 900, protectSeconds: 10, evict });
      await grant(name);
      await candidate.advance(4);
      await grant(name);
      const refusal = await failure(grant(name));
      expect(refusal.code).toBe('pool_exhausted');
      expect(refusal.facts.retryAfterSeconds).toBeLessThanOrEqual(6);
      await candidate.advance(6);
      expect((await grant(name)).evicted?.fence).toBe(1);
      expect((await failure(grant(name))).code).toBe('pool_exhausted');
      await expectSound(name);
    }
  });

  test('judges leases by the store’s clock: overdue at the deadline, with the deadline in the audit', async () => {
    const name = await newPool('fixed', { size: 1, ttlSeconds: 10, renewable: true });
    const { tokenId, leaseId, expiresAt } = await grant(name);
    await candidate.advance(9);
    const { expiresAt: renewedTo } = await executor().submit(name, keepAlive(tokenId, { leaseId }));
    expect(renewedTo).toBeGreaterThanOrEqual(expiresAt + 9_000_000);
    await candidate.advance(10);
    expect((await failure(executor().submit(name, keepAlive(tokenId, { leaseId })))).code).toBe('stale_lease');
    expect((await failure(executor().submit(name, release(tokenId, {})))).code).toBe('token_not_active');
    const feed = await expectSound(name);
    expect(feed.at(-1)).toMatchObject({ event: 'expired', occurred_at: toIso(renewedTo), reason: 'ttl_expired' });
  });

  test('does not let time go back when the clock does', async () => {
    const name = await newPool('fixed', { size: 2 });
    const { activatedAt } = await grant(name);
    await candidate.advance(-3600);
    const second = await grant(name);
    expect(second.activatedAt).toBeGreaterThanOrEqual(activatedAt);
    await candidate.advance(3600);
    await expectSound(name);
  });

  test('keeps a counter of its own for each pool', async () => {
    const [one, two] = [await newPool('fixed', { size: 2 }), await newPool('fixed', { size: 2 })];
    await atOnce(20, (caller) => grant(caller % 2 ? one : two, undefined, caller));
    for (const name of [one, two]) {
      expect((await expectSound(name)).filter(({ event }) => event === 'activated')).toHaveLength(10);
    }
  });

  test('names the pools that a sweep has work in, and none when it is done', async () => {
    const due = await newPool('fixed', { size: 2, ttlSeconds: 1 });
    const idle = await newPool('elastic', { idleTtlSeconds: 5 });
    const lacking = `pool-${++pools}`;
    await first.create(newPolicy(lacking, 'fixed', { size: 5 }), (pool) => pool.fill(2));
    const quiet = await newPool('fixed', { size: 2 });
    await grant(due);
    await executor().submit(idle, generate());
    await candidate.advance(6);
    const mine = (names: string[]): string[] => names.filter((name) => [due, idle, lacking, quiet].includes(name));
    expect(mine(await first.poolsToSweep())).toEqual([due, idle, lacking].sort());
    for (const name of [due, idle, lacking]) {
      await first.changeIfIdle(name, loadSpec({ due: 10, free: 10 }), (pool) => {
        pool.deleteIdle();
        pool.fill(10);
      });
      await expectSound(name);
    }
    expect(mine(await first.poolsToSweep())).toEqual([]);
  });

  test('does not wait for a pool that somebody else is changing, when asked not to', async () => {
    const name = await newPool('fixed', { size: 1 });
    const attempts: Promise<unknown>[] = [];
    // While the lock is held, the others find it taken; whether any of them gets in before or after is open.
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        attempts.push(grant(name).catch(() => undefined));
        await first.changeIfIdle(name, loadSpec({ due: 1 }), (pool) => pool.settle());
      }),
    );
    await Promise.all(attempts);
    await expectSound(name);
  });
});

async function inMemory(): Promise<Candidate> {
  let shift = 0;
  const repository = new InMemoryTokenPoolRepository(
    () => Math.round((performance.timeOrigin + performance.now()) * 1000) + shift,
  );
  const close = (): Promise<void> => Promise.resolve();
  return {
    repositories: [repository],
    advance: async (seconds) => void (shift += seconds * 1_000_000),
    feed: async (poolName) =>
      repository.look(poolName).events.map((event) => ({
        id: String(event.seq),
        pool: poolName,
        seq: event.seq,
        token_id: event.tokenId,
        event: event.event,
        user_id: event.lease?.userId ?? null,
        holder: event.lease?.holder ?? null,
        fence: event.lease?.fence ?? null,
        reason: event.reason,
        occurred_at: toIso(event.occurredAt),
        recorded_at: toIso(event.recordedAt),
        expires_at: ['activated', 'renewed'].includes(event.event) && event.lease ? toIso(event.lease.expiresAt) : null,
        actor: event.actor,
        request_id: event.requestId,
        metadata: event.metadata ?? {},
        lease_metadata: null,
      })),
    tokens: async (poolName) => {
      const { tokens, events } = repository.look(poolName);
      const asOf = events.at(-1)?.recordedAt ?? 0;
      return [...tokens.values()].map(({ id, lease, lastActivatedAt }) => {
        const open = lease && lease.expiresAt > asOf ? lease : null;
        return {
          id,
          pool: poolName,
          name: null,
          attributes: null,
          status: open ? 'active' : 'available',
          active_user_id: open?.userId ?? null,
          holder: open?.holder ?? null,
          last_activated_at: lastActivatedAt === null ? null : toIso(lastActivatedAt),
          expires_at: open && toIso(open.expiresAt),
          fence: open?.fence ?? null,
          lease_metadata: null,
          draining: null,
          available_at: null,
          disabled_reason: null,
          disabled_at: null,
          disabled_by: null,
        };
      });
    },
    close,
  };
}

async function onPostgres(processes: number, pooler: Pooler = 'none'): Promise<Candidate> {
  const database = await createTestDatabase();
  const clock = await installClock(database.url);
  const services = await Promise.all(
    Array.from({ length: processes }, () => openService(database.url, undefined, { pooler })),
  );
  const { readers } = services[0]!;
  return {
    repositories: services.map(({ repository }) => repository),
    advance: (seconds) => clock.advance(seconds),
    feed: (poolName) => wholeFeed(readers.feed, poolName),
    tokens: (poolName) => allTokens(readers.tokens, poolName),
    close: async () => {
      await Promise.all(services.map((service) => service.close()));
      await database.drop();
    },
  };
}

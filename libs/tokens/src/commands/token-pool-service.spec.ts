import { Executor } from './executor.js';
import { toIso } from '../kernel/instant.js';
import { newLeaseId } from '../pool/lease-id.js';
import { loadSpec } from './load-spec.js';
import { NOW, SECOND, refusalFrom, tokenId, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import { InMemoryPoolReader } from '../testing/in-memory-pool-reader.js';
import { InMemoryTokenReader } from '../testing/in-memory-token-reader.js';
import { TokenPoolService } from './token-pool-service.js';

/** As many as go into one transaction, and some. */
const MORE_THAN_A_CHUNK = 5_500;

let now = NOW;
let repository: InMemoryTokenPoolRepository;
let reader: InMemoryTokenReader;
let service: TokenPoolService;

beforeEach(() => {
  now = NOW;
  repository = new InMemoryTokenPoolRepository(() => now);
  reader = new InMemoryTokenReader(repository);
  service = new TokenPoolService(new Executor(repository), reader, new InMemoryPoolReader(repository));
});

const wait = (seconds: number): void => {
  now += seconds * SECOND;
};
const ask = (n = 1) => ({ userId: user(n) });
const eventsOf = (poolName: string): string[] =>
  repository.look(poolName).events.map(({ event, reason }) => (reason ? `${event}: ${reason}` : event));
const openLeases = (poolName: string) =>
  [...repository.look(poolName).tokens.values()].flatMap(({ lease }) => lease ?? []);

describe('making a pool', () => {
  test('fills a fixed one', async () => {
    await service.createPool('default', 'fixed', { size: 7 });
    expect(repository.look('default').tokens.size).toBe(7);
    expect(eventsOf('default')).toEqual(Array(7).fill('generated'));
  });

  test('fills one that is larger than a transaction should be, in several', async () => {
    await service.createPool('default', 'fixed', { size: MORE_THAN_A_CHUNK });
    expect(repository.look('default').state.tokenCount).toBe(MORE_THAN_A_CHUNK);
  });

  test('leaves an elastic one empty', async () => {
    await service.createPool('elastic', 'elastic', {});
    expect(repository.look('elastic')).toMatchObject({ events: [], state: { policy: { size: 10, ttlSeconds: 60 } } });
  });

  test('is refused when there is one of that name, which stays as it is', async () => {
    await service.createPool('default', 'fixed', { size: 2 });
    expect((await refusalFrom(service.createPool('default', 'fixed', { size: 9 }))).code).toBe('pool_exists');
    expect(repository.look('default').state).toMatchObject({ tokenCount: 2, policy: { size: 2 } });
  });

  test('is refused when a rule is broken, and makes nothing', async () => {
    const refusal = await refusalFrom(service.createPool('default', 'fixed', { ttlSeconds: 0 }));
    expect(refusal.code).toBe('invalid_request');
    expect(repository.look('default')).toBeUndefined();
  });
});

describe('changing a pool', () => {
  test('makes the tokens that a larger fixed one lacks', async () => {
    await service.createPool('default', 'fixed', { size: 2 });
    await service.changePool('default', { size: 5 });
    const generated = (n: number): string[] => Array<string>(n).fill('generated');
    expect(eventsOf('default')).toEqual([...generated(2), 'policy_changed', ...generated(3)]);
    expect(repository.look('default').state).toMatchObject({ tokenCount: 5, policy: { size: 5 } });
  });

  test('makes none in an elastic one', async () => {
    await service.createPool('elastic', 'elastic', {});
    await service.changePool('elastic', { size: 20 });
    expect(repository.look('elastic').state).toMatchObject({ tokenCount: 0, policy: { size: 20 } });
  });

  test('is in force for the next lease and leaves running ones alone', async () => {
    await service.createPool('default', 'fixed', { size: 2 });
    const before = await service.allocate('default', ask());
    await service.changePool('default', { ttlSeconds: 1 });
    const after = await service.allocate('default', ask());
    const deadlines = openLeases('default').map(({ expiresAt }) => expiresAt - NOW);
    expect(deadlines.sort((a, b) => a - b)).toEqual([1 * SECOND, 120 * SECOND]);
    expect([before, after].map(({ expiresAt }) => expiresAt - NOW)).toEqual([120 * SECOND, 1 * SECOND]);
  });

  test('deletes free tokens beyond a smaller size in chunks, between which others get their turn', async () => {
    await service.createPool('default', 'fixed', { size: 12_000 });
    await service.allocate('default', ask());
    const before = repository.look('default').events.length;
    const shrinking = service.changePool('default', { size: 2 });
    const meanwhile = await service.allocate('default', ask());
    expect(repository.look('default').state.tokenCount).toBeGreaterThan(2);
    await shrinking;
    const { state, events, tokens } = repository.look('default');
    expect(state).toMatchObject({ tokenCount: 2, leaseCount: 2, policy: { size: 2 } });
    expect(tokens.has(meanwhile.tokenId)).toBe(true);
    expect(events.slice(before).filter(({ reason }) => reason === 'shrunk')).toHaveLength(11_998);
  });

  test('is refused for no size at all, and for a pool that does not exist', async () => {
    await service.createPool('default', 'fixed', { size: 2 });
    expect((await refusalFrom(service.changePool('default', { size: 0 }))).code).toBe('invalid_request');
    expect(repository.look('default').state.policy.size).toBe(2);
    expect((await refusalFrom(service.changePool('nowhere', { size: 1 }))).code).toBe('pool_not_found');
  });
});

describe('filling a pool', () => {
  test('goes on where it was interrupted, once', async () => {
    await service.createPool('default', 'fixed', { size: 3 });
    await repository.change('default', loadSpec({}), (pool) => pool.changePolicy({ size: 6 }));
    await Promise.all([service.fill('default'), service.fill('default')]);
    await service.fill('default');
    expect(eventsOf('default').filter((event) => event === 'generated')).toHaveLength(6);
  });
});

describe('allocating', () => {
  test('is refused in a pool that does not exist', async () => {
    expect((await refusalFrom(service.allocate('nowhere', ask()))).code).toBe('pool_not_found');
  });
});

describe('a lease that is named and over', () => {
  beforeEach(() => service.createPool('default', 'fixed', { size: 1, renewable: true, ttlSeconds: 60 }));

  const explained = (end_reason: string, ended_at: number) => ({
    code: 'lease_ended',
    facts: { fields: { end_reason, ended_at: toIso(ended_at) } },
  });

  test('by release: it is told how and when it ended', async () => {
    const { tokenId, leaseId } = await service.allocate('default', ask());
    wait(5);
    await service.release(tokenId, { leaseId });
    wait(5);
    const end = explained('released_by_client', NOW + 5 * SECOND);
    expect(await refusalFrom(service.release(tokenId, { leaseId }))).toMatchObject(end);
    expect(await refusalFrom(service.keepAlive(tokenId, { leaseId }))).toMatchObject(end);
  });

  test('by its deadline: told the same before and after anybody has seen it', async () => {
    const { tokenId, leaseId } = await service.allocate('default', ask());
    wait(60);
    const end = explained('ttl_expired', NOW + 60 * SECOND);
    expect(await refusalFrom(service.keepAlive(tokenId, { leaseId }))).toMatchObject(end);
    wait(60);
    expect(await refusalFrom(service.release(tokenId, { leaseId }))).toMatchObject(end);
    expect(eventsOf('default')).toEqual(['generated', 'activated: allocated', 'expired: ttl_expired']);
  });

  test('by eviction: told while somebody else holds the token, whose lease is not touched', async () => {
    const { tokenId, leaseId } = await service.allocate('default', ask(1));
    wait(1);
    const next = await service.allocate('default', ask(2));
    expect(next.tokenId).toBe(tokenId);
    const end = explained('lru_eviction', NOW + SECOND);
    expect(await refusalFrom(service.release(tokenId, { leaseId }))).toMatchObject(end);
    expect(openLeases('default')).toMatchObject([{ leaseId: next.leaseId }]);
  });

  test('is stale when its lease id is not given', async () => {
    const { tokenId, userId, fence } = await service.allocate('default', ask());
    await service.release(tokenId, {});
    expect((await refusalFrom(service.release(tokenId, { userId, fence }))).code).toBe('stale_lease');
    expect((await refusalFrom(service.keepAlive(tokenId, { userId }))).code).toBe('stale_lease');
    expect((await refusalFrom(service.release(tokenId, {}))).code).toBe('token_not_active');
  });
});

describe('a lease id that names no lease of the token that is over', () => {
  test('is stale: one that never was, one that is open, one of another token', async () => {
    await service.createPool('default', 'fixed', { size: 2 });
    const [mine, other] = [await service.allocate('default', ask(1)), await service.allocate('default', ask(2))];
    await service.release(other.tokenId, {});
    const claims = [
      { leaseId: newLeaseId(mine.fence) },
      { leaseId: mine.leaseId, userId: user(9) },
      { leaseId: other.leaseId },
    ];
    for (const claim of claims) {
      expect((await refusalFrom(service.release(mine.tokenId, claim))).code).toBe('stale_lease');
    }
    expect(openLeases('default')).toMatchObject([{ leaseId: mine.leaseId }]);
  });
});

describe('a token', () => {
  beforeEach(async () => {
    await service.createPool('default', 'fixed', { size: 1 });
    await service.createPool('elastic', 'elastic', {});
  });

  test('is found in whatever pool it is', async () => {
    const { id } = await service.generate('elastic');
    const { leaseId } = await service.allocate('elastic', { ...ask(), ttlSeconds: 1 });
    await service.keepAlive(id, { leaseId }, 5);
    expect(openLeases('elastic')).toMatchObject([{ expiresAt: NOW + 5 * SECOND }]);
    await service.release(id, { leaseId });
    expect(openLeases('elastic')).toEqual([]);
  });

  test('is looked for once: it never changes its pool', async () => {
    const { id } = await service.generate('elastic');
    for (let i = 0; i < 3; i++) {
      await service.allocate('elastic', ask());
      await service.release(id, {});
    }
    expect(reader.located).toBe(1);
  });

  test('within another pool is not found, and nothing happens to it', async () => {
    const { tokenId: id, leaseId } = await service.allocate('default', ask());
    // The first time it is looked for, and when it is remembered.
    for (let i = 0; i < 2; i++) {
      const refusals = await Promise.all([
        refusalFrom(service.release(id, { leaseId }, { within: 'elastic' })),
        refusalFrom(service.keepAlive(id, { leaseId }, 5, { within: 'elastic' })),
        refusalFrom(service.delete(id, true, { within: 'elastic' })),
      ]);
      expect(refusals.map(({ code }) => code)).toEqual(Array(3).fill('token_not_found'));
    }
    expect(openLeases('default')).toMatchObject([{ leaseId }]);
    await service.release(id, { leaseId }, { within: 'default' });
    expect(openLeases('default')).toEqual([]);
  });

  test('that never was is not found', async () => {
    const refusals = await Promise.all([
      refusalFrom(service.release(tokenId(1), {})),
      refusalFrom(service.keepAlive(tokenId(1), { userId: user(1) })),
      refusalFrom(service.delete(tokenId(1), true)),
    ]);
    expect(refusals.map(({ code }) => code)).toEqual(Array(3).fill('token_not_found'));
  });

  test('that was deleted is told so, whether or not its pool is remembered', async () => {
    const { id } = await service.generate('elastic');
    await service.delete(id, false);
    const fresh = new TokenPoolService(new Executor(repository), reader, new InMemoryPoolReader(repository));
    for (const one of [service, fresh]) {
      const refusals = await Promise.all([
        refusalFrom(one.release(id, { leaseId: newLeaseId(1) })),
        refusalFrom(one.keepAlive(id, { userId: user(1) })),
        refusalFrom(one.delete(id, true)),
      ]);
      expect(refusals.map(({ code }) => code)).toEqual(Array(3).fill('token_deleted'));
    }
  });

  test('is deleted by its id alone; while it is held, only by force', async () => {
    const { id } = await service.generate('elastic');
    await service.allocate('elastic', ask());
    expect((await refusalFrom(service.delete(id, false))).code).toBe('token_in_use');
    await service.delete(id, true);
    expect(repository.look('elastic').tokens.size).toBe(0);
    expect(eventsOf('elastic').slice(-2)).toEqual(['released: deleted_by_client', 'deleted: deleted_by_client']);
  });

  test('of a fixed pool is not deleted', async () => {
    const [id] = [...repository.look('default').tokens.keys()];
    expect((await refusalFrom(service.delete(id as string, true))).code).toBe('pool_is_fixed');
  });
});

describe('cleaning up', () => {
  test('ends what is active, writes down what is overdue, and counts only the former', async () => {
    await service.createPool('default', 'fixed', { size: 5 });
    await service.allocate('default', { ...ask(), ttlSeconds: 1 });
    await service.allocate('default', ask());
    await service.allocate('default', ask());
    wait(1);
    expect(await service.cleanup('default')).toBe(2);
    expect(eventsOf('default').slice(-3)).toEqual(['expired: ttl_expired', 'released: cleanup', 'released: cleanup']);
    expect(await service.cleanup('default')).toBe(0);
  });

  test('leaves other pools alone, and is refused where there is none', async () => {
    await service.createPool('default', 'fixed', { size: 1 });
    await service.createPool('other', 'fixed', { size: 1 });
    await service.allocate('other', ask());
    expect(await service.cleanup('default')).toBe(0);
    expect(openLeases('other')).toHaveLength(1);
    expect((await refusalFrom(service.cleanup('nowhere'))).code).toBe('pool_not_found');
  });

  describe('more leases than go into one transaction', () => {
    beforeEach(async () => {
      await service.createPool('default', 'fixed', { size: MORE_THAN_A_CHUNK + 10 });
      await repository.change('default', loadSpec({ free: MORE_THAN_A_CHUNK }), (pool) => {
        for (let i = 0; i < MORE_THAN_A_CHUNK; i++) pool.allocate(ask());
      });
    });

    test('ends them all, in chunks', async () => {
      expect(await service.cleanup('default')).toBe(MORE_THAN_A_CHUNK);
      expect(openLeases('default')).toEqual([]);
    });

    test('lets others have their turn, and spares what is granted after it began', async () => {
      const cleanup = service.cleanup('default');
      const late = await service.allocate('default', ask(2));
      expect(await cleanup).toBe(MORE_THAN_A_CHUNK);
      expect(openLeases('default')).toMatchObject([{ leaseId: late.leaseId, userId: user(2) }]);
      const granted = repository.look('default').events.findIndex(({ lease }) => lease?.leaseId === late.leaseId);
      expect(eventsOf('default').slice(granted - 1, granted + 2)).toEqual([
        'released: cleanup',
        'activated: allocated',
        'released: cleanup',
      ]);
    });
  });
});

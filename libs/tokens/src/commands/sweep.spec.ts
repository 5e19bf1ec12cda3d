import { allocate } from './command.js';
import { Executor } from './executor.js';
import { loadSpec, type LoadSpec } from './load-spec.js';
import type { PoolKind } from '../pool/policy-fields.js';
import type { PolicyChange } from '../pool/pool-policy.js';
import { newPolicy } from '../pool/pool-policy.js';
import { sweep, type SweepResult } from './sweep.js';
import { NOW, SECOND, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import type { TokenPool } from '../pool/token-pool.js';

/** The repository in memory, which notes the sweep's transactions and fails for the pools that it is told. */
class WatchedRepository extends InMemoryTokenPoolRepository {
  /** Of each transaction: its pool and how many events it wrote. */
  readonly transactions: [string, number][] = [];
  readonly broken = new Map<string, Error>();

  override async changeIfIdle<T>(
    name: string,
    loads: LoadSpec,
    decide: (pool: TokenPool) => T,
  ): Promise<T | undefined> {
    const error = this.broken.get(name);
    if (error) throw error;
    return super.changeIfIdle(name, loads, (pool) => {
      const result = decide(pool);
      this.transactions.push([name, pool.events.length]);
      return result;
    });
  }
}

let now = NOW;
let repository: WatchedRepository;

beforeEach(() => {
  now = NOW;
  repository = new WatchedRepository(() => now);
});

const wait = (seconds: number): void => {
  now += seconds * SECOND;
};

/** By a process of its own. */
const swept = (isStopping?: () => boolean): Promise<SweepResult> =>
  sweep(repository, new Executor(repository), isStopping);

const make = (name: string, kind: PoolKind, given: PolicyChange): Promise<number> =>
  repository.create(newPolicy(name, kind, given), (pool) => pool.fill(10_000));

/** A fixed pool of which so many leases will be overdue in a second. */
const makeWithLeases = async (name: string, leases: number): Promise<void> => {
  await make(name, 'fixed', { size: leases + 1 });
  await repository.change(name, loadSpec({ free: leases }), (pool) => {
    for (let i = 0; i < leases; i++) pool.allocate({ userId: user(i), ttlSeconds: 1 });
  });
};

const eventsOf = (name: string, kind: string): number =>
  repository.look(name).events.filter(({ event }) => event === kind).length;

test('a sweep writes down every lease that is overdue, in bounded transactions', async () => {
  await makeWithLeases('a', 220);
  wait(1);
  expect(await swept()).toEqual({ events: 220, failures: [] });
  expect(repository.transactions).toEqual([
    ['a', 50],
    ['a', 50],
    ['a', 50],
    ['a', 50],
    ['a', 20],
  ]);
  expect(repository.look('a').state.leaseCount).toBe(0);
  expect(eventsOf('a', 'expired')).toBe(220);
});

test('a sweep deletes every idle token, in bounded transactions', async () => {
  await make('e', 'elastic', { size: 300, idleTtlSeconds: 10 });
  await repository.change('e', loadSpec({}), (pool) => {
    for (let i = 0; i < 120; i++) pool.generate();
  });
  wait(10);
  expect(await swept()).toEqual({ events: 120, failures: [] });
  expect(repository.transactions).toEqual([
    ['e', 50],
    ['e', 50],
    ['e', 20],
  ]);
  expect(repository.look('e').tokens.size).toBe(0);
});

test('a sweep deletes a token whose lease has been over for the idle time, both facts in one transaction', async () => {
  await make('e', 'elastic', { idleTtlSeconds: 10 });
  await repository.change('e', loadSpec({}), (pool) => {
    pool.generate();
    pool.allocate({ userId: user(1), ttlSeconds: 5 });
  });
  wait(15);
  expect(await swept()).toEqual({ events: 2, failures: [] });
  expect(repository.look('e').events.map(({ event }) => event)).toEqual([
    'generated',
    'activated',
    'expired',
    'deleted',
  ]);
});

test('a sweep goes on with the filling of a pool that was interrupted', async () => {
  await repository.create(newPolicy('a', 'fixed', { size: 450 }), (pool) => pool.fill(3));
  expect(await swept()).toEqual({ events: 447, failures: [] });
  expect(repository.look('a').tokens.size).toBe(450);
  expect(Math.max(...repository.transactions.map(([, events]) => events))).toBeLessThanOrEqual(50);
});

test('a sweep finds nothing to do twice, and opens no transaction for a pool without work', async () => {
  await makeWithLeases('a', 3);
  await make('b', 'fixed', { size: 3 });
  wait(1);
  await swept();
  expect(await swept()).toEqual({ events: 0, failures: [] });
  expect(repository.transactions).toEqual([['a', 3]]);
});

test('a sweep touches no lease before its deadline', async () => {
  await makeWithLeases('a', 3);
  wait(0.999_999);
  expect((await swept()).events).toBe(0);
});

test('a pool that cannot be swept is reported, and does not stop the others', async () => {
  for (const name of ['a', 'b', 'c']) await makeWithLeases(name, 2);
  wait(1);
  const error = new Error('deadlock');
  repository.broken.set('b', error);
  expect(await swept()).toEqual({ events: 4, failures: [{ poolName: 'b', error }] });
  repository.broken.clear();
  expect(await swept()).toEqual({ events: 2, failures: [] });
});

test('a sweep stops between two transactions when it is asked to', async () => {
  await makeWithLeases('a', 450);
  await makeWithLeases('b', 2);
  wait(1);
  const result = await swept(() => repository.transactions.length >= 2);
  expect(result).toEqual({ events: 100, failures: [] });
  expect(eventsOf('b', 'expired')).toBe(0);
});

test('a sweep that is to stop at once does nothing', async () => {
  await makeWithLeases('a', 2);
  wait(1);
  expect(await swept(() => true)).toEqual({ events: 0, failures: [] });
  expect(repository.transactions).toEqual([]);
});

test('a pool that another process has locked is left alone, and the others are swept', async () => {
  await makeWithLeases('a', 2);
  await makeWithLeases('b', 2);
  wait(1);
  const busy = repository.change('a', loadSpec({ free: 1 }), (pool) => pool.policy.name);
  expect(await swept()).toEqual({ events: 2, failures: [] });
  expect(repository.transactions).toEqual([['b', 2]]);
  expect(await busy).toBe('a');
});

test('a pool that has a transaction under way in this process is left alone, and the others are swept', async () => {
  await makeWithLeases('a', 2);
  await makeWithLeases('b', 2);
  wait(1);
  const executor = new Executor(repository);
  const busy = executor.submit('a', allocate({ userId: user(1) }));
  expect(await sweep(repository, executor)).toEqual({ events: 2, failures: [] });
  expect(repository.transactions).toEqual([['b', 2]]);
  expect(await busy).toMatchObject({ fence: 3 });
});

test('several sweeps at once write everything once', async () => {
  await makeWithLeases('a', 450);
  await makeWithLeases('b', 30);
  wait(1);
  const results = await Promise.all([swept(), swept(), swept()]);
  expect(results.reduce((sum, { events }) => sum + events, 0)).toBe(480);
  expect([eventsOf('a', 'expired'), eventsOf('b', 'expired')]).toEqual([450, 30]);
});

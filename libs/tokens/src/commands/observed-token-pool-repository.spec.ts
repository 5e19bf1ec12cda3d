// What an observer is told: what was committed, once, and nothing else.

import { InvariantViolation } from '../kernel/invariant-violation.js';
import { needs, type Needs } from './needs.js';
import { ObservedTokenPoolRepository } from './observed-token-pool-repository.js';
import type { Observer } from './observer.js';
import { NOW, fixed, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import type { TokenPool } from '../pool/token-pool.js';

const POLICY = fixed({ size: 1 });

class Unsteady extends InMemoryTokenPoolRepository {
  failure: Error | undefined;

  /** As after a COMMIT that got lost: decided twice, the first time for nothing. */
  override async change<T>(poolName: string, needed: Needs, decide: (pool: TokenPool) => T): Promise<T> {
    const lost = new Error('lost');
    const first = super.change(poolName, needed, (pool) => {
      decide(pool);
      throw this.failure ?? lost;
    });
    await first.catch((error: unknown) => {
      if (error !== lost) throw error;
    });
    return super.change(poolName, needed, decide);
  }
}

let store: Unsteady;
let observed: ObservedTokenPoolRepository;
let told: string[];

beforeEach(async () => {
  store = new Unsteady(() => NOW);
  told = [];
  const observer: Observer = {
    committed: ({ policy, events }, durationMs) => {
      expect(durationMs).toBeGreaterThan(0);
      told.push(`${policy.name}: ${events.map(({ seq, event }) => `${seq} ${event}`).join(', ')}`);
    },
    decided: () => told.push('decided'),
    failed: () => told.push('failed'),
    violated: (poolName) => told.push(`${poolName} violated`),
  };
  observed = new ObservedTokenPoolRepository(store, observer);
  expect(await observed.create(POLICY, (pool) => pool.fill(1))).toBe(0);
  expect(told.splice(0)).toEqual([`${POLICY.name}: 1 generated`]);
});

const allocateOne = (pool: TokenPool): number => pool.allocate({ userId: user(1) }).fence;
const ONE = needs({ free: 1, grants: 1 });

test('a transaction that was tried twice is told once, as it was committed', async () => {
  expect(await observed.change(POLICY.name, ONE, allocateOne)).toBe(1);
  expect(told).toEqual([`${POLICY.name}: 2 activated`]);
});

test('a transaction that was rolled back is not told', async () => {
  const refusal = new Error('no');
  const refused = observed.change(POLICY.name, ONE, (pool) => {
    allocateOne(pool);
    throw refusal;
  });
  await expect(refused).rejects.toBe(refusal);
  await expect(observed.create(POLICY, () => undefined)).rejects.toMatchObject({ code: 'pool_exists' });
  expect(told).toEqual([]);
});

test('one that the store refuses is told as a violation', async () => {
  store.failure = new InvariantViolation(new Error('tokens_status_and_lease_agree'));
  await expect(observed.change(POLICY.name, ONE, allocateOne)).rejects.toBe(store.failure);
  expect(told).toEqual([`${POLICY.name} violated`]);
});

test('of a pool that was let alone nothing is told; of one that was not, what happened', async () => {
  const holding = observed.change(POLICY.name, ONE, () => undefined);
  await new Promise(setImmediate);
  expect(await observed.changeIfIdle(POLICY.name, ONE, allocateOne)).toBeUndefined();
  await holding;
  expect(told.splice(0)).toEqual([`${POLICY.name}: `]);
  expect(await observed.changeIfIdle(POLICY.name, ONE, allocateOne)).toBe(1);
  expect(told).toEqual([`${POLICY.name}: 2 activated`]);
});

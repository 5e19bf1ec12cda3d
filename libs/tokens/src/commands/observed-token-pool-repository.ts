// A repository whose transactions somebody watches: all of them, whoever asked for them.

import { InvariantViolation } from '../kernel/invariant-violation.js';
import type { Needs } from './needs.js';
import type { Observer } from './observer.js';
import type { PoolPolicy } from '../pool/pool-policy.js';
import type { TokenPool } from '../pool/token-pool.js';
import { TokenPoolRepository } from './token-pool-repository.js';

type Decision<T> = (pool: TokenPool) => T;

/** A decision may be made several times; with its result comes the pool that it was committed for. */
interface Decided<T> {
  readonly pool: TokenPool;
  readonly result: T;
}

export class ObservedTokenPoolRepository extends TokenPoolRepository {
  constructor(
    private readonly repository: TokenPoolRepository,
    private readonly observer: Observer,
  ) {
    super();
  }

  async change<T>(poolName: string, needs: Needs, decide: Decision<T>): Promise<T> {
    const transact = () => this.repository.change(poolName, needs, withPool(decide));
    return (await this.#observed(poolName, transact)).result;
  }

  async changeIfIdle<T>(poolName: string, needs: Needs, decide: Decision<T>): Promise<T | undefined> {
    const transact = () => this.repository.changeIfIdle(poolName, needs, withPool(decide));
    return (await this.#observed(poolName, transact))?.result;
  }

  async create<T>(policy: PoolPolicy, decide: Decision<T>): Promise<T> {
    const transact = () => this.repository.create(policy, withPool(decide));
    return (await this.#observed(policy.name, transact)).result;
  }

  forgetAnswers(poolName: string, most: number): Promise<number> {
    return this.repository.forgetAnswers(poolName, most);
  }

  poolsToSweep(): Promise<string[]> {
    return this.repository.poolsToSweep();
  }

  async #observed<D extends Decided<unknown> | undefined>(poolName: string, transact: () => Promise<D>): Promise<D> {
    const began = performance.now();
    try {
      const decided = await transact();
      if (decided) this.observer.committed(decided.pool, performance.now() - began);
      return decided;
    } catch (error) {
      if (error instanceof InvariantViolation) this.observer.violated(poolName);
      throw error;
    }
  }
}

const withPool =
  <T>(decide: Decision<T>): Decision<Decided<T>> =>
  (pool) => ({ pool, result: decide(pool) });

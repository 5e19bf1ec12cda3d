// Reads pools: each answer is the rows of one statement.

import type { DataSource } from 'typeorm';
import { poolDeleted, poolNotFound, PoolReader, type LeaseAgesView, type PoolView } from '@app/tokens';
import { Database } from '../connection/database.js';
import { IS_POOL, POOL_NAMES } from '../schema/statements.js';
import { LEASE_AGES, POOL, POOLS, POOLS_NAMED } from './pool-statements.js';

export class PostgresPoolReader extends PoolReader {
  readonly #database: Database;

  constructor(
    private readonly source: DataSource,
    gone?: AbortSignal,
  ) {
    super();
    this.#database = new Database(source, gone);
  }

  until(gone: AbortSignal): PostgresPoolReader {
    return new PostgresPoolReader(this.source, gone);
  }

  pools(names: ReadonlySet<string> | null = null): Promise<PoolView[]> {
    if (names === null) return this.#database.read<PoolView>(POOLS, []);
    return this.#database.read<PoolView>(POOLS_NAMED, [JSON.stringify([...names])]);
  }

  async pool(poolName: string): Promise<PoolView> {
    const [pool] = await this.#database.read<PoolView>(POOL, [poolName]);
    if (pool) return pool;
    const [there] = await this.#database.read(IS_POOL, [poolName]);
    throw there ? poolDeleted(poolName) : poolNotFound(poolName);
  }

  async names(): Promise<string[]> {
    return (await this.#database.read<{ name: string }>(POOL_NAMES, [])).map(({ name }) => name);
  }

  leaseAges(): Promise<LeaseAgesView[]> {
    return this.#database.read<LeaseAgesView>(LEASE_AGES, []);
  }
}

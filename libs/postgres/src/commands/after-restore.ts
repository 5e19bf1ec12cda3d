// Raises all counters after an operator has restored the database to an earlier state: from a backup, or from a standby
// that had not received everything. The restored state does not know which numbers were in use since, so the counters
// go up by enough that no number is used twice.

import type { DataSource } from 'typeorm';
import { BEGIN, COMMIT, Database, send } from '../connection/database.js';
import type { QueryResult } from '../connection/pipeline.js';
import { POOL_NAMES } from '../schema/statements.js';
import { LOCK_POOL, RAISE_COUNTERS } from './statements.js';

export interface RaisedPool {
  readonly pool: string;
  /** The seq of the newest event and the fence of the newest grant that the restore left. */
  readonly after_seq: number;
  readonly after_fence: number;
  /** The seq and the fence that come next. */
  readonly next_seq: number;
  readonly next_fence: number;
  /** Whether this pool has written nothing since an earlier raise. To raise again costs nothing but numbers. */
  readonly isAgain: boolean;
}

/**
 * Raises the counters of each pool in a transaction of its own, under the pool's lock. A caller may repeat it, also
 * after it failed half-way.
 * @param margin more than the number of events that any pool has written since the restored state
 * @throws DomainError `unavailable`, DatabaseFailure
 */
export async function afterRestore(source: DataSource, margin: number): Promise<RaisedPool[]> {
  const database = new Database(source);
  const raised: RaisedPool[] = [];
  for (const { name } of await database.read<{ name: string }>(POOL_NAMES, [])) {
    const lock = { ...LOCK_POOL, values: [name] };
    const raise = { ...RAISE_COUNTERS, values: [name, margin] };
    const [, , answer] = await database.use((client) => send(client, BEGIN, lock, raise, COMMIT));
    raised.push(...((answer as QueryResult).rows as RaisedPool[]));
  }
  return raised;
}

// After the database was put back to an earlier state (a backup; a standby that had not received everything): numbers that
// were given since are not known any more. All counters go up by so much that none of them is given again.

import type { DataSource } from 'typeorm';
import { BEGIN, COMMIT, Database, send } from '../connection/database.js';
import type { QueryResult } from '../connection/pipeline.js';
import { POOL_NAMES, LOCK_POOL, RAISE_COUNTERS } from './statements.js';

export interface RaisedPool {
  readonly pool: string;
  /** Of the newest event and grant that are left. */
  readonly after_seq: number;
  readonly after_fence: number;
  /** Those that come next. */
  readonly next_seq: number;
  readonly next_fence: number;
  /** Nothing was written since they were raised the last time. It costs nothing but numbers to do it again. */
  readonly isAgain: boolean;
}

/**
 * Each pool under its lock, one a transaction. May be repeated, also after it stopped half-way.
 * @param margin by how much; more than events were written in any pool since the state that is restored
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

// Reports what an operator should look after soon: missing partitions for events, and a clock that is behind.

import type { DataSource } from 'typeorm';
import { Database } from '../connection/database.js';
import { CLOCK_BEHIND, PARTITIONS_UNTIL } from './statements.js';

/**
 * Until when partitions exist, as RFC 3339 in UTC. They are low with fewer than two whole months after the present one,
 * which means that no process sweeps.
 * @throws DomainError `unavailable`
 */
export async function partitionsUntil(source: DataSource): Promise<{ until: string; isLow: boolean }> {
  const [partitions] = await new Database(source).read<{ until: string; isLow: boolean }>(PARTITIONS_UNTIL, []);
  return partitions!;
}

/**
 * How many seconds the clock is behind the time of the pool that is furthest ahead; 0 if it is behind none.
 * @throws DomainError `unavailable`
 */
export async function clockBehindSeconds(source: DataSource): Promise<number> {
  const [behind] = await new Database(source).read<{ seconds: number }>(CLOCK_BEHIND, []);
  return behind!.seconds;
}

// Counts the connections of this process, for its metrics.

import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';

/** The number of open connections, how many of them are idle, and how many callers wait for one. */
export function connectionsOf(source: DataSource): { total: number; idle: number; waiting: number } {
  const { totalCount, idleCount, waitingCount } = (source.driver as unknown as { master: Pool }).master;
  return { total: totalCount, idle: idleCount, waiting: waitingCount };
}

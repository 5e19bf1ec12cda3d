// The use of the connections of this process.

import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';

/** Those that there are, the idle ones of them, and how many callers wait for one. */
export function connectionsOf(source: DataSource): { total: number; idle: number; waiting: number } {
  const { totalCount, idleCount, waitingCount } = (source.driver as unknown as { master: Pool }).master;
  return { total: totalCount, idle: idleCount, waiting: waitingCount };
}

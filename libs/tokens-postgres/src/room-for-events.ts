// Until when the months have partitions.

import type { DataSource } from 'typeorm';
import { Database } from './database.js';
import { ROOM } from './read-statements.js';

/** Low: fewer than two whole months after the present one. Then it is time to ask why nobody sweeps. */
export async function roomForEvents(source: DataSource): Promise<{ until: string; isLow: boolean }> {
  const [room] = await new Database(source).read<{ until: string; isLow: boolean }>(ROOM, []);
  return room!;
}

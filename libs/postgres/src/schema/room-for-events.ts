// What somebody should look after soon: until when the months have partitions, and whether the clock goes right.

import type { DataSource } from 'typeorm';
import { Database } from '../connection/database.js';
import { CLOCK_BEHIND, ROOM } from './statements.js';

/** Low: fewer than two whole months after the present one. Then it is time to ask why nobody sweeps. */
export async function roomForEvents(source: DataSource): Promise<{ until: string; isLow: boolean }> {
  const [room] = await new Database(source).read<{ until: string; isLow: boolean }>(ROOM, []);
  return room!;
}

/** How far the clock is behind the time of the pool that is furthest ahead, in seconds; 0 when it is not. */
export async function clockBehind(source: DataSource): Promise<number> {
  const [behind] = await new Database(source).read<{ seconds: number }>(CLOCK_BEHIND, []);
  return behind!.seconds;
}

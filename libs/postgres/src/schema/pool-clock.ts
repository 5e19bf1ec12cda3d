// The present instant in a pool. It is the database's clock, except that it never goes back: if the clock is set back,
// the pool's time continues from where it was, at the clock's pace. The pool's row holds how far its time is ahead of
// the clock. That offset shrinks by 1 % of the time that passes, without a write.

import { instant } from './fragments.js';

/** How far the clocks of two servers may differ when one is promoted: the pool's time stands still for that long. */
const JITTER = `interval '50 milliseconds'`;

/**
 * A longer offset ends at once when the clock reaches the pool's time as of `clock_offset_at`: the clock was corrected
 * then, and the pool's time must not leap with it. Each command and each sweep notes the offset again when a quarter of
 * it has passed, so that mere passing time does not look like a correction.
 */
const LONG = `interval '5 minutes'`;

const OFFSET = `CASE
    WHEN p.clock_offset_us = 0 OR p.clock_offset > ${LONG} AND p.clock >= p.clock_offset_at + p.clock_offset THEN interval '0'
    ELSE p.clock_offset - least(p.clock_offset, greatest(interval '0', (p.clock - p.clock_offset_at) * 0.01)) END`;

const NOW = `greatest(p.clock + ${OFFSET}, p.last_at)`;

/** A subquery, which the planner does not flatten because clock_timestamp() is volatile: one reading for each row. */
const poolsAndClock = (where: string): string =>
  `SELECT *, clock_timestamp() AS clock, clock_offset_us * interval '1 microsecond' AS clock_offset FROM pools ${where}`;

/**
 * Rows of `pools` with `now`, the present instant in each pool, and `clock`, that of the database. `is_still` tells
 * that the clock is further behind than the row says, and `must_note_clock` that NOTE_CLOCK must run. Every statement
 * takes a pool's instant from here, and none from last_at.
 * @param known a parameter: the instant that an earlier statement of the transaction has read, in microseconds, or null
 */
export const poolsNow = (where = '', known?: string): string => `
  SELECT *, is_still OR clock_offset > ${LONG} AND clock - clock_offset_at > clock_offset / 4 AS must_note_clock
  FROM (
    SELECT p.*, ${known ? `coalesce(${instant(known)}, ${NOW})` : NOW} AS now, p.last_at - (p.clock + ${OFFSET}) > ${JITTER} AS is_still
    FROM (${poolsAndClock(where)}) p) p`;

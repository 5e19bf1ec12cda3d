// What time it is in a pool, for every statement that asks. It is the database's clock, but it never goes back: after a clock that
// was ahead and came back, or was set back, a pool goes on from where it was, at the clock's pace. How far it is ahead of the clock
// stands in its row, and becomes less by 1 % of the time that passes, without a write.

/** Two servers' clocks differ by so much, one of which was promoted: time stands still for that long. */
const JITTER = `interval '50 milliseconds'`;

/**
 * A longer offset is gone at once when the clock has reached what was the pool's time at `clock_offset_at`: the clock was put right,
 * and time in the pool must not leap with it. So that it is not simply so much later, each command and each sweep notes the
 * offset anew when a quarter of it has passed.
 */
const LONG = `interval '5 minutes'`;

const OFFSET = `CASE
    WHEN p.clock_offset_us = 0 OR p.clock_offset > ${LONG} AND p.clock >= p.clock_offset_at + p.clock_offset THEN interval '0'
    ELSE p.clock_offset - least(p.clock_offset, greatest(interval '0', (p.clock - p.clock_offset_at) * 0.01)) END`;

/** A query of its own, which the planner leaves alone, as the clock is volatile: so it is asked once for each row. */
const poolsAndClock = (where: string): string =>
  `SELECT *, clock_timestamp() AS clock, clock_offset_us * interval '1 microsecond' AS clock_offset FROM pools ${where}`;

/**
 * Rows of `pools` with `now`, the instant in each pool, and `clock`, that of the database; `is_still`: the clock is further behind
 * than is noted; `must_note_clock`: NOTE_CLOCK has something to do. No other statement makes an instant of last_at.
 */
export const poolsNow = (where = ''): string => `
  SELECT *, is_still OR clock_offset > ${LONG} AND clock - clock_offset_at > clock_offset / 4 AS must_note_clock
  FROM (
    SELECT p.*, greatest(p.clock + ${OFFSET}, p.last_at) AS now, p.last_at - (p.clock + ${OFFSET}) > ${JITTER} AS is_still
    FROM (${poolsAndClock(where)}) p) p`;

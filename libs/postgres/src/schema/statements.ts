// Statements that several folders share, and those that find reasons to warn an operator.

import { named } from '../connection/pipeline.js';
import { BEGINS, CLOCK_BEHIND_SECONDS, bounded, iso, micros } from './fragments.js';
import { poolsNow } from './pool-clock.js';

/** $1 pool. One row if the pool exists. It takes no lock, because rows of pools are never removed. */
export const IS_POOL = named('is_pool', `SELECT life FROM pools WHERE name = $1`);

export const POOL_NAMES = named('pool_names', `SELECT name FROM pools ORDER BY name`);

/** How many months after the present one have partitions, as long as a process sweeps. */
const MONTHS_AHEAD = 3;

/**
 * $1 pool, $2 page size, $3 after this seq. It returns all columns, in the form that the hash chain takes. Instants are
 * numbers, because formatting dates is half the work for a million rows. It orders by e.seq, the column, because an
 * index has that order and not the order of the cast value.
 */
export const STORED_EVENTS = named(
  'stored_events',
  `SELECT e.seq::double precision AS seq, token_id, event, user_id, fence::double precision AS fence, reason,
     ${micros('occurred_at')} AS occurred_at, ${micros('recorded_at')} AS recorded_at,
     ${micros('expires_at')} AS expires_at, pool, id, lease_id, ${micros('activated_at')} AS activated_at, metadata, key_id,
     actor, request_id, tokens_after, leases_after, holder, encode(hash, 'hex') AS hash
   FROM (${bounded('SELECT * FROM token_events e WHERE e.pool = $1 AND e.seq > $3 ORDER BY e.seq LIMIT $2')}) e
   ORDER BY e.seq`,
);

/** $1 pool. */
export const FEED_BEGINS = named('feed_begins', `SELECT ${BEGINS} AS seq`);

/** Until when partitions exist, and whether they cover fewer than two whole months after the present one. */
export const PARTITIONS_UNTIL = named(
  'partitions_until',
  `SELECT ${iso('max(ends_at)')} AS until, max(ends_at) < (date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')
     + interval '3 months') AT TIME ZONE 'UTC' AS "isLow"
   FROM event_partitions`,
);

/** How many seconds the clock is behind the time of the pool that is furthest ahead; 0 if it is behind none. */
export const CLOCK_BEHIND = named(
  'clock_behind',
  `SELECT coalesce(max(${CLOCK_BEHIND_SECONDS}), 0) AS seconds FROM (${poolsNow()}) p`,
);

/**
 * $1 a pool whose time may be ahead of the clock, or null. Creates the partitions for the months to come. If another
 * process is creating them, the statement waits for it.
 */
export const ENSURE_PARTITIONS = named(
  'ensure_partitions',
  `SELECT make_event_partitions(interval '${MONTHS_AHEAD} months'
     + greatest(clock_timestamp(), (SELECT now FROM (${poolsNow('WHERE name = $1')}) p)))`,
);

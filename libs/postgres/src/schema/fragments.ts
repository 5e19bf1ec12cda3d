// Pieces of SQL that several statements share. They cast bigint to double precision, which holds whole numbers up to
// 2^53, because the driver returns bigint as a string.

import { OPEN, policyFields, SYSTEM } from '@app/tokens';

/** An instant as RFC 3339 in UTC, with microseconds. */
export const iso = (at: string): string => `to_char(${at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/**
 * An instant in microseconds since the epoch, as the domain counts. Seconds in a double are exact to the microsecond.
 */
export const micros = (at: string): string => `round(date_part('epoch', ${at}) * 1000000)`;

/** A timestamp from microseconds since the epoch. The multiplication is exact; a division would not be. */
export const instant = (micros: string): string => `timestamptz 'epoch' + ${micros} * interval '1 microsecond'`;

/** The holder of a token's lease. Version 0.1.0 ends and grants leases without a change of the holder before. */
export const holderOf = (token: string): string =>
  `CASE WHEN ${token}.holder_fence = ${token}.fence THEN ${token}.holder END`;

/**
 * A column of the thing that token t stands for. `here.is_listed` tells whether its pool is listed; other pools pay for
 * no look at the things.
 * @param pool its pool
 */
export const ofThing = (column: string, pool: string): string => `
  CASE WHEN here.is_listed THEN (SELECT ${column} FROM things g WHERE g.pool = ${pool} AND g.token_id = t.id) END`;

/**
 * What the caller gave with the lease of token t. The grant was recorded at the instant at which the lease began, so
 * PostgreSQL looks into one partition. Between it and the token's newest event there are only renewals.
 * @param pool its pool
 * @param since an instant; the metadata of an earlier grant is null
 */
export const leaseMetadata = (pool: string, since = `'-infinity'`): string => `(
    SELECT e.metadata FROM token_events e
    WHERE e.token_id = t.id AND e.pool = ${pool} AND e.fence = t.fence AND e.event = 'activated'
      AND e.recorded_at = t.last_activated_at AND e.recorded_at >= ${since}::timestamptz
    ORDER BY e.seq DESC LIMIT 1)`;

/** Of the row of a pool: whether it may keep tokens back between two users, and what its policy says of that. */
export const UPKEEP_POLICY = `upkeep_seq IS NOT NULL AS has_upkeep, max_cleans, disable_after_unclean,
  after_use = 'clean' AS soils, coalesce(cooldown_seconds, 0) * interval '1 second' AS rest`;

/**
 * What happens to token t between two users, as u. `here` has the UPKEEP_POLICY of its pool; other pools pay for no
 * look. OFFSET 0 makes PostgreSQL look each token up instead of reading the whole table.
 * @param pool its pool
 */
export const upkeepOf = (pool: string): string => `
  LEFT JOIN LATERAL (
    SELECT * FROM token_upkeep k WHERE here.has_upkeep AND k.pool = ${pool} AND k.token_id = t.id OFFSET 0) u ON true`;

/** Whether an open lease of token t is overdue, and was used: an offer that nobody claimed was not. */
const WAS_USED = `t.status = 'active' AND NOT coalesce(t.line_fence = t.fence AND t.offered_to IS NOT NULL, false)`;

/** From when token t, which nobody holds, can be granted, if nothing else keeps it back. */
export const FREE_AT = `CASE WHEN t.status <> 'active' THEN t.free_since
    ELSE t.expires_at + CASE WHEN ${WAS_USED} THEN here.rest ELSE interval '0' END END`;

/**
 * The status of token t at the instant here.now. A lease that is overdue leaves behind what the policy says, whether or
 * not a sweep has recorded that.
 * @param runs whether it has a lease that is not overdue
 */
export const statusOf = (runs: string): string => `CASE
    WHEN NOT here.has_upkeep THEN CASE WHEN ${runs} THEN 'active' ELSE 'available' END
    WHEN ${runs} THEN CASE WHEN u.cleaning_fence = t.fence THEN 'cleaning' ELSE 'active' END
    WHEN u.disabled_at IS NOT NULL OR (${WAS_USED} AND coalesce(CASE
      WHEN u.cleaning_fence = t.fence THEN u.failed_cleanings + 1 >= here.max_cleans
      ELSE coalesce(cardinality(u.unclean_users), 0)
        + CASE WHEN t.user_id = ANY (u.unclean_users) THEN 0 ELSE 1 END >= here.disable_after_unclean END, false))
      THEN 'disabled'
    WHEN u.dirty_since IS NOT NULL OR (${WAS_USED} AND here.soils) THEN 'dirty'
    WHEN ${FREE_AT} > here.now THEN 'cooling' ELSE 'available' END`;

/** The columns of the policy, in the order of the domain's table of fields. */
export const POLICY_COLUMNS = policyFields.map(({ wire }) => wire).join(', ');
export const POLICY_VIEW = `name, kind, ${POLICY_COLUMNS}`;

/** The actor of an event. Events from before there were keys have none stored. */
export const ACTOR = `coalesce(e.actor, CASE WHEN e.reason IN ('ttl_expired', 'idle_ttl') THEN '${SYSTEM}' ELSE '${OPEN}' END)`;

export const EVENT_VIEW = `
  e.id, e.pool, e.seq::double precision AS seq, e.token_id, e.event, e.user_id, e.holder,
  e.fence::double precision AS fence,
  e.reason, ${iso('e.occurred_at')} AS occurred_at, ${iso('e.recorded_at')} AS recorded_at,
  CASE WHEN e.event IN ('activated', 'renewed') THEN ${iso('e.expires_at')} END AS expires_at,
  ${ACTOR} AS actor,
  e.request_id, e.key_id,
  coalesce(e.metadata, '{}') || jsonb_build_object('user_id', e.user_id, 'reason', e.reason) AS metadata,
  CASE WHEN e.event = 'activated' THEN e.metadata END AS lease_metadata`;

/** The most bytes of metadata on one page, as text. */
const MOST_BYTES = 1_000_000;

/**
 * An upper bound for the length of metadata as text, without the cost of making the text. In jsonb the number 1e308
 * takes 12 bytes, and 309 digits as text. A compressed value had at most 4 kB when the caller sent it, and has at most
 * 178 kB as text.
 */
const TEXT_AT_WORST = `CASE WHEN pg_column_compression(e.metadata) IS NULL THEN 26 * pg_column_size(e.metadata) ELSE 180000 END`;

/**
 * The first of some events, at least one, until their metadata exceeds MOST_BYTES. `is_followed` tells of each event
 * whether the query has found another one after it, so a caller recognises a page that ends early.
 * @param events a query that orders and limits, so PostgreSQL reads no more events than it returns
 */
export const bounded = (events: string, order: 'ASC' | 'DESC' = 'ASC'): string => `
  SELECT * FROM (
    SELECT e.*, lead(true) OVER w AS is_followed,
      sum(${TEXT_AT_WORST}) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (${events}) e WINDOW w AS (ORDER BY e.seq ${order})) e
  WHERE coalesce(bytes_before, 0) < ${MOST_BYTES}`;

/** The seq of the pool's newest event. After a restore the counter is higher than that (RAISE_COUNTERS). */
export const lastSeq = (pool: string): string => `
  coalesce((SELECT r.after_seq FROM restores r WHERE r.pool = ${pool} AND r.next_seq = p.last_seq + 1), p.last_seq)
  ::double precision`;

/** The seq after which the stored events of pool $1 begin; null if none were dropped. */
export const BEGINS = `(SELECT max(b.seq) FROM event_snapshots b WHERE b.pool = $1 AND b.is_beginning)::double precision`;

/** The restores of pool $1 that concern a reader who knows its feed up to a seq, as JSON; null if there are none. */
export const restoresAfter = (seq: string): string => `
  (SELECT json_agg(json_build_object('after_seq', r.after_seq, 'next_seq', r.next_seq, 'after_fence', r.after_fence,
     'next_fence', r.next_fence, 'recorded_at', ${iso('r.recorded_at')}) ORDER BY r.next_seq)
   FROM restores r WHERE r.pool = $1 AND r.next_seq > ${seq})`;

/** How far the clock is behind the pool's time, because it was set back or had been ahead for a while. */
export const CLOCK_BEHIND_SECONDS = `date_part('epoch', now - clock)`;

// Pieces of SQL that several files ask with. bigint leaves as double: the driver would make it a string, and 2^53 events
// will do.

import { OPEN, SYSTEM } from '@app/tokens';

export const iso = (at: string): string => `to_char(${at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** An instant as the domain has it. Seconds in a double hold microseconds. */
export const micros = (at: string): string => `round(date_part('epoch', ${at}) * 1000000)`;

/** Microseconds since the epoch, as the domain has them, to a timestamp: exact, unlike a division. */
export const instant = (micros: string): string => `timestamptz 'epoch' + ${micros} * interval '1 microsecond'`;

export const POLICY_VIEW = `
  name, kind, size, ttl_seconds, renewable, max_lifetime_seconds, idle_ttl_seconds, on_exhausted, release_authority,
  max_per_user, max_per_key, protect_seconds, evict`;

/** Events of before there were keys have none. */
export const ACTOR = `coalesce(e.actor, CASE WHEN e.reason IN ('ttl_expired', 'idle_ttl') THEN '${SYSTEM}' ELSE '${OPEN}' END)`;

export const EVENT_VIEW = `
  e.id, e.pool, e.seq::double precision AS seq, e.token_id, e.event, e.user_id, e.fence::double precision AS fence,
  e.reason, ${iso('e.occurred_at')} AS occurred_at, ${iso('e.recorded_at')} AS recorded_at,
  CASE WHEN e.event IN ('activated', 'renewed') THEN ${iso('e.expires_at')} END AS expires_at,
  ${ACTOR} AS actor,
  e.request_id, e.key_id,
  coalesce(e.metadata, '{}') || jsonb_build_object('user_id', e.user_id, 'reason', e.reason) AS metadata,
  CASE WHEN e.event = 'activated' THEN e.metadata END AS lease_metadata`;

/** Of metadata on a page, as text and at worst. */
const MOST_BYTES = 9_000_000;

/**
 * What metadata may come to as text, without making the text, which takes the time that is to be saved. In jsonb 1e308 is 12 bytes
 * and 309 digits; what is compressed had 4 kB when it was sent, and has 178 kB at worst.
 */
const TEXT_AT_WORST = `CASE WHEN pg_column_compression(e.metadata) IS NULL THEN 26 * pg_column_size(e.metadata) ELSE 180000 END`;

/**
 * The first of some events until their metadata comes to MOST_BYTES, one at least. Each says whether one follows that was looked for:
 * so a page that ends early is known.
 * @param events a query that orders and limits, so that no more than it gives are looked at
 */
export const bounded = (events: string, order: 'ASC' | 'DESC' = 'ASC'): string => `
  SELECT * FROM (
    SELECT e.*, lead(true) OVER w AS is_followed,
      sum(${TEXT_AT_WORST}) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (${events}) e WINDOW w AS (ORDER BY e.seq ${order})) e
  WHERE coalesce(bytes_before, 0) < ${MOST_BYTES}`;

/** The seq of the pool's newest event. After a restore the counter is further up already (RAISE_COUNTERS). */
export const lastSeq = (pool: string): string => `
  coalesce((SELECT r.after_seq FROM restores r WHERE r.pool = ${pool} AND r.next_seq = p.last_seq + 1), p.last_seq)
  ::double precision`;

/** The seq after which the events of pool $1 begin; null: all are there. */
export const BEGINS = `(SELECT max(b.seq) FROM event_snapshots b WHERE b.pool = $1 AND b.is_beginning)::double precision`;

/** The restores of pool $1 that are said to somebody who knows its feed up to a seq; null: none. */
export const restoresAfter = (seq: string): string => `
  (SELECT json_agg(json_build_object('after_seq', r.after_seq, 'next_seq', r.next_seq, 'after_fence', r.after_fence,
     'next_fence', r.next_fence, 'recorded_at', ${iso('r.recorded_at')}) ORDER BY r.next_seq)
   FROM restores r WHERE r.pool = $1 AND r.next_seq > ${seq})`;

/** How far the clock is behind the pool's time: it was set back, or was ahead for a while. */
export const CLOCK_BEHIND_SECONDS = `date_part('epoch', now - clock)`;

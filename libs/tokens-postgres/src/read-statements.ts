// The SQL of everything that is shown. One statement an answer, so that it is one snapshot; each lease judged by
// the database's clock, so that an overdue one is available in every answer, swept or not.
// bigint leaves as double: the driver would make it a string, and 2^53 events will do.

import { OPEN, SYSTEM } from '@app/tokens';
import { named } from './exchange.js';
import { poolsNow } from './pool-clock.js';

export const iso = (at: string): string => `to_char(${at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** An instant as the domain has it. Seconds in a double hold microseconds. */
export const micros = (at: string): string => `round(date_part('epoch', ${at}) * 1000000)`;

/** The pool's present instant, once for the whole statement: an index can be searched for it. $1 is the pool. */
const HERE = `here AS MATERIALIZED (SELECT now FROM (${poolsNow('WHERE name = $1')}) p)`;

/** How far the clock is behind the pool's time: it was set back, or was ahead for a while. */
const CLOCK_BEHIND_SECONDS = `date_part('epoch', now - clock)`;

const RUNS = `t.status = 'active' AND t.expires_at > here.now`;

const TOKEN_VIEW = `
  t.id, t.pool, CASE WHEN ${RUNS} THEN 'active' ELSE 'available' END AS status,
  CASE WHEN ${RUNS} THEN t.user_id END AS active_user_id, ${iso('t.last_activated_at')} AS last_activated_at,
  CASE WHEN ${RUNS} THEN ${iso('t.expires_at')} END AS expires_at,
  CASE WHEN ${RUNS} THEN t.fence::double precision END AS fence, t.key_id`;

/** Events of before there were keys have none. */
const ACTOR = `coalesce(e.actor, CASE WHEN e.reason IN ('ttl_expired', 'idle_ttl') THEN '${SYSTEM}' ELSE '${OPEN}' END)`;

const EVENT_VIEW = `
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
const bounded = (events: string, order: 'ASC' | 'DESC' = 'ASC'): string => `
  SELECT * FROM (
    SELECT e.*, lead(true) OVER w AS is_followed,
      sum(${TEXT_AT_WORST}) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (${events}) e WINDOW w AS (ORDER BY e.seq ${order})) e
  WHERE coalesce(bytes_before, 0) < ${MOST_BYTES}`;

/** The seq of the pool's newest event. After a restore the counter is further up already (RAISE_COUNTERS). */
const lastSeq = (pool: string): string => `
  coalesce((SELECT r.after_seq FROM restores r WHERE r.pool = ${pool} AND r.next_seq = p.last_seq + 1), p.last_seq)
  ::double precision`;

/** The seq after which the events of pool $1 begin; null: all are there. */
export const BEGINS = `(SELECT max(b.seq) FROM event_snapshots b WHERE b.pool = $1 AND b.is_beginning)::double precision`;

/** $1 pool. */
export const FEED_BEGINS = named('feed_begins', `SELECT ${BEGINS} AS seq`);

/** $1 pools. Their counters: after a restore these are further up than the newest event. */
export const SEQS_GIVEN = named(
  'seqs_given',
  `SELECT name AS pool, last_seq::double precision AS seq FROM pools WHERE name = ANY ($1::text[])`,
);

/**
 * Whether a cursor's place in a list of pool $1 can be of this database: $2 a seq, $3 a fence, $4 an instant in microseconds, $5 a
 * token, each or null. What was given before a restore and is lost is in a gap.
 */
export const PLACE_GIVEN = named(
  'place_given',
  `SELECT ${lastSeq('$1')} AS last_seq,
     coalesce($2::bigint, 0) <= p.last_seq AND coalesce($3::bigint, 0) <= p.last_fence
     AND NOT EXISTS (SELECT FROM restores r WHERE r.pool = $1
       AND ($2::bigint > r.after_seq AND $2::bigint < r.next_seq OR $3::bigint > r.after_fence AND $3::bigint < r.next_fence))
     AND coalesce(timestamptz 'epoch' + $4::bigint * interval '1 microsecond', '-infinity') <= p.now
     AND ($5::uuid IS NULL OR EXISTS (SELECT FROM tokens WHERE pool = $1 AND id = $5)
       OR EXISTS (SELECT FROM token_events WHERE pool = $1 AND token_id = $5)) AS "isGiven"
   FROM (${poolsNow('WHERE name = $1')}) p`,
);

/** The restores of pool $1 that are said to somebody who knows its feed up to a seq; null: none. */
const restoresAfter = (seq: string): string => `
  (SELECT json_agg(json_build_object('after_seq', r.after_seq, 'next_seq', r.next_seq, 'after_fence', r.after_fence,
     'next_fence', r.next_fence, 'recorded_at', ${iso('r.recorded_at')}) ORDER BY r.next_seq)
   FROM restores r WHERE r.pool = $1 AND r.next_seq > ${seq})`;

/** $2 page size, $3 after this id, $4 user or null, $5 the key of whose leases only the user counts, or null. */
export const LIST_ALL = named(
  'list_all',
  `WITH ${HERE}
   SELECT ${TOKEN_VIEW} FROM here, tokens t
   WHERE t.pool = $1 AND t.id > $3 AND ($4::uuid IS NULL OR (t.user_id = $4 AND ${RUNS} AND ($5::text IS NULL OR t.key_id = $5)))
   ORDER BY t.id LIMIT $2`,
);

/** $2 page size, $3 after this fence, $4 user or null, $5 as above. */
export const LIST_ACTIVE = named(
  'list_active',
  `WITH ${HERE}
   SELECT ${TOKEN_VIEW} FROM here, tokens t
   WHERE t.pool = $1 AND ${RUNS} AND t.fence > $3 AND ($4::uuid IS NULL OR (t.user_id = $4 AND ($5::text IS NULL OR t.key_id = $5)))
   ORDER BY t.fence LIMIT $2`,
);

/** $2 page size, after $3 (microseconds) and $4 (id): free tokens and those of overdue leases in one line. */
export const LIST_AVAILABLE = named(
  'list_available',
  `WITH ${HERE}, after AS (SELECT timestamptz 'epoch' + $3::bigint * interval '1 microsecond' AS since)
   SELECT ${TOKEN_VIEW}, (date_part('epoch', since) * 1000000)::bigint AS since
   FROM here, (
     (SELECT *, free_since AS since FROM tokens
      WHERE pool = $1 AND status = 'available' AND (free_since, id) > ((SELECT since FROM after), $4)
      ORDER BY free_since, id LIMIT $2)
     UNION ALL
     (SELECT *, expires_at AS since FROM tokens
      WHERE pool = $1 AND status = 'active' AND expires_at <= (SELECT now FROM here)
        AND (expires_at, id) > ((SELECT since FROM after), $4)
      ORDER BY expires_at, id LIMIT $2)
   ) t
   ORDER BY t.since, t.id LIMIT $2`,
);

/** The months that have a partition of their own, as texts that PostgreSQL reads again. */
export const MONTHS = named(
  'months',
  `SELECT ${iso('begins_at')} AS begins FROM event_partitions WHERE begins_at IS NOT NULL ORDER BY begins_at`,
);

/** Until when the months have partitions, and whether fewer than two whole ones are left after the present one. */
export const ROOM = named(
  'room',
  `SELECT ${iso('max(ends_at)')} AS until, max(ends_at) < (date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')
     + interval '3 months') AT TIME ZONE 'UTC' AS "isLow"
   FROM event_partitions`,
);

/** $1 pools. The first seq of each month in which there is one: an index's first entry a partition. */
export const FIRST_SEQS = named(
  'first_seqs',
  `SELECT pool, coalesce(json_agg(${iso('begins_at')} ORDER BY begins_at) FILTER (WHERE seq IS NOT NULL), '[]') AS begins,
     coalesce(json_agg(seq ORDER BY begins_at) FILTER (WHERE seq IS NOT NULL), '[]') AS first_seqs
   FROM unnest($1::text[]) AS w (pool), event_partitions LEFT JOIN LATERAL (
     SELECT seq FROM token_events e
     WHERE e.pool = w.pool AND recorded_at >= begins_at AND recorded_at < ends_at ORDER BY seq LIMIT 1) e ON true
   WHERE begins_at IS NOT NULL GROUP BY pool`,
);

/** The same of the pool that it is furthest behind. */
export const CLOCK_BEHIND = named(
  'clock_behind',
  `SELECT coalesce(max(${CLOCK_BEHIND_SECONDS}), 0) AS seconds FROM (${poolsNow()}) p`,
);

/**
 * Where a token is, or was before it was deleted: one question for both, so that its time tells as little as may be of tokens that
 * the caller may not know of. The events are looked at only where there is no such token. $1 token.
 */
export const LOCATE = named(
  'locate',
  `SELECT pool, false AS "isDeleted" FROM tokens WHERE id = $1
  UNION ALL
  (SELECT pool, true FROM token_events WHERE token_id = $1 AND NOT EXISTS (SELECT FROM tokens WHERE id = $1) LIMIT 1)`,
);

/**
 * Uses of token $2 with a fence below $4, newest first, $3 at most: the open lease, then those whose end was recorded since
 * $5.
 */
const USES = `
  SELECT t.user_id, t.fence::double precision AS fence, ${iso('t.last_activated_at')} AS started_at,
    CASE WHEN NOT (${RUNS}) THEN ${iso('t.expires_at')} END AS ended_at,
    CASE WHEN NOT (${RUNS}) THEN 'ttl_expired' END AS end_reason, t.key_id
  FROM here, tokens t WHERE t.pool = $1 AND t.id = $2 AND t.status = 'active' AND t.fence < $4
  UNION ALL
  (SELECT user_id, fence::double precision, ${iso('activated_at')}, ${iso('occurred_at')}, reason, key_id
   FROM token_events
   WHERE pool = $1 AND token_id = $2 AND event IN ('released', 'expired') AND fence < $4
     AND recorded_at >= $5::timestamptz
   ORDER BY token_events.fence DESC LIMIT $3)
  ORDER BY fence DESC LIMIT $3`;

/** $1 pool, $2 token, $3 page size, $4 below this fence, $5 since. */
export const HISTORY = named('history', `WITH ${HERE} ${USES}`);

/** $1 pool, $2 token, $3 uses to show, $4 the largest fence there is, $5 since. */
export const TOKEN_DETAILS = named(
  'token_details',
  `WITH ${HERE}, uses AS (${USES})
   SELECT ${TOKEN_VIEW},
     CASE WHEN ${RUNS} THEN json_build_object('user_id', t.user_id,
       'activated_at', ${iso('t.last_activated_at')}, 'expires_at', ${iso('t.expires_at')}) END AS "current_user",
     (SELECT coalesce(json_agg(uses), '[]') FROM uses) AS history
   FROM here, tokens t WHERE t.pool = $1 AND t.id = $2`,
);

/** $1 token, $2 page size, $3 below this seq, $4 since. */
export const TOKEN_EVENTS = named(
  'token_events',
  `SELECT ${EVENT_VIEW}, e.is_followed FROM (${bounded(
    `SELECT * FROM token_events e WHERE e.token_id = $1 AND e.seq < $3 AND e.recorded_at >= $4::timestamptz
     ORDER BY e.seq DESC LIMIT $2`,
    'DESC',
  )}) e
   ORDER BY e.seq DESC`,
);

/** $1 pool, $2 token, $3 fence, $4 lease, $5 the key whose it must be, or null. */
export const END_OF_LEASE = named(
  'end_of_lease',
  `SELECT reason AS end_reason, ${iso('occurred_at')} AS ended_at FROM token_events
   WHERE pool = $1 AND token_id = $2 AND fence = $3 AND event IN ('released', 'expired') AND lease_id = $4
     AND ($5::text IS NULL OR key_id = $5)`,
);

/** $1 pool. */
export const STORED_POOL = named(
  'stored_pool',
  `SELECT size, last_seq::double precision AS last_seq, last_fence::double precision AS last_fence, token_count,
     lease_count, chained_after::double precision AS chained_after, hashed_seq::double precision AS hashed_seq,
     encode(last_hash, 'hex') AS last_hash, coalesce(${restoresAfter('0')}, '[]') AS restores
   FROM pools p WHERE name = $1`,
);

/** $1 pool, $2 page size, $3 after this id. */
export const STORED_TOKENS = named(
  'stored_tokens',
  `SELECT id, pool, status, user_id AS active_user_id, ${iso('last_activated_at')} AS last_activated_at,
     ${iso('expires_at')} AS expires_at, fence::double precision AS fence
   FROM tokens WHERE pool = $1 AND id > $3 ORDER BY id LIMIT $2`,
);

/**
 * $1 pool, $2 page size, after seq $3. All columns, as the chain of hashes takes them, with instants as numbers: of a million
 * rows, dates in words are half the work. The order is that of e.seq, not of the number that leaves: the index has it.
 */
export const STORED_EVENTS = named(
  'stored_events',
  `SELECT e.seq::double precision AS seq, token_id, event, user_id, fence::double precision AS fence, reason,
     ${micros('occurred_at')} AS occurred_at, ${micros('recorded_at')} AS recorded_at,
     ${micros('expires_at')} AS expires_at, pool, id, lease_id, ${micros('activated_at')} AS activated_at, metadata, key_id,
     actor, request_id, tokens_after, leases_after, encode(hash, 'hex') AS hash
   FROM (${bounded('SELECT * FROM token_events e WHERE e.pool = $1 AND e.seq > $3 ORDER BY e.seq LIMIT $2')}) e
   ORDER BY e.seq`,
);

export const POLICY_VIEW = `
  name, kind, size, ttl_seconds, renewable, max_lifetime_seconds, idle_ttl_seconds, on_exhausted, release_authority,
  max_per_user, max_per_key, protect_seconds, evict`;

const poolView = (pool: string): string => `
  ${POLICY_VIEW},
  json_build_object('total', token_count, 'available', token_count - lease_count + overdue,
    'active', lease_count - overdue) AS counts,
  ${lastSeq(pool)} AS last_seq`;

/** The counters are of the same snapshot as the tokens; only the overdue leases have to be counted. */
const pools = (where: string, pool: string): string => `
  WITH p AS MATERIALIZED (${poolsNow(where)})
  SELECT ${poolView(pool)} FROM p, LATERAL (
    SELECT count(*)::int AS overdue FROM tokens t
    WHERE t.pool = ${pool} AND t.status = 'active' AND t.expires_at <= p.now) o
  ORDER BY name`;

export const POOLS = named('pools', pools('', 'p.name'));
/** $1 names, as a JSON array: the tokens of others are not counted. */
export const POOLS_NAMED = named(
  'pools_named',
  pools('WHERE name = ANY (SELECT json_array_elements_text($1::json))', 'p.name'),
);
/** $1 pool. */
export const POOL = named('pool', pools('WHERE name = $1', '$1'));

/** How old the oldest lease of each pool is, and what no sweep has written down yet. */
export const LEASE_AGES = named(
  'lease_ages',
  `
  WITH p AS MATERIALIZED (
    SELECT name, now, ${CLOCK_BEHIND_SECONDS} AS clock_behind_seconds FROM (${poolsNow()}) p)
  SELECT name AS pool,
    coalesce(date_part('epoch', now - (
      SELECT last_activated_at FROM tokens t
      WHERE t.pool = p.name AND t.status = 'active' AND t.expires_at > p.now ORDER BY fence LIMIT 1)), 0) AS oldest_active_seconds,
    overdue, coalesce(date_part('epoch', now - since), 0) AS overdue_seconds, clock_behind_seconds
  FROM p, LATERAL (
    SELECT count(*)::int AS overdue, min(expires_at) AS since FROM tokens t
    WHERE t.pool = p.name AND t.status = 'active' AND t.expires_at <= p.now) o`,
);

/** MATERIALIZED: what is said of the pool is looked up once, and not for each of its events. */
const feed = (isAsked: string): string => `
  WITH said AS MATERIALIZED (
    SELECT p.last_seq::double precision AS seqs_given_of_pool, ${lastSeq('$1')} AS last_seq_of_pool, ${restoresAfter('$3::bigint')} AS restores_of_pool, ${BEGINS} AS begins_of_pool
    FROM pools p WHERE p.name = $1
  )
  SELECT said.*, e.* FROM said LEFT JOIN LATERAL (
    SELECT ${EVENT_VIEW}, e.is_followed FROM (${bounded(`
      SELECT * FROM token_events e WHERE e.pool = $1 AND e.seq > $3
        AND e.recorded_at >= $4::timestamptz AND e.recorded_at < $5::timestamptz ${isAsked}
      ORDER BY e.seq LIMIT $2`)}) e) e ON true
  ORDER BY e.seq`;

/**
 * $1 pool, $2 page size, $3 after this seq, $4 and $5 when such events were recorded. One row at least when there is such
 * a pool.
 */
export const FEED = named('feed', feed(''));

/**
 * As FEED, of events up to seq $6, and of them only those with $7 actor and $8 request, each or null; $9 the key that
 * looks, which finds by its own leases and by nobody else's actor, or null. There is no index
 * for it, which every command would have to keep: $6 is near.
 */
export const SEARCH = named(
  'search',
  feed(`AND e.seq <= $6 AND ($7::text IS NULL OR ${ACTOR} = $7) AND ($8::text IS NULL OR e.request_id = $8)
      AND ($9::text IS NULL OR (e.key_id = $9 AND ${ACTOR} IN ($9, '${SYSTEM}', '${OPEN}')))`),
);

/**
 * $1 pools, $2 seqs after which to begin and $4 since when such events are recorded, side by side; $3 events of a pool at most. Where nothing is new it is one
 * look at the end of an index a pool; the pools' own rows, which every change rewrites, are left alone.
 */
export const NEWS = named(
  'news',
  `SELECT ${EVENT_VIEW}, greatest(date_part('epoch', clock_timestamp() - e.recorded_at), 0) AS delay_seconds
   FROM unnest($1::text[], $2::bigint[], $4::timestamptz[]) AS f (pool, after, since), LATERAL (${bounded(
     'SELECT * FROM token_events WHERE pool = f.pool AND seq > f.after AND recorded_at >= f.since ORDER BY seq LIMIT $3',
   )}) e
   ORDER BY e.pool, e.seq`,
);

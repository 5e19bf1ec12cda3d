// The SQL of the feeds of pools, and of where in time their events are.

import { OPEN, SYSTEM } from '@app/tokens';
import { named } from '../connection/pipeline.js';
import { ACTOR, BEGINS, EVENT_VIEW, bounded, iso, lastSeq, restoresAfter } from '../schema/fragments.js';

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

/** $1 pools. Their counters: after a restore these are further up than the newest event. */
export const SEQS_GIVEN = named(
  'seqs_given',
  `SELECT name AS pool, last_seq::double precision AS seq FROM pools WHERE name = ANY ($1::text[])`,
);

/** The months that have a partition of their own, as texts that PostgreSQL reads again. */
export const MONTHS = named(
  'months',
  `SELECT ${iso('begins_at')} AS begins FROM event_partitions WHERE begins_at IS NOT NULL ORDER BY begins_at`,
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

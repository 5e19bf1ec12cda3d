// The SQL of the pools' feeds, and of the months of their events.

import { OPEN, SYSTEM } from '@app/tokens';
import { named } from '../connection/pipeline.js';
import { ACTOR, BEGINS, EVENT_VIEW, bounded, iso, lastSeq, restoresAfter } from '../schema/fragments.js';

/** MATERIALIZED makes PostgreSQL look up the pool's columns once, and not for each event. */
const feed = (isAsked: string): string => `
  WITH of_pool AS MATERIALIZED (
    SELECT p.last_seq::double precision AS seqs_given_of_pool, ${lastSeq('$1')} AS last_seq_of_pool,
      ${restoresAfter('$3::bigint')} AS restores_of_pool, ${BEGINS} AS begins_of_pool
    FROM pools p WHERE p.name = $1
  )
  SELECT of_pool.*, e.* FROM of_pool LEFT JOIN LATERAL (
    SELECT ${EVENT_VIEW}, e.is_followed FROM (${bounded(`
      SELECT * FROM token_events e WHERE e.pool = $1 AND e.seq > $3
        AND e.recorded_at >= $4::timestamptz AND e.recorded_at < $5::timestamptz ${isAsked}
      ORDER BY e.seq LIMIT $2`)}) e) e ON true
  ORDER BY e.seq`;

/**
 * $1 pool, $2 page size, $3 after this seq, $4 and $5 the instants between which the events were recorded. At least one
 * row if the pool exists.
 */
export const FEED = named('feed', feed(''));

/**
 * FEED restricted to events up to seq $6, with actor $7 and request $8, each of which may be null. $9 is the key that
 * reads, or null; it finds only events of its own leases and those without a lease, and no other key's actor. The
 * search has no index, because every command would have to maintain that; $6 bounds its cost.
 */
export const SEARCH = named(
  'search',
  feed(`AND e.seq <= $6 AND ($7::text IS NULL OR ${ACTOR} = $7) AND ($8::text IS NULL OR e.request_id = $8)
      AND ($9::text IS NULL OR ((e.key_id = $9 OR (e.fence IS NULL AND e.user_id IS NULL)) AND ${ACTOR} IN ($9, '${SYSTEM}', '${OPEN}')))`),
);

/**
 * $1 pools, $2 the seq after which to begin for each pool, $4 the instant since when such events were recorded for each
 * pool; $3 the most events of one pool. For a pool without new events it reads only the end of an index. It does not
 * read the pools' own rows, because every change rewrites them.
 */
export const NEW_EVENTS = named(
  'news',
  `SELECT ${EVENT_VIEW}, greatest(date_part('epoch', clock_timestamp() - e.recorded_at), 0) AS delay_seconds
   FROM unnest($1::text[], $2::bigint[], $4::timestamptz[]) AS f (pool, after, since), LATERAL (${bounded(
     'SELECT * FROM token_events WHERE pool = f.pool AND seq > f.after AND recorded_at >= f.since ORDER BY seq LIMIT $3',
   )}) e
   ORDER BY e.pool, e.seq`,
);

/** $1 pools. Their counters of seqs, which after a restore are higher than the newest event's seq. */
export const SEQS_GIVEN = named(
  'seqs_given',
  `SELECT name AS pool, last_seq::double precision AS seq FROM pools WHERE name = ANY ($1::text[])`,
);

/** The beginnings of the months that have a partition, as text that PostgreSQL can read. */
export const MONTHS = named(
  'months',
  `SELECT ${iso('begins_at')} AS begins FROM event_partitions WHERE begins_at IS NOT NULL ORDER BY begins_at`,
);

/** $1 pools. The first seq of each month with events. It reads the first entry of an index in each partition. */
export const FIRST_SEQS = named(
  'first_seqs',
  `SELECT pool, coalesce(json_agg(${iso('begins_at')} ORDER BY begins_at) FILTER (WHERE seq IS NOT NULL), '[]') AS begins,
     coalesce(json_agg(seq ORDER BY begins_at) FILTER (WHERE seq IS NOT NULL), '[]') AS first_seqs
   FROM unnest($1::text[]) AS w (pool), event_partitions LEFT JOIN LATERAL (
     SELECT seq FROM token_events e
     WHERE e.pool = w.pool AND recorded_at >= begins_at AND recorded_at < ends_at ORDER BY seq LIMIT 1) e ON true
   WHERE begins_at IS NOT NULL GROUP BY pool`,
);

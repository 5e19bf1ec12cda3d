// The SQL that reconstructs what the service showed at a past instant. Events never change, so several statements
// outside a transaction see the same past. Unless a comment says otherwise, $1 is the pool and $2 the instant.

import { named } from '../connection/pipeline.js';
import { poolsNow } from '../schema/pool-clock.js';
import { BEGINS, iso, leaseMetadata, POLICY_VIEW } from '../schema/fragments.js';

/**
 * $1 the instant. The bounds of its partition: no row if there is no partition for it yet, and equal bounds if its
 * partition was dropped.
 */
export const PARTITION_THEN = named(
  'partition_then',
  `WITH p AS MATERIALIZED (SELECT begins_at, ends_at FROM event_partitions)
   SELECT coalesce(${iso('begins_at')}, '-infinity') AS begins, ${iso('ends_at')} AS ends FROM p
   WHERE coalesce(begins_at, '-infinity') <= $1::timestamptz AND ends_at > $1::timestamptz
   UNION ALL
   SELECT '-infinity', '-infinity' FROM p
   HAVING min(coalesce(begins_at, '-infinity')) > $1::timestamptz`,
);

/** Exactly one partition. With narrower bounds, PostgreSQL would step over the events outside them one by one. */
const OF_PARTITION = `pool = $1 AND recorded_at >= $3::timestamptz AND recorded_at < $4::timestamptz`;

/**
 * $3 and $4 the bounds of the instant's partition. The seq of the last event recorded by the instant; 0 before the
 * first. Instants rise with seqs, so a binary search finds it: some twenty reads of one partition's index for a month
 * of a million events. Where a restore left out seqs, the search takes the next one that exists.
 */
export const SEQ_THEN = named(
  'seq_then',
  `WITH RECURSIVE search AS (
     SELECT low, coalesce(high, low) AS high FROM (
       SELECT CASE WHEN $3::timestamptz = '-infinity' THEN 0 ELSE coalesce((
           SELECT seq FROM token_events WHERE pool = $1 AND recorded_at < $3::timestamptz ORDER BY seq DESC LIMIT 1), 0) END AS low,
         (SELECT seq FROM token_events WHERE ${OF_PARTITION} ORDER BY seq DESC LIMIT 1) AS high) b
     UNION ALL
     SELECT CASE WHEN at <= $2::timestamptz THEN found ELSE low END, CASE WHEN at <= $2::timestamptz THEN high ELSE mid - 1 END
     FROM search, LATERAL (SELECT (low + high + 1) / 2 AS mid) m LEFT JOIN LATERAL (
       SELECT seq AS found, recorded_at AS at FROM token_events
       WHERE ${OF_PARTITION} AND seq >= mid AND seq <= high ORDER BY seq LIMIT 1) e ON true
     WHERE low < high
   )
   SELECT (SELECT low FROM search WHERE low = high)::double precision AS seq,
     now < $2::timestamptz AS "isFuture", ${iso('$2::timestamptz')} AS as_of, ${BEGINS} AS begins
   FROM (${poolsNow('WHERE name = $1')}) p`,
);

/**
 * $3 the last seq by the instant. The fields in which the policy and the kind of then differ from the present ones: of
 * each the first `before` after the instant. If the pool was deleted then, the policy is that of its deletion.
 */
const POLICY_THEN = `
  SELECT jsonb_object_agg(field, value) FROM (
    SELECT DISTINCT ON (field) field, value
    FROM token_events e, jsonb_each((metadata - '{before,after}'::text[]) || (metadata -> 'before')) f (field, value)
    WHERE pool = $1 AND token_id IS NULL AND event IN ('policy_changed', 'pool_deleted') AND seq >= coalesce((
      SELECT CASE WHEN event = 'pool_deleted' THEN seq END FROM token_events
      WHERE pool = $1 AND token_id IS NULL AND event IN ('pool_deleted', 'pool_opened') AND seq <= $3
      ORDER BY seq DESC LIMIT 1), $3 + 1)
    ORDER BY field, seq) f`;

/**
 * $3 the last seq by the instant. The counters are those of its event. Overdue were the leases whose end was recorded
 * after the instant, and those that are still overdue now.
 */
export const POOL_THEN = named(
  'pool_then',
  `SELECT ${POLICY_VIEW}, (${POLICY_THEN}) AS policy_then, tokens_after AS total, leases_after AS leases, (
     SELECT count(*) FROM token_events WHERE pool = $1 AND event = 'expired' AND recorded_at > $2::timestamptz
       AND tstzrange(occurred_at, recorded_at) @> $2::timestamptz)::int + (
     SELECT count(*) FROM tokens WHERE pool = $1 AND status = 'active' AND expires_at <= $2::timestamptz)::int AS overdue
   FROM pools, LATERAL (
     SELECT tokens_after, leases_after FROM token_events
     WHERE pool = $1 AND seq = $3 AND recorded_at <= $2::timestamptz) e
   WHERE name = $1`,
);

/**
 * $2 the last seq by the instant. Counts events, for those of a version that did not store the counters. The snapshot
 * stands for dropped events.
 */
export const COUNT_THEN = named(
  'count_then',
  `SELECT (coalesce(min(b.tokens), 0)
       + count(*) FILTER (WHERE event = 'generated') - count(*) FILTER (WHERE event = 'deleted'))::int AS total,
     (coalesce(min(b.leases), 0)
       + count(*) FILTER (WHERE event = 'activated') - count(*) FILTER (WHERE event IN ('released', 'expired')))::int AS leases
   FROM token_events LEFT JOIN LATERAL (
     SELECT token_count AS tokens, lease_count AS leases FROM event_snapshots
     WHERE pool = $1 AND is_beginning ORDER BY seq DESC LIMIT 1) b ON true
   WHERE pool = $1 AND seq <= $2`,
);

/** $3 token, $4 the last seq by the instant. The token's last event by then that tells of its lease. */
export const LAST_EVENT_THEN = named(
  'last_event_then',
  `SELECT event, user_id, holder, fence::double precision AS fence, expires_at <= $2::timestamptz AS "isOverdue",
     ${iso('activated_at')} AS activated_at, ${iso('expires_at')} AS expires_at, key_id,
     CASE WHEN event IN ('activated', 'renewed') THEN ${leaseMetadata('$1')} END AS lease_metadata
   FROM (
     SELECT token_id AS id, event, user_id, holder, fence, activated_at, activated_at AS last_activated_at, expires_at,
       key_id
     FROM token_events
     WHERE token_id = $3 AND pool = $1 AND seq <= $4 AND recorded_at <= $2::timestamptz AND event <> 'described'
     ORDER BY seq DESC LIMIT 1) t`,
);

/** Whether the pool has ever been listed. PostgreSQL searches no events of other pools for names. */
const WAS_LISTED = `'listed' IN (
     SELECT kind FROM pools WHERE name = $1
     UNION ALL
     SELECT metadata ->> 'kind' FROM token_events WHERE pool = $1 AND token_id IS NULL AND event = 'pool_deleted')`;

/** A field of the token's thing, as the last event by then gave it, or as the snapshot has it if that was dropped. */
const fieldThen = (field: string): string => `coalesce((
     SELECT coalesce(metadata #> '{after,${field}}', metadata -> '${field}') FROM token_events
     WHERE token_id = $3 AND pool = $1 AND seq <= $4 AND recorded_at <= $2::timestamptz
       AND (event = 'generated' OR event = 'described' AND metadata -> 'after' ? '${field}')
     ORDER BY seq DESC LIMIT 1
   ), (
     SELECT token -> '${field}' FROM event_snapshot_tokens, jsonb_array_elements(tokens) token
     WHERE pool = $1 AND seq = ${BEGINS} AND token ->> 'id' = $3::text))`;

/** $3 token, $4 the last seq by the instant. The name and the attributes of the token then; no row if it had none. */
export const THING_THEN = named(
  'thing_then',
  `SELECT ${fieldThen('name')} AS name, ${fieldThen('attributes')} AS attributes WHERE ${WAS_LISTED}`,
);

/** $3 token, $4 the last seq by the instant, $5 the most rows, $6 the fence of its last lease by then. Ended uses. */
export const USES_THEN = named(
  'uses_then',
  `SELECT user_id, holder, fence::double precision AS fence, ${iso('activated_at')} AS started_at, ${iso('occurred_at')} AS ended_at,
     reason AS end_reason, key_id
   FROM token_events e
   WHERE pool = $1 AND token_id = $3 AND event IN ('released', 'expired') AND seq <= $4 AND recorded_at <= $2::timestamptz
     AND fence <= $6
   ORDER BY e.fence DESC LIMIT $5`,
);

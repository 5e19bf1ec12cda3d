// The SQL that reconstructs what the service showed at a past instant. Events never change, so several statements
// outside a transaction see the same past. Unless a comment says otherwise, $1 is the pool and $2 the instant.

import { OPEN, UPKEEP_EVENTS } from '@app/tokens';
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

/**
 * What the events that had occurred by an instant say of a token between two users. The end of a lease that was overdue
 * then was recorded later. The snapshot stands for dropped events.
 */
const UPKEEP_THEN = `
  SELECT token_id,
    (array_agg(event ORDER BY seq DESC) FILTER (WHERE event IN ('soiled', 'cleaned')))[1] = 'soiled' AS is_dirty,
    (array_agg(event ORDER BY seq DESC) FILTER (WHERE event IN ('disabled', 'enabled')))[1] = 'disabled' AS is_disabled,
    (array_agg(metadata ->> 'note' ORDER BY seq DESC) FILTER (WHERE event = 'disabled'))[1] AS disabled_reason,
    (array_agg(occurred_at ORDER BY seq DESC) FILTER (WHERE event = 'disabled'))[1] AS disabled_at,
    (array_agg(actor ORDER BY seq DESC) FILTER (WHERE event = 'disabled'))[1] AS disabled_by,
    (array_agg(event ORDER BY seq DESC) FILTER (WHERE event IN ('activated', 'released', 'expired')))[1] = 'activated'
      AS is_held,
    (array_agg(reason ORDER BY seq DESC) FILTER (WHERE event = 'activated'))[1] = 'cleaning' AS is_cleaning,
    (array_agg(expires_at ORDER BY seq DESC) FILTER (WHERE event IN ('activated', 'renewed')))[1] > $2::timestamptz
      AS runs,
    (array_agg((metadata ->> 'available_at')::timestamptz ORDER BY seq DESC)
      FILTER (WHERE event IN ('released', 'expired')))[1] AS available_at,
    bool_or(event = 'deleted') AS is_deleted`;

const STATUS_THEN = `CASE WHEN is_held AND runs THEN CASE WHEN is_cleaning THEN 'cleaning' ELSE 'active' END
    WHEN is_disabled THEN 'disabled' WHEN is_dirty OR (is_held AND is_cleaning) THEN 'dirty'
    WHEN available_at > $2::timestamptz THEN 'cooling' ELSE 'available' END`;

const SNAPSHOT_AS_EVENTS = `
  SELECT (token ->> 'id')::uuid AS token_id, b.seq, e.event, e.reason, e.occurred_at, NULL::text AS actor, e.metadata,
    e.expires_at
  FROM (SELECT ${BEGINS} AS seq) b, event_snapshot_tokens s, jsonb_array_elements(s.tokens) token,
    LATERAL (SELECT token -> 'upkeep' AS upkeep, token -> 'lease' AS lease) u, LATERAL (
      SELECT 'soiled', NULL, to_timestamp((upkeep ->> 'dirty_since')::double precision / 1000000), NULL::jsonb, NULL::timestamptz
      WHERE upkeep ? 'dirty_since'
      UNION ALL
      SELECT 'disabled', NULL, to_timestamp((upkeep #>> '{disabled,at}')::double precision / 1000000),
        jsonb_build_object('note', upkeep #>> '{disabled,reason}'), NULL WHERE upkeep ? 'disabled'
      UNION ALL
      SELECT 'released', NULL, '-infinity', jsonb_build_object('available_at',
        to_timestamp((upkeep ->> 'rests_until')::double precision / 1000000)), NULL WHERE upkeep ? 'rests_until'
      UNION ALL
      SELECT 'activated', CASE WHEN lease ? 'cleaning' THEN 'cleaning' END, '-infinity', NULL,
        to_timestamp((lease ->> 'expires_at')::double precision / 1000000) WHERE jsonb_typeof(lease) = 'object'
    ) e (event, reason, occurred_at, metadata, expires_at)
  WHERE s.pool = $1 AND s.seq = b.seq`;

/**
 * $3 the last seq by the instant. How many tokens were in each status then, if the pool has ever kept tokens back: no
 * row otherwise. It reads all events of the pool.
 */
export const STATES_THEN = named(
  'states_then',
  `WITH events AS (
     SELECT token_id, seq, event, reason, occurred_at, actor, metadata, expires_at FROM token_events
     WHERE pool = $1 AND token_id IS NOT NULL AND occurred_at <= $2::timestamptz
       AND (seq <= $3 OR event IN ('expired', 'soiled', 'disabled'))
     UNION ALL ${SNAPSHOT_AS_EVENTS}
   ), tokens AS (${UPKEEP_THEN} FROM events GROUP BY token_id)
   SELECT status, count(*)::int AS number FROM (
     SELECT ${STATUS_THEN} AS status FROM tokens WHERE NOT is_deleted) t
   WHERE (SELECT upkeep_seq FROM pools WHERE name = $1) IS NOT NULL
   GROUP BY status`,
);

/** $3 token, $4 the last seq by the instant. What happened to it between two users; no row in most pools. */
export const TOKEN_UPKEEP_THEN = named(
  'token_upkeep_then',
  `WITH events AS (
     SELECT token_id, seq, event, reason, occurred_at, actor, metadata, expires_at FROM token_events
     WHERE token_id = $3 AND pool = $1 AND occurred_at <= $2::timestamptz
       AND (seq <= $4 OR event IN ('expired', 'soiled', 'disabled'))
     UNION ALL SELECT * FROM (${SNAPSHOT_AS_EVENTS}) s WHERE token_id = $3
   ), tokens AS (${UPKEEP_THEN} FROM events GROUP BY token_id)
   SELECT status, CASE WHEN status = 'cooling' THEN ${iso('available_at')} END AS available_at,
     CASE WHEN is_disabled THEN disabled_reason END AS disabled_reason,
     CASE WHEN is_disabled THEN ${iso('disabled_at')} END AS disabled_at, CASE WHEN is_disabled THEN coalesce(disabled_by, '${OPEN}') END AS disabled_by
   FROM (SELECT *, ${STATUS_THEN} AS status FROM tokens) t
   WHERE (SELECT upkeep_seq FROM pools WHERE name = $1) IS NOT NULL`,
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
     WHERE token_id = $3 AND pool = $1 AND seq <= $4 AND recorded_at <= $2::timestamptz
       AND event NOT IN ('described', ${UPKEEP_EVENTS.map((event) => `'${event}'`).join(', ')})
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

// The SQL that reads pools. Each answer is one statement, so that it is one snapshot, and the database's clock judges.

import { named } from '../connection/pipeline.js';
import { CLOCK_BEHIND_SECONDS, POLICY_VIEW, UPKEEP_POLICY, lastSeq, statusOf, upkeepOf } from '../schema/fragments.js';
import { poolsNow } from '../schema/pool-clock.js';

const poolView = (pool: string): string => `
  ${POLICY_VIEW},
  CASE WHEN has_upkeep THEN json_build_object('total', token_count,
    'available', token_count - lease_count + overdue - cooling - dirty_count - disabled_count - kept_back,
    'active', lease_count - overdue - cleaning_count + cleaned, 'cooling', cooling + now_cooling,
    'dirty', dirty_count + now_dirty, 'cleaning', cleaning_count - cleaned, 'disabled', disabled_count + now_disabled)
  ELSE json_build_object('total', token_count, 'available', token_count - lease_count + overdue,
    'active', lease_count - overdue) END AS counts,
  ${lastSeq(pool)} AS last_seq`;

/**
 * The pool's counters and its tokens are of one snapshot, so PostgreSQL only has to count the overdue leases, and in a
 * pool that keeps tokens back those that rest, and what the overdue leases leave behind.
 */
const pools = (where: string, pool: string): string => `
  WITH p AS MATERIALIZED (SELECT *, ${UPKEEP_POLICY.replace(' max_cleans, disable_after_unclean,', '')} FROM (${poolsNow(where)}) p)
  SELECT ${poolView(pool)} FROM p, LATERAL (
    SELECT count(*)::int AS overdue FROM tokens t
    WHERE t.pool = ${pool} AND t.status = 'active' AND t.expires_at <= p.now) o, LATERAL (
    SELECT count(*)::int AS cooling FROM tokens t
    WHERE p.has_upkeep AND t.pool = ${pool} AND t.status = 'available' AND t.free_since > p.now) c, LATERAL (
    SELECT count(*) FILTER (WHERE status = 'cooling')::int AS now_cooling,
      count(*) FILTER (WHERE status = 'dirty')::int AS now_dirty,
      count(*) FILTER (WHERE status = 'disabled')::int AS now_disabled,
      count(*) FILTER (WHERE status <> 'available')::int AS kept_back,
      count(*) FILTER (WHERE is_cleaning)::int AS cleaned
    FROM (
      SELECT ${statusOf('false')} AS status, u.cleaning_fence = t.fence AS is_cleaning
      FROM (SELECT p.*) here, tokens t ${upkeepOf(pool)}
      WHERE p.has_upkeep AND o.overdue > 0 AND t.pool = ${pool} AND t.status = 'active' AND t.expires_at <= p.now) s) k
  ORDER BY name`;

export const POOLS = named('pools', pools(`WHERE life = 'live'`, 'p.name'));
/** $1 names, as a JSON array. It counts no tokens of other pools. */
export const POOLS_NAMED = named(
  'pools_named',
  pools(`WHERE life = 'live' AND name = ANY (SELECT json_array_elements_text($1::json))`, 'p.name'),
);
/** $1 pool. */
export const POOL = named('pool', pools(`WHERE life = 'live' AND name = $1`, '$1'));

/** The age of each pool's oldest lease, and the leases that are overdue because no sweep has ended them yet. */
export const LEASE_AGES = named(
  'lease_ages',
  `
  WITH p AS MATERIALIZED (
    SELECT name, now, ${CLOCK_BEHIND_SECONDS} AS clock_behind_seconds FROM (${poolsNow(`WHERE life = 'live'`)}) p)
  SELECT name AS pool,
    coalesce(date_part('epoch', now - (
      SELECT last_activated_at FROM tokens t
      WHERE t.pool = p.name AND t.status = 'active' AND t.expires_at > p.now ORDER BY fence LIMIT 1)), 0)
      AS oldest_active_seconds,
    overdue, coalesce(date_part('epoch', now - since), 0) AS overdue_seconds, clock_behind_seconds
  FROM p, LATERAL (
    SELECT count(*)::int AS overdue, min(expires_at) AS since FROM tokens t
    WHERE t.pool = p.name AND t.status = 'active' AND t.expires_at <= p.now) o`,
);

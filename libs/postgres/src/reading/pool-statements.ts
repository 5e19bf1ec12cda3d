// The SQL that reads pools. Each answer is one statement, so that it is one snapshot, and the database's clock judges.

import { named } from '../connection/pipeline.js';
import { CLOCK_BEHIND_SECONDS, POLICY_VIEW, lastSeq } from '../schema/fragments.js';
import { poolsNow } from '../schema/pool-clock.js';

const poolView = (pool: string): string => `
  ${POLICY_VIEW},
  json_build_object('total', token_count, 'available', token_count - lease_count + overdue,
    'active', lease_count - overdue) AS counts,
  ${lastSeq(pool)} AS last_seq`;

/** The pool's counters and its tokens are of one snapshot, so PostgreSQL only has to count the overdue leases. */
const pools = (where: string, pool: string): string => `
  WITH p AS MATERIALIZED (${poolsNow(where)})
  SELECT ${poolView(pool)} FROM p, LATERAL (
    SELECT count(*)::int AS overdue FROM tokens t
    WHERE t.pool = ${pool} AND t.status = 'active' AND t.expires_at <= p.now) o
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

// The SQL that reads leases over several pools. Each answer is one statement. Each lease is judged by the instant in
// its pool.

import { named } from '../connection/pipeline.js';
import { holderOf, iso, leaseMetadata, ofThing } from '../schema/fragments.js';
import { poolsNow } from '../schema/pool-clock.js';

/** The instant in the pool of token t, and whether it is listed. */
const HERE = `LATERAL (SELECT now, kind = 'listed' AS is_listed FROM (${poolsNow('WHERE name = t.pool')}) p) here`;

const RUNS = `t.status = 'active' AND t.expires_at > here.now`;

const LEASE = `
  t.id AS token_id, ${ofThing('name', 't.pool')} AS name, t.pool, t.fence::double precision AS fence, ${holderOf('t')} AS holder,
  t.user_id`;

const LEASE_VIEW = `${LEASE},
  ${iso('t.last_activated_at')} AS activated_at, ${iso('t.expires_at')} AS expires_at, ${leaseMetadata('t.pool')} AS metadata,
  t.key_id`;

/**
 * $1 the name, $2 page size, after $3 (pool) and $4 (fence), $5 the key that took the lease or null, $6 the pools or
 * null.
 */
export const LEASES_OF_HOLDER = named(
  'leases_of_holder',
  `SELECT ${LEASE_VIEW}, NULL AS examined_to
   FROM tokens t, ${HERE}
   WHERE t.holder = $1 AND t.holder_fence = t.fence AND ${RUNS} AND (t.pool, t.fence) > ($3, $4::bigint)
     AND ($5::text IS NULL OR t.key_id = $5) AND ($6::text[] IS NULL OR t.pool = ANY ($6::text[]))
   ORDER BY t.pool, t.fence LIMIT $2`,
);

/**
 * $1 the user, $2 to $6 as in LEASES_OF_HOLDER, $7 the most leases to examine. At least one row; without a lease it has
 * no token. `examined_to` is the place of the last lease that it has examined, if there may be more. It reads the
 * leases of one pool after the other by the index of the oldest leases.
 */
export const LEASES_OF_USER = named(
  'leases_of_user',
  `WITH examined AS MATERIALIZED (
     SELECT t.* FROM (
       SELECT name FROM pools
       WHERE name >= $3 AND lease_count > 0 AND ($6::text[] IS NULL OR name = ANY ($6::text[]))
     ) w, LATERAL (
       SELECT * FROM tokens
       WHERE pool = w.name AND status = 'active' AND fence > CASE WHEN w.name = $3 THEN $4::bigint ELSE 0 END
       ORDER BY fence LIMIT $7
     ) t
     ORDER BY w.name, t.fence LIMIT $7
   )
   SELECT l.*, CASE WHEN number = $7 THEN (
     SELECT pool || '~' || fence FROM examined ORDER BY pool DESC, fence DESC LIMIT 1) END AS examined_to
   FROM (SELECT count(*) AS number FROM examined) n LEFT JOIN LATERAL (
     SELECT ${LEASE_VIEW} FROM examined t, ${HERE}
     WHERE t.user_id = $1 AND ${RUNS} AND ($5::text IS NULL OR t.key_id = $5)
     ORDER BY t.pool, t.fence LIMIT $2
   ) l ON true
   ORDER BY l.pool, l.fence`,
);

/** @param secret the stored secret of token t, or null */
const verified = (secret: string): string => `
  true AS valid, ${LEASE},
  ${iso('t.expires_at')} AS expires_at,
  floor(date_part('epoch', t.expires_at - here.now) * 1000) AS expires_in_ms, t.key_id, ${secret} AS secret`;

/** $1 token, $2 fence, $3 the pools or null. One row if the lease is open. */
export const VERIFY_TOKEN = named(
  'verify_token',
  `SELECT ${verified('NULL')} FROM tokens t, ${HERE}
   WHERE t.id = $1 AND t.fence = $2 AND ${RUNS} AND ($3::text[] IS NULL OR t.pool = ANY ($3::text[]))`,
);

const SECRET = `
  CASE WHEN here.is_listed THEN (SELECT sealed FROM thing_secrets s WHERE s.pool = t.pool AND s.token_id = t.id) END`;

/**
 * $1 lease, $2 the fence in it, $3 the pools or null. One row if the lease is open. It looks the fence up in each pool,
 * because no index has lease ids. OFFSET 0 keeps the planner from starting at the other end.
 */
export const VERIFY_LEASE = named(
  'verify_lease',
  `SELECT ${verified(SECRET)} FROM (
     SELECT name FROM pools WHERE last_fence >= $2 AND ($3::text[] IS NULL OR name = ANY ($3::text[]))
   ) w, LATERAL (
     SELECT * FROM tokens WHERE pool = w.name AND status = 'active' AND fence = $2 OFFSET 0
   ) t, ${HERE}
   WHERE t.lease_id = $1 AND ${RUNS}`,
);

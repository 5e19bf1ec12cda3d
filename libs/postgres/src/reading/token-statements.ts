// The SQL that reads tokens. Each answer is one statement, so that it is one snapshot. The database's clock judges each
// lease, so that the token of an overdue lease is available in every answer, whether or not a sweep has ended the
// lease.

import { named } from '../connection/pipeline.js';
import { EVENT_VIEW, bounded, holderOf, iso, lastSeq, leaseMetadata, ofThing } from '../schema/fragments.js';
import { poolsNow } from '../schema/pool-clock.js';

/** How many uses a token's details include. */
export const SHOWN_USES = 20;

/**
 * The instant in pool $1, computed once for the whole statement, so that PostgreSQL can search an index for it. A
 * deleted pool has none, so its tokens look deleted before the last chunk of them is.
 */
const HERE = `here AS MATERIALIZED (SELECT now, token_count > size AS is_draining, kind = 'listed' AS is_listed
  FROM (${poolsNow(`WHERE name = $1 AND life = 'live'`)}) p)`;

const RUNS = `t.status = 'active' AND t.expires_at > here.now`;

/** @param since an instant; the metadata of a lease that began earlier is null */
const tokenView = (since?: string): string => `
  t.id, t.pool, ${ofThing('name', '$1')} AS name, ${ofThing(`attributes - '@pool'`, '$1')} AS attributes,
  CASE WHEN ${RUNS} THEN 'active' ELSE 'available' END AS status,
  CASE WHEN ${RUNS} THEN t.user_id END AS active_user_id, CASE WHEN ${RUNS} THEN ${holderOf('t')} END AS holder,
  ${iso('t.last_activated_at')} AS last_activated_at,
  CASE WHEN ${RUNS} THEN ${iso('t.expires_at')} END AS expires_at,
  CASE WHEN ${RUNS} THEN t.fence::double precision END AS fence, t.key_id,
  CASE WHEN ${RUNS} THEN ${leaseMetadata('$1', since)} END AS lease_metadata,
  (here.is_draining OR t.leaving) AND t.status = 'active' AS draining`;

const TOKEN_VIEW = tokenView();

/**
 * $1 token. The pool of a token, or of a deleted one. One statement covers both, so that its duration tells little
 * about tokens that the caller may not know of. It reads events only if the token does not exist.
 */
export const LOCATE = named(
  'locate',
  `SELECT pool, false AS "isDeleted" FROM tokens WHERE id = $1
  UNION ALL
  (SELECT pool, true FROM token_events WHERE token_id = $1 AND NOT EXISTS (SELECT FROM tokens WHERE id = $1) LIMIT 1)`,
);

/** $4 a user, $6 the name of a holder, $5 the key that took the lease, each of which may be null. */
const IS_HELD_BY = `($4::uuid IS NULL OR t.user_id = $4) AND ($6::text IS NULL OR ${holderOf('t')} = $6)
     AND ($5::text IS NULL OR t.key_id = $5)`;

/** $1 pool, $2 page size, $3 after this id, $4 to $6 whose, as IS_HELD_BY says. */
export const LIST_ALL = named(
  'list_all',
  `WITH ${HERE}
   SELECT ${TOKEN_VIEW} FROM here, tokens t
   WHERE t.pool = $1 AND t.id > $3
     AND ($4::uuid IS NULL AND $6::text IS NULL OR ${RUNS} AND ${IS_HELD_BY})
   ORDER BY t.id LIMIT $2`,
);

/** $1 pool, $2 page size, $3 after this fence, $4 to $6 whose, as IS_HELD_BY says. */
export const LIST_ACTIVE = named(
  'list_active',
  `WITH ${HERE}
   SELECT ${TOKEN_VIEW} FROM here, tokens t
   WHERE t.pool = $1 AND ${RUNS} AND t.fence > $3
     AND ($4::uuid IS NULL AND $6::text IS NULL OR ${IS_HELD_BY})
   ORDER BY t.fence LIMIT $2`,
);

/** $1 pool, $2 page size, after $3 (microseconds) and $4 (id). Merges free tokens and tokens of overdue leases. */
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

/**
 * Whether this database can have issued a cursor for a list of pool $1. The place is $2 a seq, $3 a fence, $4 an
 * instant in microseconds or $5 a token; the others are null. A place that a restore has lost lies in a gap of numbers.
 */
export const PLACE_ISSUED = named(
  'place_issued',
  `SELECT ${lastSeq('$1')} AS last_seq,
     coalesce($2::bigint, 0) <= p.last_seq AND coalesce($3::bigint, 0) <= p.last_fence
     AND NOT EXISTS (SELECT FROM restores r WHERE r.pool = $1
       AND ($2::bigint > r.after_seq AND $2::bigint < r.next_seq OR $3::bigint > r.after_fence AND $3::bigint < r.next_fence))
     AND coalesce(timestamptz 'epoch' + $4::bigint * interval '1 microsecond', '-infinity') <= p.now
     AND ($5::uuid IS NULL OR EXISTS (SELECT FROM tokens WHERE pool = $1 AND id = $5)
       OR EXISTS (SELECT FROM token_events WHERE pool = $1 AND token_id = $5)) AS "isIssued"
   FROM (${poolsNow('WHERE name = $1')}) p`,
);

/**
 * At most $3 uses of token $2 with a fence below $4, newest first: the open lease, then those whose end was recorded
 * since $5.
 */
const USES = `
  SELECT t.user_id, ${holderOf('t')} AS holder, t.fence::double precision AS fence, ${iso('t.last_activated_at')} AS started_at,
    CASE WHEN NOT (${RUNS}) THEN ${iso('t.expires_at')} END AS ended_at,
    CASE WHEN NOT (${RUNS}) THEN 'ttl_expired' END AS end_reason, t.key_id
  FROM here, tokens t WHERE t.pool = $1 AND t.id = $2 AND t.status = 'active' AND t.fence < $4
  UNION ALL
  (SELECT user_id, holder, fence::double precision, ${iso('activated_at')}, ${iso('occurred_at')}, reason, key_id
   FROM token_events
   WHERE pool = $1 AND token_id = $2 AND event IN ('released', 'expired') AND fence < $4
     AND recorded_at >= $5::timestamptz
   ORDER BY token_events.fence DESC LIMIT $3)
  ORDER BY fence DESC LIMIT $3`;

/** $1 pool, $2 token, $3 page size, $4 below this fence, $5 the instant since when to read events. */
export const HISTORY = named('history', `WITH ${HERE} ${USES}`);

/** $1 pool, $2 token, $3 the most uses, $4 a number above all fences, $5 the instant since when to read events. */
export const TOKEN_DETAILS = named(
  'token_details',
  `WITH ${HERE}, uses AS (${USES})
   SELECT ${tokenView('$5')},
     CASE WHEN ${RUNS} THEN json_build_object('user_id', t.user_id, 'holder', ${holderOf('t')},
       'activated_at', ${iso('t.last_activated_at')}, 'expires_at', ${iso('t.expires_at')}) END AS "current_user",
     (SELECT coalesce(json_agg(uses), '[]') FROM uses) AS history
   FROM here, tokens t WHERE t.pool = $1 AND t.id = $2`,
);

/** $1 token, $2 page size, $3 below this seq, $4 the instant since when to read events. */
export const TOKEN_EVENTS = named(
  'token_events',
  `SELECT ${EVENT_VIEW}, e.is_followed FROM (${bounded(
    `SELECT * FROM token_events e WHERE e.token_id = $1 AND e.seq < $3 AND e.recorded_at >= $4::timestamptz
     ORDER BY e.seq DESC LIMIT $2`,
    'DESC',
  )}) e
   ORDER BY e.seq DESC`,
);

/** $1 pool, $2 token, $3 fence, $4 lease, $5 the key that must have taken the lease, or null. */
export const END_OF_LEASE = named(
  'end_of_lease',
  `SELECT reason AS end_reason, ${iso('occurred_at')} AS ended_at FROM token_events
   WHERE pool = $1 AND token_id = $2 AND fence = $3 AND event IN ('released', 'expired') AND lease_id = $4
     AND ($5::text IS NULL OR key_id = $5)`,
);

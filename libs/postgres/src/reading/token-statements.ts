// The SQL that reads tokens. Each answer is one statement, so that it is one snapshot. The database's clock judges each
// lease, so that the token of an overdue lease is available in every answer, whether or not a sweep has ended the
// lease.

import { named, type Statement } from '../connection/pipeline.js';
import {
  EVENT_VIEW,
  FREE_AT,
  bounded,
  holderOf,
  iso,
  lastSeq,
  leaseMetadata,
  ofThing,
  statusOf,
  UPKEEP_POLICY,
  upkeepOf,
} from '../schema/fragments.js';
import { poolsNow } from '../schema/pool-clock.js';

/** How many uses a token's details include. */
export const SHOWN_USES = 20;

/**
 * The instant in pool $1, computed once for the whole statement, so that PostgreSQL can search an index for it. A
 * deleted pool has none, so its tokens look deleted before the last chunk of them is.
 */
const HERE = `here AS MATERIALIZED (SELECT now, token_count > size AS is_draining, kind = 'listed' AS is_listed,
  ${UPKEEP_POLICY}
  FROM (${poolsNow(`WHERE name = $1 AND life = 'live'`)}) p)`;

const RUNS = `t.status = 'active' AND t.expires_at > here.now`;

/** Token t with its status s. */
const from = (tokens: string): string =>
  `here, ${tokens} t ${upkeepOf('$1')} CROSS JOIN LATERAL (SELECT ${statusOf(RUNS)} AS status OFFSET 0) s`;

/** @param since an instant; the metadata of a lease that began earlier is null */
const tokenView = (since?: string): string => `
  t.id, t.pool, ${ofThing('name', '$1')} AS name, ${ofThing(`attributes - '@pool'`, '$1')} AS attributes,
  s.status,
  CASE WHEN ${RUNS} THEN t.user_id END AS active_user_id, CASE WHEN ${RUNS} THEN ${holderOf('t')} END AS holder,
  ${iso('t.last_activated_at')} AS last_activated_at,
  CASE WHEN ${RUNS} THEN ${iso('t.expires_at')} END AS expires_at,
  CASE WHEN ${RUNS} THEN t.fence::double precision END AS fence, t.key_id,
  CASE WHEN ${RUNS} THEN ${leaseMetadata('$1', since)} END AS lease_metadata,
  (here.is_draining OR t.leaving) AND t.status = 'active' AS draining,
  CASE WHEN s.status = 'cooling' THEN ${iso(FREE_AT)} END AS available_at,
  u.disabled_reason, ${iso('u.disabled_at')} AS disabled_at, u.disabled_by`;

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

/** A statement that lists tokens, and the same one restricted to tokens that are found by name or attributes. */
interface Lists {
  readonly any: Statement;
  readonly found: Statement;
}

/**
 * @param name,path the parameters of a search: a name or null, and a path that the attributes match (`pathOf`). A
 * search by name reads the index of names. The other one reads that of attributes; the path names the pool. With the
 * pool as a condition, too, the planner may prefer to go through all things of the pool.
 * @param page limits the search by attributes to what the page needs, where the order of things tells
 * @param list makes the statement from a source of tokens and more common table expressions. OFFSET 0 makes PostgreSQL
 * begin with the index of attributes, and look each found token up instead of reading all tokens of the pool.
 */
const lists = (
  id: string,
  [name, path]: [string, string],
  page: string,
  list: (tokens: string, also: string) => string,
): Lists => ({
  any: named(id, list('tokens', '')),
  found: named(
    `${id}_found`,
    list(
      'found',
      `, found AS MATERIALIZED (
         SELECT t.* FROM (
           SELECT token_id FROM things WHERE pool = $1 AND name = ${name}::text AND attributes @@ ${path}::jsonpath
           UNION ALL
           (SELECT token_id FROM (
              SELECT token_id FROM things WHERE ${name}::text IS NULL AND attributes @@ ${path}::jsonpath OFFSET 0
            ) g ${page})
         ) g, LATERAL (SELECT * FROM tokens WHERE pool = $1 AND id = g.token_id OFFSET 0) t)`,
    ),
  ),
});

/**
 * $4 a user, $6 the name of a holder, $5 the key that took the lease, each of which may be null. Without a user and a
 * name it is true of all tokens. CASE keeps the planner from assuming that it is true of few: it would sort all tokens
 * instead of reading a page of them in their order.
 */
const IS_ASKED_FOR = `CASE WHEN $4::uuid IS NULL AND $6::text IS NULL THEN true ELSE
       ${RUNS} AND ($4::uuid IS NULL OR t.user_id = $4) AND ($6::text IS NULL OR ${holderOf('t')} = $6)
       AND ($5::text IS NULL OR t.key_id = $5) END`;

/** $1 pool, $2 page size, $3 after this id, $4 to $6 whose, as IS_ASKED_FOR says; $7 and $8 as `lists` says. */
export const LIST_ALL = lists(
  'list_all',
  ['$7', '$8'],
  'WHERE token_id > $3 ORDER BY token_id LIMIT CASE WHEN $4::uuid IS NULL AND $6::text IS NULL THEN $2::bigint END',
  (tokens, also) => `
   WITH ${HERE}${also}
   SELECT ${TOKEN_VIEW} FROM ${from(tokens)}
   WHERE t.pool = $1 AND t.id > $3 AND ${IS_ASKED_FOR}
   ORDER BY t.id LIMIT $2`,
);

/** As LIST_ALL, and $7 a status that only some pools use; $8 and $9 as `lists` says. */
export const LIST_KEPT_BACK = lists(
  'list_kept_back',
  ['$8', '$9'],
  '',
  (tokens, also) => `
   WITH ${HERE}${also}
   SELECT ${TOKEN_VIEW} FROM ${from(tokens)}
   WHERE t.pool = $1 AND t.id > $3 AND ${IS_ASKED_FOR} AND here.has_upkeep AND s.status = $7
   ORDER BY t.id LIMIT $2`,
);

/** $1 pool, $2 page size, $3 after this fence, $4 to $6 whose, as IS_ASKED_FOR says; $7 and $8 as `lists` says. */
export const LIST_ACTIVE = lists(
  'list_active',
  ['$7', '$8'],
  '',
  (tokens, also) => `
   WITH ${HERE}${also}
   SELECT ${TOKEN_VIEW} FROM ${from(tokens)}
   WHERE t.pool = $1 AND ${RUNS} AND t.fence > $3 AND ${IS_ASKED_FOR} AND s.status = 'active'
   ORDER BY t.fence LIMIT $2`,
);

/**
 * $1 pool, $2 page size, after $3 (microseconds) and $4 (id); $5 and $6 as `lists` says. Merges free tokens that do not
 * rest and tokens of overdue leases, unless their upkeep keeps these back.
 */
export const LIST_AVAILABLE = lists(
  'list_available',
  ['$5', '$6'],
  '',
  (tokens, also) => `
   WITH ${HERE}${also}, after AS (SELECT timestamptz 'epoch' + $3::bigint * interval '1 microsecond' AS since)
   SELECT ${TOKEN_VIEW}, (date_part('epoch', since) * 1000000)::bigint AS since
   FROM ${from(`(
     (SELECT *, free_since AS since FROM ${tokens} t
      WHERE pool = $1 AND status = 'available' AND free_since <= (SELECT now FROM here)
        AND (free_since, id) > ((SELECT since FROM after), $4)
      ORDER BY free_since, id LIMIT $2)
     UNION ALL
     (SELECT *, expires_at AS since FROM ${tokens} t
      WHERE pool = $1 AND status = 'active' AND expires_at <= (SELECT now FROM here)
        AND (expires_at, id) > ((SELECT since FROM after), $4) AND (SELECT NOT has_upkeep FROM here)
      ORDER BY expires_at, id LIMIT $2)
     UNION ALL
     (SELECT t.*, f.since FROM ${from(tokens)} CROSS JOIN LATERAL (SELECT ${FREE_AT} AS since) f
      WHERE here.has_upkeep AND t.pool = $1 AND t.status = 'active' AND t.expires_at <= (SELECT now FROM here)
        AND s.status = 'available' AND (f.since, t.id) > ((SELECT since FROM after), $4)
      ORDER BY f.since, t.id LIMIT $2)
   )`)}
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
   FROM ${from('tokens')} WHERE t.pool = $1 AND t.id = $2`,
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

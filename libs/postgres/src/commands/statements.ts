// The SQL of everything that writes. Each connection prepares a statement once. All statements take their locks in the
// same order: pool row → tokens → events → pool counters.

import { IDEMPOTENCY_RECORD_HOURS, policyFields } from '@app/tokens';
import { named, type Statement } from '../connection/pipeline.js';
import { holderOf, instant, POLICY_COLUMNS, POLICY_VIEW } from '../schema/fragments.js';
import { poolsNow } from '../schema/pool-clock.js';

/**
 * Looks up a token by its key, from within a row that names it. OFFSET 0 keeps the planner from starting at the other
 * end: with the statistics of an empty table it would read the whole pool for each row.
 */
const byId = (columns: string, id: string): string =>
  `(SELECT ${columns} FROM tokens WHERE pool = $1 AND id = ${id} OFFSET 0)`;

/**
 * $1 pool. Takes the pool's lock. It is a statement of its own: if it also chose a token, it would use the snapshot
 * from before the wait, and choose a token that another command has just taken.
 */
export const LOCK_POOL = named('lock_pool', `SELECT FROM pools WHERE name = $1 FOR NO KEY UPDATE`);

/** $1 pool. The same for the sweep, which skips a busy pool: the command that holds its lock expires its leases. */
export const LOCK_POOL_IF_IDLE = named(
  'lock_pool_if_idle',
  `SELECT FROM pools WHERE name = $1 FOR NO KEY UPDATE SKIP LOCKED`,
);

/** Whether a token has an open lease that is not overdue. */
const RUNS = `status = 'active' AND expires_at > (SELECT now FROM here)`;

/**
 * The lease counts of some holders, from one scan of the pool's leases. There is no index on users, because every grant
 * in every pool would have to write it. IS TRUE makes the planner hash the list of holders.
 */
const held = (holder: string, holders: string, isCounted: string): string => `(
    SELECT json_agg(json_build_array(holder, leases, date_part('epoch', next_expiry)))
    FROM (
      SELECT ${holder} AS holder, count(*) AS leases, min(expires_at) AS next_expiry
      FROM tokens
      WHERE pool = $1 AND ${RUNS} AND (SELECT ${isCounted} FROM here) AND (${holder} IN (${holders})) IS TRUE
      GROUP BY ${holder}) h)`;

/** How many of the loaded tokens are free now: those that rest are the last ones. */
const freeNow = (upkeep: boolean): string =>
  `(SELECT count(*) FROM free${upkeep ? ' WHERE free_since <= (SELECT now FROM here)' : ''})`;

/** Whether the lease of a token is that of who cleans it, or the token is disabled at its end: nobody evicts it. */
const isSpared = (token: string): string =>
  `EXISTS (SELECT FROM token_upkeep u WHERE u.pool = $1 AND u.token_id = ${token}.id
      AND (u.disabled_at IS NOT NULL OR u.cleaning_fence = ${token}.fence))`;
const unlessSpared = (upkeep: boolean): string => (upkeep ? ` AND NOT ${isSpared('tokens')}` : '');

/**
 * How many tokens overdue leases free. A pool above its size deletes them instead, and may have to evict. Where tokens
 * are kept back after a lease, they may free none.
 */
const freed = (upkeep: boolean): string =>
  upkeep
    ? '0'
    : `(SELECT CASE WHEN token_count > size THEN 0 ELSE (SELECT count(*) FROM due WHERE NOT leaving) END FROM here)`;

/**
 * The leases that a command may evict, in a pool whose policy counts. $7 the user of each grant. The share of a lease
 * is the number of leases that its user holds from this one on. The user with the most leases loses the oldest first,
 * so leases go in descending order of their share, and then by fence. A grant in this batch raises the shares of its
 * user. So `rising` adds the leases of users that ask which may then be among the first.
 */
/** The leases that nobody evicts count for their users, too. */
const SHARE_BESIDE_SPARED = `count(*) OVER (PARTITION BY user_id)
      - row_number() OVER (PARTITION BY user_id, is_spared ORDER BY fence) + 1`;
const losing = (upkeep: boolean): string => `, asking AS MATERIALIZED (
    SELECT user_id, count(*) AS asks FROM unnest($7::uuid[]) AS a (user_id) GROUP BY user_id
  ), victims AS MATERIALIZED (
    SELECT CASE WHEN on_exhausted = 'evict_oldest' AND evict = 'over_share_first' AND $6::int > 0
      THEN greatest(0, $6::int + $5::int - ${freeNow(upkeep)} - ${freed(upkeep)}) ELSE 0 END AS most
    FROM here
  ), shares AS MATERIALIZED (
    SELECT *, ${upkeep ? SHARE_BESIDE_SPARED : 'row_number() OVER (PARTITION BY user_id ORDER BY fence DESC)'} AS share
    FROM (SELECT *, ${upkeep ? isSpared('tokens') : 'false'} AS is_spared FROM tokens
      WHERE pool = $1 AND ${RUNS} AND NOT leaving AND (SELECT most FROM victims) > 0) t
  ), losing AS MATERIALIZED (
    SELECT * FROM shares WHERE NOT is_spared ORDER BY share DESC, fence LIMIT (SELECT most FROM victims)
  ), rising AS (
    SELECT s.* FROM asking JOIN shares s USING (user_id)
    WHERE NOT is_spared AND share + asks >= (SELECT min(share) FROM losing)
  )`;
const HELD = `
    ${held('user_id', 'SELECT user_id FROM asking UNION ALL SELECT user_id FROM losing', `max_per_user IS NOT NULL OR evict = 'over_share_first'`)} AS users,
    ${held('key_id', 'SELECT unnest($8::text[])', 'max_per_key IS NOT NULL')} AS keys,`;

/** Whether a thing, or the thing of a token, is in the selection s of LISTED. */
const IS_SELECTED = `attributes @> s.equal AND (s.path IS NULL OR attributes @@ s.path::jsonpath)`;
const matches = (token: string): string =>
  `LATERAL (SELECT FROM things WHERE pool = $1 AND token_id = ${token}.id AND ${IS_SELECTED} OFFSET 0) d`;

/** How many tokens to look at one after the other, before it asks the index, whose cost grows with the pool. */
const WALK = `$11::int * (4 + (SELECT token_count FROM here) / 2000) / cardinality($10::jsonb[])`;

/** The leases that are not overdue, in an order, as long as a condition holds and there are too few free tokens. */
const walkOfLeases = (order: string, onExhausted: string, condition: string): string => `
         (SELECT * FROM tokens
          WHERE pool = $1 AND ${RUNS} AND ${condition} AND (SELECT on_exhausted = '${onExhausted}' FROM here)
            AND (SELECT count(*) FROM walked) < $11::int
          ORDER BY ${order} LIMIT ${WALK})`;

/**
 * In a listed pool: $9 names, $10 selections as attributes that must be there and $13 as further conditions
 * (selectionsOf), $11 how many tokens to load for each selection, $12 whether to load all tokens. For each selection it
 * walks along the free tokens, longest free first, until it has enough that match, and then along the leases: the
 * oldest first if the pool evicts, otherwise those with the earliest deadlines first. If too few of the first ones
 * match, or if there are free tokens that it has not looked at, it asks the index of attributes for all that match.
 * OFFSET 0 keeps that from starting at the other end.
 * The walks begin at the floors of the selection (selection-floors.ts): $14 a fence, $15 an instant since when tokens
 * are free, $16 the version of the things and $17 the seq with which both were found.
 */
const listed = (upkeep: boolean): string => `, whole AS (
    SELECT * FROM tokens WHERE pool = $1 AND $12::boolean
  ), of_name AS (
    SELECT t.* FROM (SELECT token_id FROM things WHERE pool = $1 AND name = ANY ($9::text[])) d,
      LATERAL ${byId('*', 'd.token_id')} t
  ), selected AS (
    SELECT t.* FROM (
      SELECT equal, path, CASE WHEN is_known THEN fence ELSE 0 END AS from_fence,
        CASE WHEN is_known THEN ${instant('since')} ELSE '-infinity' END AS from_since
      FROM unnest($10::jsonb[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[])
        AS u (equal, path, fence, since, version, seq),
        LATERAL (SELECT u.version = things_seq AND u.seq <= last_seq AS is_known FROM here) k) s, LATERAL (
      WITH looked_at AS MATERIALIZED (
        SELECT * FROM tokens
        WHERE pool = $1 AND status = 'available' AND free_since >= s.from_since${
          upkeep ? ' AND free_since <= (SELECT now FROM here)' : ''
        }
        ORDER BY free_since, id LIMIT ${WALK}
      ), walked AS MATERIALIZED (
        SELECT f.* FROM looked_at f, ${matches('f')}
        ORDER BY f.free_since, f.id LIMIT $11::int
      ), leased AS MATERIALIZED (
        SELECT l.* FROM (
          ${walkOfLeases('fence', 'evict_oldest', `fence >= s.from_fence AND NOT leaving${unlessSpared(upkeep)}`)}
          UNION ALL ${walkOfLeases('expires_at', 'reject', 'true')}) l,
          ${matches('l')}
        LIMIT $11::int
      ), matching AS MATERIALIZED (
        SELECT t.* FROM (
          SELECT token_id FROM things
          WHERE ${IS_SELECTED} AND (SELECT count(*) FROM walked) < $11::int
            AND ((SELECT count(*) FROM walked) + (SELECT count(*) FROM leased) < $11::int
              OR (SELECT count(*) FROM looked_at) >= ${WALK}
              OR (SELECT protect_seconds IS NOT NULL FROM here)) OFFSET 0) d,
          LATERAL ${byId('*', 'd.token_id')} t
      )
      SELECT * FROM walked
      UNION ALL
      SELECT * FROM leased
      UNION ALL
      (SELECT o.* FROM tokens o, ${matches('o')}
       WHERE o.pool = $1 AND o.status = 'active' AND o.expires_at <= (SELECT now FROM here)
       ORDER BY o.expires_at, o.id LIMIT $11::int)
      UNION ALL
      (SELECT * FROM matching WHERE status = 'available' ORDER BY free_since, id LIMIT $11::int)
      UNION ALL
      (SELECT * FROM matching WHERE ${RUNS} ORDER BY expires_at LIMIT $11::int)
      UNION ALL
      (SELECT * FROM matching
       WHERE ${RUNS} AND NOT leaving${upkeep ? ` AND NOT ${isSpared('matching')}` : ''}
         AND (SELECT on_exhausted FROM here) = 'evict_oldest'
       ORDER BY fence LIMIT $11::int)
      ${upkeep ? `UNION ALL (SELECT * FROM matching WHERE status NOT IN ('available', 'active') LIMIT 1)` : ''}
    ) t
  )`;

const THINGS = `
    (SELECT json_agg(json_build_array(d.token_id, d.name, d.attributes, encode(s.sealed, 'base64')))
     FROM (SELECT DISTINCT id FROM slice) i,
       LATERAL (SELECT * FROM things WHERE pool = $1 AND token_id = i.id OFFSET 0) d
       LEFT JOIN thing_secrets s ON s.pool = $1 AND s.token_id = d.token_id) AS things,`;

const TOKENS =
  'id, user_id, lease_id, key_id, fence, last_activated_at, expires_at, free_since, holder, holder_fence, leaving';
const TOKENS_OF_LINE = `${TOKENS}, hard_end_at, offered_to, line_fence`;
const list = (table: string, hasLine: boolean): string => `SELECT ${hasLine ? TOKENS_OF_LINE : TOKENS} FROM ${table}`;
const lists = ({ counts, chooses, hasLine, hasUpkeep }: SliceShape): string[] => [
  ...['named', 'due', 'free', 'oldest'],
  ...(counts ? ['losing', 'rising'] : []),
  ...(chooses ? ['whole', 'of_name', 'selected'] : []),
  ...(hasLine ? ['soonest'] : []),
  ...(hasUpkeep ? ['spared', 'dirty', 'dirty_selected', 'kept_back', 'cleaned'] : []),
];

/**
 * In a pool with a line: the held tokens that come free first at the hard ends of their leases, as many as the promises
 * depend on. A lease from before there was a line ends at the latest as the policy of now says (hardEndOf).
 */
const soonest = (most: string, upkeep: boolean): string => `, soonest AS (
    SELECT t.* FROM tokens t, here
    WHERE t.pool = $1 AND t.status = 'active' AND NOT t.leaving AND ${most}::int > 0${
      upkeep
        ? ' AND NOT EXISTS (SELECT FROM token_upkeep u WHERE u.pool = $1 AND u.token_id = t.id AND u.cleaning_fence = t.fence)'
        : ''
    }
    ORDER BY coalesce(CASE WHEN t.line_fence = t.fence THEN t.hard_end_at END, CASE WHEN here.renewable
      THEN t.last_activated_at + here.max_lifetime_seconds * interval '1 second' ELSE t.expires_at END)
    LIMIT ${most}::int
  )`;

/** What a lease of a pool with a line has beside its deadline. Version 0.1.0 leaves both behind. */
const OF_LINE = `, CASE WHEN line_fence = fence THEN date_part('epoch', hard_end_at) END,
      CASE WHEN line_fence = fence THEN offered_to END`;

/**
 * In a pool whose tokens may be kept back between two users. $n how many dirty tokens, of all and for each of the
 * selections $n+1 and $n+2 (as $10 and $13), $n+3 how many that are dirty or disabled, $n+4 how many of the tokens that
 * somebody cleans. `spared` are the oldest leases that nobody evicts, if a command ends the oldest.
 */
const upkeep = (n: number): string => `, spared AS (
    SELECT * FROM tokens WHERE pool = $1 AND ${RUNS} AND $5::int > 0 AND ${isSpared('tokens')}
    ORDER BY fence LIMIT $5::int
  ), dirty AS (
    SELECT t.* FROM (
      SELECT token_id FROM token_upkeep
      WHERE pool = $1 AND dirty_since IS NOT NULL AND disabled_at IS NULL AND cleaning_fence IS NULL
      ORDER BY dirty_since, token_id LIMIT $${n}::int) u,
      LATERAL ${byId('*', 'u.token_id')} t
  ), dirty_selected AS (
    SELECT t.* FROM unnest($${n + 1}::jsonb[], $${n + 2}::text[]) AS s (equal, path), LATERAL (
      SELECT o.* FROM (
        SELECT token_id, dirty_since FROM token_upkeep
        WHERE pool = $1 AND dirty_since IS NOT NULL AND disabled_at IS NULL AND cleaning_fence IS NULL) u,
        LATERAL ${byId('*', 'u.token_id')} o, ${matches('o')}
      ORDER BY u.dirty_since, u.token_id LIMIT $${n}::int
    ) t
  ), kept_back AS (
    SELECT t.* FROM (
      SELECT token_id FROM token_upkeep
      WHERE pool = $1 AND cleaning_fence IS NULL AND (dirty_since IS NOT NULL OR disabled_at IS NOT NULL)
        AND $${n + 3}::int > 0) u,
      LATERAL ${byId('*', 'u.token_id')} t
    LIMIT $${n + 3}::int
  ), cleaned AS (
    SELECT t.* FROM (
      SELECT token_id FROM token_upkeep WHERE pool = $1 AND dirty_since IS NOT NULL AND cleaning_fence IS NOT NULL) u,
      LATERAL ${byId('*', 'u.token_id')} t
    LIMIT $${n + 4}::int
  )`;

const UPKEEP = `
    (SELECT json_agg(json_build_array(u.token_id, date_part('epoch', u.dirty_since), date_part('epoch', u.rests_until),
       u.failed_cleanings, u.unclean_users, u.disabled_reason, date_part('epoch', u.disabled_at), u.disabled_by,
       u.cleaning_fence))
     FROM (SELECT DISTINCT id FROM slice) i,
       LATERAL (SELECT * FROM token_upkeep WHERE pool = $1 AND token_id = i.id OFFSET 0) u) AS upkeep,`;

/** What a slice has beside its tokens. */
export interface SliceShape {
  /** Whether the policy counts leases. $7 the users and $8 the keys that ask. */
  readonly counts: boolean;
  /** Whether the pool is listed, so that the things of the tokens are loaded. */
  readonly isListed: boolean;
  /** Whether commands name or select things. It counts, too, and has $9 to $17 as `listed` says. */
  readonly chooses: boolean;
  /** Whether the pool has a line. The next parameters: how many tokens that come free first, and the line's instant. */
  readonly hasLine: boolean;
  /** Whether tokens may be kept back. The next five parameters are as `upkeep` says. */
  readonly hasUpkeep: boolean;
}

/**
 * Reads a slice of the pool under its lock, and so after every earlier change.
 * $1 pool, $2 token ids, $3 due, $4 free, $5 oldest, $6 grants (load-spec.ts), and those of the shape.
 * The instant comes from clock_timestamp(). now() is the beginning of the transaction, so it would go back between two
 * transactions that waited for the lock. Instants are seconds in a double, which is exact to the microsecond.
 */
function slice(shape: SliceShape): string {
  const { counts, isListed, chooses, hasLine, hasUpkeep } = shape;
  const next = chooses ? 18 : counts ? 9 : 7;
  return `
  WITH here AS MATERIALIZED (${poolsNow('WHERE name = $1', hasLine ? `$${next + 1}::bigint` : undefined)}
  ), named AS (
    SELECT t.* FROM unnest($2::uuid[]) AS n (id), LATERAL ${byId('*', 'n.id')} t
  ), due AS (
    SELECT * FROM tokens WHERE pool = $1 AND status = 'active' AND expires_at <= (SELECT now FROM here)
    ORDER BY expires_at, id LIMIT $3::int
  ), free AS (
    SELECT * FROM tokens WHERE pool = $1 AND status = 'available'
    ORDER BY free_since, id LIMIT $4::int
  ), oldest AS (
    SELECT * FROM tokens WHERE pool = $1 AND ${RUNS} AND (NOT leaving OR $5::int > 0)${unlessSpared(hasUpkeep)}
    ORDER BY fence LIMIT $5::int + CASE (SELECT on_exhausted FROM here) WHEN 'evict_oldest'
      THEN greatest(0, $6::int - ${freeNow(hasUpkeep)} - ${freed(hasUpkeep)}) ELSE 0 END
  )${counts ? losing(hasUpkeep) : ''}${chooses ? listed(hasUpkeep) : ''}${hasLine ? soonest(`$${next}`, hasUpkeep) : ''}${
    hasUpkeep ? upkeep(hasLine ? next + 2 : next) : ''
  }, slice AS (
    ${lists(shape)
      .map((table) => list(table, hasLine))
      .join(' UNION ALL ')}
  )
  SELECT kind, ${POLICY_COLUMNS}, life, last_seq, last_fence, token_count, lease_count, last_place, open_tickets,
    upkeep_seq, dirty_count, disabled_count, cleaning_count, things_seq,
    encode(last_hash, 'hex') AS last_hash, hashed_seq,
    date_part('epoch', now) AS now, must_note_clock,
    (SELECT json_agg(json_build_array(id, user_id, lease_id, key_id, fence, date_part('epoch', last_activated_at),
      date_part('epoch', expires_at), date_part('epoch', free_since), ${holderOf('slice')}, leaving
      ${hasLine ? OF_LINE : ''})) FROM slice) AS tokens,
    ${counts ? HELD : ''}${isListed ? THINGS : ''}${hasUpkeep ? UPKEEP : ''}
    CASE WHEN on_exhausted = 'reject' OR protect_seconds IS NOT NULL OR token_count > size${hasUpkeep ? ' OR true' : ''} THEN (
      SELECT date_part('epoch', expires_at) FROM tokens
      WHERE pool = $1 AND ${RUNS} AND id NOT IN (SELECT id FROM slice)
      ORDER BY expires_at LIMIT 1) END AS next_expiry
  FROM here`;
}

const SHAPE_NAMES: Readonly<Record<keyof SliceShape, string>> = {
  counts: 'counted',
  isListed: 'listed',
  chooses: 'chosen',
  hasLine: 'of_line',
  hasUpkeep: 'kept_up',
};

const nameOf = (shape: SliceShape): string =>
  [
    'load_slice',
    ...Object.entries(SHAPE_NAMES).flatMap(([part, name]) => (shape[part as keyof SliceShape] ? name : [])),
  ].join('_');

const BOTH = [false, true];

/** A look-up by name would cost each transaction more than one by number. */
const numberOf = ({ counts, isListed, chooses, hasLine, hasUpkeep }: SliceShape): number =>
  Number(counts) + 2 * Number(isListed) + 4 * Number(chooses) + 8 * Number(hasLine) + 16 * Number(hasUpkeep);

const SHAPES = [
  { counts: false, isListed: false, chooses: false },
  { counts: true, isListed: false, chooses: false },
  { counts: false, isListed: true, chooses: false },
  { counts: true, isListed: true, chooses: true },
].flatMap((shape) => BOTH.flatMap((hasLine) => BOTH.map((hasUpkeep) => ({ ...shape, hasLine, hasUpkeep }))));

/** The statements that load a slice, by the numbers of their shapes. */
export const SLICES: Readonly<Record<number, Statement>> = Object.fromEntries(
  SHAPES.map((shape) => [numberOf(shape), named(nameOf(shape), slice(shape))]),
);

/** The statement that loads a slice of a shape. */
export const loadSlice = (shape: SliceShape): Statement => SLICES[numberOf(shape)]!;

/**
 * $1 pool. Notes, under its lock, how far the clock is behind, so that the pool's time continues at the clock's pace.
 * It raises last_at too, because readers may have seen the present instant, and time must not go back behind that.
 */
export const NOTE_CLOCK = named(
  'note_clock',
  `UPDATE pools SET last_at = p.now, clock_offset_at = p.clock,
     clock_offset_us = (date_part('epoch', p.now - p.clock) * 1000000)::bigint
   FROM (${poolsNow('WHERE name = $1')}) p
   WHERE pools.name = $1
   RETURNING p.is_still AS "isStill", date_part('epoch', p.now - p.clock) AS "behindSeconds"`,
);

/**
 * Saves everything that a transaction changes, in one statement for any number of commands. $1 pool.
 * - Tokens: $2 is new, $3 id, $4 user, $5 lease, $6 fence, $7 last activated, $8 expires, $9 free since, $27 the key
 *   that took the lease, $34 its holder, $36 whether it is deleted at the end of its lease, $37 the hard end of the
 *   lease, $38 the ticket that it is offered to, $39 whether it is dirty or disabled; $10 deleted token ids.
 * - Events: $11 id, $12 token, $13 event, $14 reason, $15 occurred, $16 user, $17 fence, $18 lease, $19 activated,
 *   $20 expires, $21 metadata, $28 the key that took the lease, $29 actor, $30 request, $31 and $32 the pool's tokens
 *   and leases after the event, $33 all hashes in a row, 32 bytes each, the last of which the pool continues from, $35
 *   the holder of the lease.
 * - Pool: $22 last seq, $23 last fence, $24 tokens, $25 leases, $26 now.
 *
 * Without API keys, the lists of keys and actors are empty, without names those of holders, without a line $37 and $38,
 * and $39 where no token is kept back; unnest fills them with NULL. The checks on line_fence and upkeep_seq keep a
 * version that knows neither from granting while somebody waits, and from changing a pool that keeps tokens back.
 * If a changed token does not exist, the audit would be wrong. The count then makes last_seq null, which the column
 * refuses.
 */
export const SAVE_SLICE = named(
  'save_slice',
  `
  WITH touched AS MATERIALIZED (
    SELECT is_new, id, CASE WHEN fence IS NULL THEN coalesce(kept_back, 'available') ELSE 'active' END AS status, user_id, lease_id,
      key_id, holder, CASE WHEN holder IS NOT NULL THEN fence END AS holder_fence, fence,
      ${instant('activated')} AS last_activated_at, ${instant('expires')} AS expires_at,
      ${instant('free')} AS free_since, coalesce(leaving, false) AS leaving, ${instant('hard_end')} AS hard_end_at,
      offered_to, CASE WHEN hard_end IS NOT NULL OR offered_to IS NOT NULL THEN fence END AS line_fence
    FROM unnest($2::boolean[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[], $7::bigint[], $8::bigint[],
      $9::bigint[], $27::text[], $34::text[], $36::boolean[], $37::bigint[], $38::uuid[],
      $39::text[])
      AS t (is_new, id, user_id, lease_id, fence, activated, expires, free, key_id, holder, leaving, hard_end, offered_to,
        kept_back)
  ), updated AS (
    UPDATE tokens SET status = t.status, user_id = t.user_id, lease_id = t.lease_id, key_id = t.key_id, holder = t.holder,
      holder_fence = t.holder_fence,
      fence = t.fence, last_activated_at = t.last_activated_at, expires_at = t.expires_at, free_since = t.free_since,
      leaving = t.leaving, hard_end_at = t.hard_end_at, offered_to = t.offered_to, line_fence = t.line_fence
    FROM touched t, LATERAL ${byId('ctid', 't.id')} there WHERE tokens.ctid = there.ctid AND NOT t.is_new
    RETURNING 1
  ), inserted AS (
    INSERT INTO tokens (pool, id, status, user_id, lease_id, key_id, fence, last_activated_at, expires_at, free_since,
      holder, holder_fence, hard_end_at, offered_to, line_fence)
    SELECT $1, id, status, user_id, lease_id, key_id, fence, last_activated_at, expires_at, free_since, holder,
      holder_fence, hard_end_at, offered_to, line_fence
    FROM touched WHERE is_new
    RETURNING 1
  ), deleted AS (
    DELETE FROM tokens WHERE pool = $1 AND id = ANY ($10::uuid[])
    RETURNING 1
  ), recorded AS (
    INSERT INTO token_events (pool, seq, id, token_id, event, reason, occurred_at, recorded_at, user_id, fence,
      lease_id, activated_at, expires_at, metadata, key_id, actor, request_id, tokens_after, leases_after, hash, holder)
    SELECT $1, $22::bigint - cardinality($11::uuid[]) + place, id, token_id, event, reason,
      ${instant('occurred')}, ${instant('$26::bigint')}, user_id, fence, lease_id,
      ${instant('activated')}, ${instant('expires')}, metadata, key_id, actor, request_id,
      tokens_after, leases_after, substr($33::bytea, 32 * place::int - 31, 32), holder
    FROM unnest($11::uuid[], $12::uuid[], $13::text[], $14::text[], $15::bigint[], $16::uuid[], $17::bigint[],
      $18::uuid[], $19::bigint[], $20::bigint[], $21::jsonb[], $28::text[], $29::text[], $30::text[], $31::bigint[],
      $32::bigint[], $35::text[]) WITH ORDINALITY
      AS e (id, token_id, event, reason, occurred, user_id, fence, lease_id, activated, expires, metadata, key_id,
        actor, request_id, tokens_after, leases_after, holder, place)
  )
  UPDATE pools SET last_fence = $23, line_fence = $23, token_count = $24::int, lease_count = $25,
    thing_count = CASE WHEN kind = 'listed' THEN $24::int ELSE 0 END, last_at = ${instant('$26::bigint')},
    last_hash = substr($33::bytea, length($33::bytea) - 31), hashed_seq = $22::bigint,
    upkeep_seq = CASE WHEN upkeep_seq IS NOT NULL THEN $22::bigint END,
    last_seq = CASE WHEN (SELECT count(*) FROM updated) + (SELECT count(*) FROM inserted)
      + (SELECT count(*) FROM deleted) = cardinality($3::uuid[]) + cardinality($10::uuid[]) THEN $22::bigint END
  WHERE name = $1`,
);

// These three save what happens between two users, under the pool's lock. $1 is the pool.

/**
 * $2 tokens; of each $3 dirty since, $4 rests until, $5 failed cleanings, $6 unclean users, $7 why, $8 when and $9 by
 * whom it was disabled, $10 the lease of who cleans it.
 */
export const SAVE_UPKEEP = named(
  'save_upkeep',
  `INSERT INTO token_upkeep (pool, token_id, dirty_since, rests_until, failed_cleanings, unclean_users, disabled_reason,
     disabled_at, disabled_by, cleaning_fence)
   SELECT $1, id, ${instant('dirty')}, ${instant('rests')}, failed, users::uuid[], reason, ${instant('disabled')}, by, fence
   FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::text[],
     $10::bigint[]) AS u (id, dirty, rests, failed, users, reason, disabled, by, fence)
   ON CONFLICT (pool, token_id) DO UPDATE SET dirty_since = excluded.dirty_since, rests_until = excluded.rests_until,
     failed_cleanings = excluded.failed_cleanings, unclean_users = excluded.unclean_users,
     disabled_reason = excluded.disabled_reason, disabled_at = excluded.disabled_at, disabled_by = excluded.disabled_by,
     cleaning_fence = excluded.cleaning_fence`,
);

/** $2 tokens that are deleted. */
export const DELETE_UPKEEP = named(
  'delete_upkeep',
  `DELETE FROM token_upkeep WHERE pool = $1 AND token_id = ANY ($2::uuid[])`,
);

/** $2 dirty and $3 disabled tokens, $4 leases of who cleans. After SAVE_SLICE, which sets last_seq. */
export const SAVE_UPKEEP_COUNTS = named(
  'save_upkeep_counts',
  `UPDATE pools SET upkeep_seq = last_seq, dirty_count = $2::int, disabled_count = $3::int, cleaning_count = $4::int
   WHERE name = $1`,
);

// These four save things under the pool's lock, before their tokens. $1 is the pool.

/** $2 tokens that are deleted. */
export const DELETE_THINGS = named(
  'delete_things',
  `DELETE FROM things WHERE pool = $1 AND token_id = ANY ($2::uuid[])`,
);

/** $2 tokens that are deleted, or have no secret from now on. */
export const DELETE_SECRETS = named(
  'delete_secrets',
  `DELETE FROM thing_secrets WHERE pool = $1 AND token_id = ANY ($2::uuid[])`,
);

/** $2 tokens, $3 their names and $4 their attributes. */
export const SAVE_THINGS = named(
  'save_things',
  `INSERT INTO things (pool, token_id, name, attributes)
   SELECT $1, id, name, attributes || jsonb_build_object('@pool', $1::text)
   FROM unnest($2::uuid[], $3::text[], $4::jsonb[]) AS t (id, name, attributes)
   ON CONFLICT (pool, token_id) DO UPDATE SET name = excluded.name, attributes = excluded.attributes`,
);

/** Under the pool's lock, after SAVE_SLICE. $1 pool. Things differ now, so what was known of selections is over. */
export const NOTE_THINGS = named('note_things', `UPDATE pools SET things_seq = last_seq WHERE name = $1`);

/** $2 tokens, $3 their secrets in hexadecimal digits. */
export const SAVE_SECRETS = named(
  'save_secrets',
  `INSERT INTO thing_secrets (pool, token_id, sealed)
   SELECT $1, id, decode(sealed, 'hex') FROM unnest($2::uuid[], $3::text[]) AS s (id, sealed)
   ON CONFLICT (pool, token_id) DO UPDATE SET sealed = excluded.sealed`,
);

/** $1 pool, after $2 a token, $3 the most. */
export const SEALED_SECRETS = named(
  'sealed_secrets',
  `SELECT token_id AS "tokenId", encode(sealed, 'hex') AS sealed FROM thing_secrets
   WHERE pool = $1 AND token_id > $2::uuid ORDER BY token_id LIMIT $3`,
);

/**
 * $1 pool, $2 tokens, $3 secrets as they were read, $4 the same secrets encrypted anew. It takes no lock of the pool,
 * because it leaves a secret alone that a command has changed since.
 */
export const RESEAL_SECRETS = named(
  'reseal_secrets',
  `UPDATE thing_secrets s SET sealed = decode(r.anew, 'hex')
   FROM unnest($2::uuid[], $3::text[], $4::text[]) AS r (token_id, sealed, anew)
   WHERE s.pool = $1 AND s.token_id = r.token_id AND s.sealed = decode(r.sealed, 'hex')`,
);

/** $1 pool, $2 hash of event $3. Under the pool's lock, it catches up on events of a version without hashes. */
export const SAVE_HEAD = named('save_head', `UPDATE pools SET last_hash = $2::bytea, hashed_seq = $3 WHERE name = $1`);

/** $1 pool, $2 the use case and $3 the key of each request. */
export const LOAD_RECORDS = named(
  'load_idempotency_records',
  `SELECT use_case AS "useCase", key, fingerprint, value FROM kept_answers
   WHERE pool = $1 AND (use_case, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
);

/** $1 pool, $2 use cases, $3 keys, $4 fingerprints, $5 values, $6 now. It runs in the transaction of the effects. */
export const SAVE_RECORDS = named(
  'save_idempotency_records',
  `INSERT INTO kept_answers (pool, use_case, key, fingerprint, value, kept_at)
   SELECT $1, use_case, key, fingerprint, value, ${instant('$6::bigint')}
   FROM unnest($2::text[], $3::text[], $4::text[], $5::jsonb[]) AS a (use_case, key, fingerprint, value)`,
);

/** $1 pool, $2 the most rows. It needs no lock, because no request waits for so old an answer. */
export const DELETE_EXPIRED_RECORDS = named(
  'delete_expired_records',
  `DELETE FROM kept_answers WHERE pool = $1 AND (use_case, key) IN (
     SELECT use_case, key FROM kept_answers
     WHERE pool = $1
       AND kept_at < (SELECT now FROM (${poolsNow('WHERE name = $1')}) p) - interval '${IDEMPOTENCY_RECORD_HOURS} hours'
     ORDER BY kept_at LIMIT $2)`,
);

/** $1 name, $2 kind, then the policy's fields in the order of their table (policyParameters). */
export const INSERT_POOL = named(
  'insert_pool',
  `INSERT INTO pools (${POLICY_VIEW})
   VALUES ($1, $2, ${policyFields.map((_, place) => `$${place + 3}`).join(', ')})
   ON CONFLICT DO NOTHING RETURNING name`,
);

/** The parameters of INSERT_POOL, and then the pool's life. It runs under the pool's lock, like every change. */
export const UPDATE_POLICY = named(
  'update_policy',
  `UPDATE pools SET kind = $2, ${policyFields.map(({ wire }, place) => `${wire} = $${place + 3}`).join(', ')},
     life = $${policyFields.length + 3}
   WHERE name = $1`,
);

/**
 * $1 pool, $2 seq, $3 id. One row if a batch whose COMMIT had no response was committed. It runs under the pool's lock,
 * so that transaction has ended.
 */
export const FIND_EVENT = named('find_event', `SELECT FROM token_events WHERE pool = $1 AND seq = $2 AND id = $3`);

/**
 * The pools that need a sweep. It takes no lock, because the sweep decides again under each pool's lock. A pool with
 * open tickets always does: after a transaction on it, a process knows when it must serve the line next.
 */
export const POOLS_TO_SWEEP = named(
  'pools_to_sweep',
  `
  SELECT name FROM (${poolsNow()}) p
  WHERE must_note_clock OR life = 'deleting' OR (kind = 'fixed' AND token_count < size AND life = 'live')
    OR token_count > greatest(size, lease_count)
    OR (lease_count > 0 AND EXISTS (
      SELECT FROM tokens WHERE pool = p.name AND status = 'active' AND expires_at <= p.now))
    OR open_tickets > 0
    OR (idle_ttl_seconds IS NOT NULL AND token_count > lease_count AND EXISTS (
      SELECT FROM tokens WHERE pool = p.name AND status = 'available'
        AND free_since <= p.now - idle_ttl_seconds * interval '1 second'))
    OR EXISTS (SELECT FROM kept_answers
      WHERE pool = p.name AND kept_at < p.now - interval '${IDEMPOTENCY_RECORD_HOURS} hours')
    OR EXISTS (SELECT FROM tickets WHERE pool = p.name AND tickets.status IN ('granted', 'ended')
      AND changed_at < p.now - interval '${IDEMPOTENCY_RECORD_HOURS} hours')
  ORDER BY name`,
);

/**
 * $1 pool, $2 the margin. After a restore it raises the counters under the pool's lock, and records the jump: otherwise
 * the feed would have a gap that looks like lost events. If no event has followed an earlier jump, the new one extends
 * that.
 */
export const RAISE_COUNTERS = named(
  'raise_counters',
  `
  WITH here AS (
    SELECT p.*, coalesce(r.after_seq, p.last_seq) AS after_seq,
      CASE WHEN r.next_fence = p.last_fence + 1 THEN r.after_fence ELSE p.last_fence END AS after_fence,
      r.pool IS NOT NULL AS is_again
    FROM (${poolsNow('WHERE name = $1')}) p LEFT JOIN restores r ON r.pool = $1 AND r.next_seq = p.last_seq + 1
  ), recorded AS (
    INSERT INTO restores (pool, after_seq, next_seq, after_fence, next_fence, recorded_at)
    SELECT $1, after_seq, last_seq + $2::bigint + 1, after_fence, last_fence + $2::bigint + 1, now
    FROM here RETURNING *
  )
  UPDATE pools SET last_seq = recorded.next_seq - 1, last_fence = recorded.next_fence - 1,
    line_fence = recorded.next_fence - 1, things_seq = recorded.next_seq - 1,
    upkeep_seq = CASE WHEN pools.upkeep_seq IS NOT NULL THEN recorded.next_seq - 1 END
  FROM recorded, here WHERE pools.name = $1
  RETURNING recorded.pool, recorded.after_seq::double precision AS after_seq,
    recorded.next_seq::double precision AS next_seq, recorded.after_fence::double precision AS after_fence,
    recorded.next_fence::double precision AS next_fence, here.is_again AS "isAgain"`,
);

// Creates a pool with a past by set-based SQL, as if callers with keys had taken its tokens in turn for minutes or
// years. The rows equal those that the service would write, hashes included, so that the auditor accepts them.

import type { Client } from 'pg';

export interface Past {
  readonly pool: string;
  readonly tokens: number;
  /** At least the number of tokens, so that the pool is full. The audit has twice as many events. */
  readonly grants: number;
  /** The months of use, each with a partition of its own; without it, a grant every 0.2 s. */
  readonly months?: number;
}

/** The number of grants in a statement. */
const CHUNK = 50_000;

/** The time between two grants, in microseconds. */
const PACE = 200_000;

/** The number of callers, which have a key each and take turns. */
export const KEYS = 50;
/** The id of the key of a lease. */
export const keyOf = (fence: number): string => `bench${String(fence % KEYS).padStart(7, '0')}`;

/** Microseconds since the epoch as an instant. */
const instant = (micros: string): string => `(timestamptz 'epoch' + ${micros} * interval '1 microsecond')`;

/**
 * Lease number `k` of a pool goes to token `k` modulo the tokens, and ends before the token's turn comes again: by
 * eviction, by release or, half a pace earlier, by its deadline. $1 pool, $2 tokens, $3 grants, $4 the instant before
 * the first grant and $5 the time between two of them, in microseconds.
 */
const at = (k: string): string => `($4::bigint + ${k} * $5::bigint)`;
const tokenId = (k: string): string => `md5($1 || (${k} - 1) % $2::int)::uuid`;
const endOf = (k: string): string =>
  `(ARRAY['lru_eviction', 'lru_eviction', 'released_by_client', 'released_by_client', 'ttl_expired'])[1 + ${k} % 5]`;
const DAY = 86_400_000_000n;
const LEASE = `
  md5('user' || k % 5000)::uuid AS user_id, k AS fence,
  (lpad(to_hex(k), 12, '0') || '8' || substr(md5(k::text), 1, 3) || '8' || substr(md5(k::text), 4, 15))::uuid AS lease_id,
  ${at('k')} AS activated,
  CASE WHEN k > $3::bigint - $2::int THEN ${at('k')} + 365 * ${DAY}
    WHEN ${endOf('k')} = 'ttl_expired' THEN ${at('(k + $2::int)')} - $5::bigint / 2
    ELSE ${at('(k + $2::int)')} + ${DAY} END AS expires,
  'bench' || lpad((k % ${KEYS})::text, 7, '0') AS key_id`;

const POOL = `
  INSERT INTO pools (name, kind, size, ttl_seconds, renewable, on_exhausted, release_authority, last_seq, last_fence,
    last_at, token_count, lease_count)
  VALUES ($1, 'fixed', $2::int, 31536000, true, 'evict_oldest', 'anyone', 2 * $3::bigint, $3,
    ${instant(at('$3::bigint'))}, $2, $2)`;

const TOKENS = `
  INSERT INTO tokens (pool, id, status, user_id, fence, lease_id, last_activated_at, expires_at, key_id)
  SELECT $1, ${tokenId('k')}, 'active', user_id, fence, lease_id, ${instant('activated')}, ${instant('expires')}, key_id
  FROM generate_series($3::bigint - $2::int + 1, $3::bigint) AS k, LATERAL (SELECT ${LEASE}) AS lease`;

/** What event-chain.ts hashes after the previous hash. No text here has a character that JSON escapes. */
const quoted = (text: string): string => `coalesce('"' || ${text} || '"', 'null')`;
const orNull = (number: string): string => `coalesce(${number}::text, 'null')`;
const HASHED = `concat(',"', $1, '",', seq, ',"', id, '","', token_id, '","', event, '",', ${quoted('reason')}, ',', occurred, ',',
  recorded, ',', ${quoted('user_id')}, ',', ${orNull('fence')}, ',', ${quoted('lease_id')}, ',', ${orNull('activated')}, ',',
  ${orNull('expires')}, ',', coalesce('"{\\"ticket\\":\\"' || ticket || '\\"}"', 'null'), ',', ${quoted('key_id')}, ',',
  ${quoted('actor')}, ',', ${quoted('request_id')}, ',', tokens_after, ',', leases_after, ']')`;

/** An aggregate for a window: hashes each event together with the hash of the one before. */
const CHAIN = `
  CREATE OR REPLACE FUNCTION pg_temp.next_hash(previous bytea, before bytea, event text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$ BEGIN
    RETURN sha256(convert_to('["' || encode(coalesce(previous, before), 'hex') || '"' || event, 'UTF8'));
  END $$;
  CREATE OR REPLACE AGGREGATE pg_temp.chain(before bytea, event text) (sfunc = pg_temp.next_hash, stype = bytea);
  SET work_mem = '512MB';
  SET jit = off`;

/** @param events a SELECT with all columns, instants in microseconds. The pool's chain goes on from its last hash. */
const record = (events: string): string => `
  INSERT INTO token_events (pool, seq, id, token_id, event, reason, occurred_at, recorded_at, user_id, fence, lease_id,
    activated_at, expires_at, metadata, key_id, actor, request_id, tokens_after, leases_after, hash)
  SELECT $1, seq, id, token_id, event, reason, ${instant('occurred')}, ${instant('recorded')}, user_id, fence, lease_id,
    ${instant('activated')}, ${instant('expires')}, CASE WHEN ticket IS NOT NULL THEN jsonb_build_object('ticket', ticket) END,
    key_id, actor, request_id, tokens_after, leases_after,
    pg_temp.chain((SELECT coalesce(last_hash, decode(repeat('00', 32), 'hex')) FROM pools WHERE name = $1), ${HASHED}) OVER (ORDER BY seq)
  FROM (${events}) AS e ORDER BY seq`;

const GENERATED = record(`
  SELECT k AS seq, gen_random_uuid() AS id, ${tokenId('k')} AS token_id, 'generated' AS event, NULL AS reason,
    $4::bigint AS occurred, $4::bigint AS recorded, NULL::uuid AS user_id, NULL::bigint AS fence, NULL::uuid AS lease_id,
    NULL::bigint AS activated, NULL::bigint AS expires, NULL AS ticket, NULL AS key_id, NULL AS actor, NULL AS request_id,
    k AS tokens_after, 0 AS leases_after
  FROM generate_series(1::bigint, $2::int) AS k WHERE $3::bigint > 0 AND $5::bigint > 0`);

/** The events of the grants $6 to $7. An eviction has the same request as the grant that causes it. */
const USES = record(`
  SELECT seq, gen_random_uuid() AS id, ${tokenId('k')} AS token_id, event, reason,
    CASE WHEN reason = 'ttl_expired' THEN expires ELSE happened END AS occurred, happened AS recorded, lease.*,
    CASE WHEN event = 'activated' AND k % 4 = 0 THEN 'A-' || k END AS ticket,
    CASE WHEN reason = 'ttl_expired' THEN 'system' ELSE by END AS actor,
    CASE WHEN reason <> 'ttl_expired' THEN md5(request)::uuid::text END AS request_id, $2::int AS tokens_after, leases_after
  FROM (
    SELECT k, 'activated' AS event, ${at('k')} AS happened, CASE WHEN k <= $2::int THEN $2::int + k ELSE 2 * k END AS seq,
      CASE WHEN k > $2::int AND ${endOf('(k - $2::int)')} = 'lru_eviction'
        THEN 'allocated_after_eviction' ELSE 'allocated' END AS reason,
      least(k, $2::int) AS leases_after, k AS asker, 'request ' || k AS request
    FROM generate_series($6::bigint, $7::bigint) AS k
    UNION ALL
    SELECT k - $2::int, CASE ${endOf('(k - $2::int)')} WHEN 'ttl_expired' THEN 'expired' ELSE 'released' END,
      ${at('k')}, 2 * k - 1, ${endOf('(k - $2::int)')}, $2::int - 1,
      CASE ${endOf('(k - $2::int)')} WHEN 'lru_eviction' THEN k ELSE k - $2::int END,
      CASE ${endOf('(k - $2::int)')} WHEN 'lru_eviction' THEN 'request ' ELSE 'release ' END || k
    FROM generate_series(greatest($6::bigint, $2::int + 1), $7::bigint) AS k
  ) AS use, LATERAL (SELECT ${LEASE}) AS lease, LATERAL (SELECT 'bench' || lpad((asker % ${KEYS})::text, 7, '0') AS by) AS caller`);

/** Sets the event from which the chain goes on. $1 pool, $2 seq. */
const HEAD = `
  UPDATE pools SET last_hash = hash, hashed_seq = seq FROM token_events WHERE pool = $1 AND seq = $2 AND name = $1`;

/** Creates the rows, and vacuums and analyses the tables, as autovacuum has done with old ones. */
export async function makePast(client: Client, past: Past, say: (what: string) => void): Promise<void> {
  const { pool, tokens, grants, months } = past;
  const begun =
    months === undefined ? Date.now() - (grants * PACE) / 1000 - 60_000 : await createPartitions(client, months);
  const pace = months === undefined ? PACE : Math.floor(((Date.now() - 60_000 - begun) * 1000) / grants);
  const values = [pool, tokens, grants, begun * 1000, pace];
  await client.query(CHAIN);
  await client.query(POOL, values);
  await client.query(TOKENS, values);
  await client.query(GENERATED, values);
  await client.query(HEAD, [pool, tokens]);
  for (let first = 1; first <= grants; first += CHUNK) {
    const last = Math.min(first + CHUNK - 1, grants);
    await client.query(USES, [...values, first, last]);
    await client.query(HEAD, [pool, last <= tokens ? tokens + last : 2 * last]);
    if (last === grants || last % (5 * CHUNK) === 0)
      say(
        `pool ${pool} of ${tokens}: ${((tokens + 2 * last) / 1e6).toFixed(2)} of ${((2 * grants) / 1e6).toFixed(2)} million events`,
      );
  }
  await client.query('VACUUM (ANALYZE) tokens, token_events, pools');
}

/**
 * Creates partitions for past months in a database without events: moves the end of the first partition back, and lets
 * the service's own function create the others.
 * @returns the instant at which the months begin, in milliseconds
 */
async function createPartitions(client: Client, months: number): Promise<number> {
  const now = new Date();
  const begins = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1));
  const { rows } = await client.query<{ name: string }>(
    'SELECT name FROM event_partitions WHERE begins_at IS NOT NULL',
  );
  await client.query(
    [
      'BEGIN',
      ...rows.map(({ name }) => `DROP TABLE ${name}`),
      'ALTER TABLE token_events DETACH PARTITION token_events_beginning',
      `ALTER TABLE token_events ATTACH PARTITION token_events_beginning
        FOR VALUES FROM (MINVALUE) TO ('${begins.toISOString()}')`,
      `SELECT make_event_partitions(clock_timestamp() + interval '3 months')`,
      'COMMIT',
    ].join(';'),
  );
  return begins.getTime();
}

export async function idsOfTokens(client: Client, { pool }: Pick<Past, 'pool'>): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>('SELECT id FROM tokens WHERE pool = $1', [pool]);
  return rows.map(({ id }) => id);
}

// A pool with a past, made by set-based SQL: as if its tokens had been handed out in turn for days. The rows are such
// as the service would have written: the auditor finds nothing wrong with them.

import type { Client } from 'pg';

export interface Past {
  readonly pool: string;
  readonly tokens: number;
  /** At least as many as tokens: the pool is full. Its audit has twice as many events. */
  readonly grants: number;
}

const CHUNK = 250_000;

/** Seconds between two grants. */
const PACE = 0.2;

/**
 * Lease number `k` of a pool goes to token `k` modulo the tokens, and ends when the token's turn comes again: by
 * eviction, by release or, at that very instant, by its deadline. $1 pool, $2 tokens, $3 grants, $4 the instant before
 * the first grant.
 */
const at = (k: string): string => `($4::timestamptz + ${k} * interval '${PACE} seconds')`;
const tokenId = (k: string): string => `md5($1 || (${k} - 1) % $2::int)::uuid`;
const endOf = (k: string): string =>
  `(ARRAY['lru_eviction', 'lru_eviction', 'released_by_client', 'released_by_client', 'ttl_expired'])[1 + ${k} % 5]`;
const LEASE = `
  md5('user' || k % 5000)::uuid AS user_id, k AS fence,
  (lpad(to_hex(k), 12, '0') || '8' || substr(md5(k::text), 1, 3) || '8' || substr(md5(k::text), 4, 15))::uuid AS lease_id,
  ${at('k')} AS activated_at,
  CASE WHEN k > $3::bigint - $2::int THEN ${at('k')} + interval '1 year'
    WHEN ${endOf('k')} = 'ttl_expired' THEN ${at('(k + $2::int)')}
    ELSE ${at('k')} + interval '1 day' END AS expires_at`;

const POOL = `
  INSERT INTO pools (name, kind, size, ttl_seconds, renewable, on_exhausted, release_authority, last_seq, last_fence,
    last_at, token_count, lease_count)
  VALUES ($1, 'fixed', $2::int, 31536000, true, 'evict_oldest', 'anyone', 2 * $3::bigint, $3, ${at('$3::bigint')}, $2, $2)`;

const TOKENS = `
  INSERT INTO tokens (pool, id, status, user_id, fence, lease_id, last_activated_at, expires_at)
  SELECT $1, ${tokenId('k')}, 'active', ${LEASE}
  FROM generate_series($3::bigint - $2::int + 1, $3::bigint) AS k`;

const GENERATED = `
  INSERT INTO token_events (pool, seq, id, token_id, event, occurred_at, recorded_at)
  SELECT $1, k, gen_random_uuid(), ${tokenId('k')}, 'generated', $4, $4
  FROM generate_series(1::bigint, $2::int) AS k WHERE $3::bigint > 0`;

/** Of the grants $5 to $6. */
const USES = `
  INSERT INTO token_events (pool, seq, id, token_id, event, reason, occurred_at, recorded_at, user_id, fence, lease_id,
    activated_at, expires_at, metadata)
  SELECT $1, seq, gen_random_uuid(), ${tokenId('k')}, event, reason, happened, happened, lease.*,
    CASE WHEN event = 'activated' AND k % 4 = 0 THEN jsonb_build_object('ticket', 'A-' || k) END
  FROM (
    SELECT k, 'activated' AS event, ${at('k')} AS happened, CASE WHEN k <= $2::int THEN $2::int + k ELSE 2 * k END AS seq,
      CASE WHEN k > $2::int AND ${endOf('(k - $2::int)')} = 'lru_eviction'
        THEN 'allocated_after_eviction' ELSE 'allocated' END AS reason
    FROM generate_series($5::bigint, $6::bigint) AS k
    UNION ALL
    SELECT k - $2::int, CASE ${endOf('(k - $2::int)')} WHEN 'ttl_expired' THEN 'expired' ELSE 'released' END,
      ${at('k')}, 2 * k - 1, ${endOf('(k - $2::int)')}
    FROM generate_series(greatest($5::bigint, $2::int + 1), $6::bigint) AS k
  ) AS use, LATERAL (SELECT ${LEASE}) AS lease
  ORDER BY seq`;

/** Vacuumed and analysed, as an old table is. */
export async function makePast(client: Client, past: Past, say: (what: string) => void): Promise<void> {
  const { pool, tokens, grants } = past;
  const begun = new Date(Date.now() - (grants * PACE + 60) * 1000).toISOString();
  const values = [pool, tokens, grants, begun];
  await client.query(POOL, values);
  await client.query(TOKENS, values);
  await client.query(GENERATED, values);
  for (let first = 1; first <= grants; first += CHUNK) {
    const last = Math.min(first + CHUNK - 1, grants);
    await client.query(USES, [...values, first, last]);
    say(
      `pool ${pool} of ${tokens}: ${((tokens + 2 * last) / 1e6).toFixed(2)} of ${((2 * grants) / 1e6).toFixed(2)} million events`,
    );
  }
  await client.query('VACUUM (ANALYZE) tokens, token_events, pools');
}

export async function idsOfTokens(client: Client, { pool }: Past): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>('SELECT id FROM tokens WHERE pool = $1', [pool]);
  return rows.map(({ id }) => id);
}

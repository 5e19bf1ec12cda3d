// The SQL of dropping events that are older than they are kept, and of the snapshots that stay.

import { named } from '../connection/pipeline.js';
import { instant, micros } from '../schema/fragments.js';

export const RETENTION_DAYS = named('retention_days', `SELECT days FROM audit_retention`);

/** What the owner's role says: $1 days. */
export const KEEP_FOR = named(
  'keep_for',
  `INSERT INTO audit_retention (days) VALUES ($1) ON CONFLICT (is_only) DO UPDATE SET days = excluded.days`,
);
export const KEEP_FOR_EVER = named('keep_for_ever', `DELETE FROM audit_retention`);

export const UNCOVERED = named(
  'uncovered',
  `SELECT pool, seq::double precision AS seq FROM expired_events() WHERE NOT is_covered ORDER BY pool`,
);

export const DROP_EXPIRED = named('drop_expired', `SELECT drop_expired_events() AS name`);

/**
 * $1 pool. One process at a time makes its snapshot, to the end of the transaction, in which nothing that anybody needs is locked:
 * so it may be idle for as long as a million tokens take to be looked at.
 */
export const SNAPSHOT_TURN = named(
  'snapshot_turn',
  `SELECT pg_try_advisory_xact_lock(hashtextextended('event_snapshot ' || $1, 0)) AS "isHad",
     set_config('idle_in_transaction_session_timeout', '60000', true)`,
);

/** $1 pool, $2 whether the events up to it must be gone. The last one. */
export const SNAPSHOT = named(
  'snapshot',
  `SELECT seq::double precision AS seq, ${micros('recorded_at')} AS recorded_at, last_fence::double precision AS last_fence,
     ${micros('last_eviction_at')} AS last_eviction_at, encode(hash, 'hex') AS hash
   FROM event_snapshots s WHERE pool = $1 AND (is_beginning OR NOT $2::boolean) ORDER BY s.seq DESC LIMIT 1`,
);

/** $1 pool, $2 seq, $3 part. */
export const SNAPSHOT_TOKENS = named(
  'snapshot_tokens',
  `SELECT tokens FROM event_snapshot_tokens WHERE pool = $1 AND seq = $2 AND part = $3`,
);

/** $1 pool, $2 seq, $3 part, $4 tokens. */
export const SAVE_SNAPSHOT_TOKENS = named(
  'save_snapshot_tokens',
  `INSERT INTO event_snapshot_tokens (pool, seq, part, tokens) VALUES ($1, $2, $3, $4)`,
);

/** $1 pool, $2 seq, $3 recorded_at, $4 last_fence, $5 last_eviction_at, $6 tokens, $7 leases, $8 hash as PostgreSQL writes bytes. */
export const SAVE_SNAPSHOT = named(
  'save_snapshot',
  `INSERT INTO event_snapshots (pool, seq, recorded_at, last_fence, last_eviction_at, token_count, lease_count, hash)
   VALUES ($1, $2, ${instant('$3::bigint')}, $4, ${instant('$5::bigint')}, $6, $7, $8::bytea)`,
);

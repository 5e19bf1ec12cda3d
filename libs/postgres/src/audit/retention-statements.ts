// The SQL that drops events past their retention, and that keeps snapshots in their place.

import { named } from '../connection/pipeline.js';
import { instant, micros } from '../schema/fragments.js';

export const RETENTION_DAYS = named('retention_days', `SELECT days FROM audit_retention`);

/** $1 days. Only the owner's role may run this. */
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
 * $1 pool. The advisory lock lets one process at a time take the pool's snapshot, until its transaction ends. The
 * transaction holds no lock that a command needs, so it may be idle for as long as it takes to fold a million tokens.
 */
export const LOCK_SNAPSHOT = named(
  'lock_snapshot',
  `SELECT pg_try_advisory_xact_lock(hashtextextended('event_snapshot ' || $1, 0)) AS "isLocked",
     set_config('idle_in_transaction_session_timeout', '60000', true)`,
);

/** $1 pool, $2 whether the events up to the snapshot must be dropped. The pool's newest snapshot. */
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

/**
 * $1 pool, $2 seq, $3 recorded_at and $5 last_eviction_at in microseconds, $4 last_fence, $6 number of tokens, $7
 * number of leases, $8 hash as PostgreSQL writes bytes.
 */
export const SAVE_SNAPSHOT = named(
  'save_snapshot',
  `INSERT INTO event_snapshots (pool, seq, recorded_at, last_fence, last_eviction_at, token_count, lease_count, hash)
   VALUES ($1, $2, ${instant('$3::bigint')}, $4, ${instant('$5::bigint')}, $6, $7, $8::bytea)`,
);

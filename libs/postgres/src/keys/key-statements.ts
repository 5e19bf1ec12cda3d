// The SQL of keys. No statement takes a pool's lock. Commands seldom wait for one, because a process remembers each
// key's rights for some seconds.

import { named } from '../connection/pipeline.js';
import { iso } from '../schema/fragments.js';

const KEY_VIEW = `
  id, name, scopes, pools, ${iso('created_at')} AS created_at, created_by, ${iso('expires_at')} AS expires_at,
  ${iso('revoked_at')} AS revoked_at, revoked_by, ${iso('rotated_at')} AS rotated_at, rotated_by,
  ${iso('last_used_at')} AS last_used_at,
  CASE WHEN old_secret_until > clock_timestamp() THEN ${iso('old_secret_until')} END AS old_secret_until`;

const IS_GOOD = `revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())`;

/** The time left, in milliseconds; not below 0. */
const left = (until: string): string => `greatest(date_part('epoch', ${until} - clock_timestamp()) * 1000, 0)`;

/**
 * $1 id, $2 name, $3 scopes, $4 pools or null, $5 hash, $6 issuer or null, $7 end or null. No row if the end is past.
 * Ids are random, so an id that exists already is the same key, which the process has sent again after a lost result.
 */
export const ADD_KEY = named(
  'add_key',
  `INSERT INTO api_keys (id, name, scopes, pools, secret_hash, created_by, created_at, expires_at)
   SELECT $1, $2, $3::text[], $4::text[], $5::bytea, $6, clock_timestamp(), $7::timestamptz
   WHERE $7::timestamptz IS NULL OR $7::timestamptz > clock_timestamp()
   ON CONFLICT (id) DO UPDATE SET id = excluded.id
   RETURNING ${KEY_VIEW}`,
);

/** $1 id. */
export const FIND_KEY = named(
  'find_key',
  `SELECT ${KEY_VIEW}, secret_hash, old_secret_hash, ${left('old_secret_until')} AS old_good_for_ms,
     CASE WHEN revoked_at IS NOT NULL THEN 0 WHEN expires_at IS NULL THEN 'Infinity' ELSE ${left('expires_at')} END AS good_for_ms
   FROM api_keys WHERE id = $1`,
);

/** Whether a key may do no more than the given scopes, pools and end allow. */
const isWithin = (scopes: string, pools: string, end: string): string => `
   scopes <@ ${scopes}::text[] AND (${pools}::text[] IS NULL OR pools <@ ${pools}::text[])
     AND (${end}::timestamptz IS NULL OR expires_at <= ${end}::timestamptz)`;

/** $1 id; $2 scopes, $3 pools or null, $4 end or null, which bound the key's rights. One row if the key exists. */
export const KEY_EXISTS = named(
  'key_exists',
  `SELECT id FROM api_keys WHERE id = $1 AND ${isWithin('$2', '$3', '$4')}`,
);

/** $1 page size, $2 after this id; $3 scopes, $4 pools or null, $5 end or null, which bound the rights of each key. */
export const LIST_KEYS = named(
  'list_keys',
  `SELECT ${KEY_VIEW} FROM api_keys
   WHERE id > $2 AND ${isWithin('$3', '$4', '$5')}
   ORDER BY id LIMIT $1`,
);

/**
 * $1 id, $2 hash, $3 seconds that the old secret stays good, $4 the key that asks, or null. The row's lock orders
 * concurrent rotations. A rotation that the process sends again after a lost result leaves the old secret as it is.
 */
export const ROTATE_KEY = named(
  'rotate_key',
  `UPDATE api_keys SET secret_hash = $2::bytea,
     old_secret_hash = CASE WHEN secret_hash = $2::bytea THEN old_secret_hash ELSE secret_hash END,
     old_secret_until = clock_timestamp() + $3::double precision * interval '1 second',
     rotated_at = clock_timestamp(), rotated_by = $4
   WHERE id = $1 AND ${IS_GOOD}
   RETURNING ${KEY_VIEW}`,
);

/** $1 id, $2 the key that asks, or null. A second revocation changes neither the time nor the author of the first. */
export const REVOKE_KEY = named(
  'revoke_key',
  `UPDATE api_keys SET revoked_by = CASE WHEN revoked_at IS NULL THEN $2 ELSE revoked_by END,
     revoked_at = coalesce(revoked_at, clock_timestamp())
   WHERE id = $1 RETURNING ${KEY_VIEW}`,
);

/**
 * $1 ids. It locks rows in the order of ids and skips locked ones, so two processes never deadlock. It leaves out keys
 * whose use another process has just noted.
 */
export const NOTE_USE = named(
  'note_use',
  `WITH used AS MATERIALIZED (
     SELECT id FROM api_keys
     WHERE id = ANY ($1::text[]) AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '5 seconds')
     ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
   UPDATE api_keys k SET last_used_at = clock_timestamp() FROM used WHERE k.id = used.id`,
);

// The SQL that reads a pool as the database stores it, for the audit.

import { policyFields } from '@app/tokens';
import { named } from '../connection/pipeline.js';
import { holderOf, iso, restoresAfter } from '../schema/fragments.js';

/** $1 pool. */
export const STORED_POOL = named(
  'stored_pool',
  `SELECT json_build_object(${policyFields.map(({ wire }) => `'${wire}', ${wire}`).join(', ')}) AS policy,
     last_seq::double precision AS last_seq, last_fence::double precision AS last_fence, token_count,
     lease_count, chained_after::double precision AS chained_after, hashed_seq::double precision AS hashed_seq,
     encode(last_hash, 'hex') AS last_hash, coalesce(${restoresAfter('0')}, '[]') AS restores
   FROM pools p WHERE name = $1`,
);

/** $1 pool, $2 page size, $3 after this id. */
export const STORED_TOKENS = named(
  'stored_tokens',
  `SELECT id, pool, status, user_id AS active_user_id, ${holderOf('tokens')} AS holder, ${iso('last_activated_at')} AS last_activated_at,
     ${iso('expires_at')} AS expires_at, fence::double precision AS fence
   FROM tokens WHERE pool = $1 AND id > $3 ORDER BY id LIMIT $2`,
);

// The SQL that reads a pool as the database stores it, for the audit.

import { policyFields } from '@app/tokens';
import { named } from '../connection/pipeline.js';
import { holderOf, iso, restoresAfter } from '../schema/fragments.js';

/** $1 pool. */
export const STORED_POOL = named(
  'stored_pool',
  `SELECT kind, json_build_object(${policyFields.map(({ wire }) => `'${wire}', ${wire}`).join(', ')}) AS policy,
     last_seq::double precision AS last_seq, last_fence::double precision AS last_fence, token_count,
     lease_count, chained_after::double precision AS chained_after, hashed_seq::double precision AS hashed_seq,
     encode(last_hash, 'hex') AS last_hash, coalesce(${restoresAfter('0')}, '[]') AS restores
   FROM pools p WHERE name = $1`,
);

/** $1 pool, $2 page size, $3 after this id. PostgreSQL looks at things only for a listed pool. */
export const STORED_TOKENS = named(
  'stored_tokens',
  `SELECT t.id, t.pool, g.name, g.attributes - '@pool' AS attributes, 
     CASE WHEN t.status = 'active' AND u.cleaning_fence = t.fence THEN 'cleaning' ELSE t.status END AS status,
     t.user_id AS active_user_id,
     ${holderOf('t')} AS holder, ${iso('t.last_activated_at')} AS last_activated_at, ${iso('t.expires_at')} AS expires_at,
     t.fence::double precision AS fence, t.leaving
   FROM tokens t LEFT JOIN things g
     ON (SELECT kind FROM pools WHERE name = $1) = 'listed' AND g.pool = $1 AND g.token_id = t.id
   LEFT JOIN token_upkeep u
     ON (SELECT upkeep_seq FROM pools WHERE name = $1) IS NOT NULL AND u.pool = $1 AND u.token_id = t.id
   WHERE t.pool = $1 AND t.id > $3 ORDER BY t.id LIMIT $2`,
);

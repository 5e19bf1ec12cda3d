// The SQL of lines. What writes runs under the pool's lock, in the transaction of the commands.

import { GIVEN_UP_ON_THE_WAY, IDEMPOTENCY_RECORD_HOURS } from '@app/tokens';
import { named } from '../connection/pipeline.js';
import { instant, micros } from '../schema/fragments.js';
import { poolsNow } from '../schema/pool-clock.js';

const TICKET = `
  id, place::double precision AS place, user_id, holder, key_id, count, selector, ttl_seconds, metadata,
  ${micros('queued_at')} AS queued_at, ${micros('not_later_than')} AS not_later_than, hold_seconds, claim_seconds,
  ${micros('patience_until')} AS patience_until, status, end_reason, leases, ${micros('claim_by')} AS claim_by`;

const waiting = (condition: string, order = 'place'): string =>
  `(SELECT * FROM tickets WHERE pool = $1 AND status = 'waiting' AND ${condition} ORDER BY ${order}`;

/** How many tokens the pool has of a kind, up to $3. */
const some = (kind: string): string =>
  `(SELECT count(*) FROM (SELECT FROM tokens WHERE pool = $1 AND ${kind} LIMIT $3::int) t)`;

/**
 * $1 pool, $2 tickets, $3 how many of those that wait for any token (headOfLine), $4 whether all that wait, $5 how many
 * tokens the commands free by name. Under the pool's lock. The same ticket may be in several rows.
 * Each lease of an offer that may be given back serves one more. And where the pool does not evict, it loads no more of
 * the first in line than there are tokens for them: those that are free or overdue, and those that the commands free.
 */
export const LOAD_LINE = named(
  'load_line',
  `WITH here AS MATERIALIZED (SELECT now, on_exhausted FROM (${poolsNow('WHERE name = $1')}) p),
   room AS MATERIALIZED (
     SELECT CASE on_exhausted WHEN 'evict_oldest' THEN $3::int ELSE $5::int + ${some(`status = 'available'`)}
         + ${some(`status = 'active' AND expires_at <= (SELECT now FROM here)`)} END
       + (SELECT coalesce(sum(jsonb_array_length(leases)), 0) FROM tickets
          WHERE pool = $1 AND status = 'offered' AND (id = ANY ($2::uuid[]) OR count > 1)) AS most
     FROM here),
   head AS MATERIALIZED (
     ${waiting('NOT $4::boolean AND selector IS NULL AND patience_until > (SELECT now FROM here)')}
        LIMIT (SELECT most FROM room)))
   SELECT ${TICKET}, status = 'waiting' AND patience_until <= (SELECT now FROM here) AS is_given_up,
     (SELECT max(place)::double precision FROM head) AS head_ends, (SELECT ${micros('now')} FROM here) AS read_at FROM (
     SELECT * FROM tickets WHERE pool = $1 AND id = ANY ($2::uuid[])
     UNION ALL
     (SELECT * FROM tickets WHERE pool = $1 AND status = 'offered')
     UNION ALL
     ${waiting('$4::boolean')})
     UNION ALL
     SELECT * FROM head
     UNION ALL
     ${waiting('NOT $4::boolean AND selector IS NOT NULL AND patience_until > (SELECT now FROM here)')})
     UNION ALL
     ${waiting('NOT $4::boolean AND patience_until <= (SELECT now FROM here)', 'patience_until')}
        LIMIT ${GIVEN_UP_ON_THE_WAY})
   ) t`,
);

/**
 * $1 pool, $2 now; of each ticket $3 id, $4 place, $5 user, $6 holder, $7 key, $8 count, $9 selector, $10 ttl, $11
 * metadata, $12 queued at, $13 promise, $14 hold, $15 claim, $16 patience until, $17 status, $18 end reason, $19
 * leases, $20 claim by. Numbers of seconds are texts, because they may have fractions.
 */
export const SAVE_TICKETS = named(
  'save_tickets',
  `INSERT INTO tickets (pool, id, place, user_id, holder, key_id, count, selector, ttl_seconds, metadata, queued_at,
     not_later_than, hold_seconds, claim_seconds, patience_until, status, end_reason, leases, claim_by, changed_at)
   SELECT $1, id, place, user_id, holder, key_id, count, selector, ttl::double precision, metadata,
     ${instant('queued')}, ${instant('promised')}, hold::double precision, claim::double precision,
     ${instant('patience')}, status, end_reason, leases, ${instant('claim_by')}, ${instant('$2::bigint')}
   FROM unnest($3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], $8::bigint[], $9::jsonb[], $10::text[],
     $11::jsonb[], $12::bigint[], $13::bigint[], $14::text[], $15::text[], $16::bigint[], $17::text[], $18::text[],
     $19::jsonb[], $20::bigint[])
     AS t (id, place, user_id, holder, key_id, count, selector, ttl, metadata, queued, promised, hold, claim, patience,
       status, end_reason, leases, claim_by)
   ON CONFLICT (pool, id) DO UPDATE SET not_later_than = excluded.not_later_than,
     patience_until = excluded.patience_until, status = excluded.status, end_reason = excluded.end_reason,
     leases = excluded.leases, claim_by = excluded.claim_by, changed_at = excluded.changed_at`,
);

/** $1 pool, $2 the last place, $3 the open tickets. Under the pool's lock, after SAVE_SLICE, which sets line_fence. */
export const SAVE_LINE = named(
  'save_line',
  `UPDATE pools SET last_place = $2::bigint, open_tickets = $3::int WHERE name = $1`,
);

/** $1 pool, $2 the most rows. It needs no lock, because no command changes a ticket that is over. */
export const DELETE_EXPIRED_TICKETS = named(
  'delete_expired_tickets',
  `DELETE FROM tickets WHERE pool = $1 AND id IN (
     SELECT id FROM tickets
     WHERE pool = $1 AND status IN ('granted', 'ended')
       AND changed_at < (SELECT now FROM (${poolsNow('WHERE name = $1')}) p) - interval '${IDEMPOTENCY_RECORD_HOURS} hours'
     ORDER BY changed_at LIMIT $2)`,
);

// The SQL that reads lines. Each answer is one statement, and the instant in the pool judges each ticket.

import { named } from '../connection/pipeline.js';
import { iso } from '../schema/fragments.js';
import { poolsNow } from '../schema/pool-clock.js';

/** Whether ticket t waits, as of an instant. */
const WAITS = `t.status = 'waiting' AND t.patience_until > here.now`;
const GIVEN_UP = `t.status = 'waiting' AND t.patience_until <= here.now`;
const UNCLAIMED = `t.status = 'offered' AND t.claim_by <= here.now`;

/** How many wait in the pool of ticket t, all or some. */
const waiting = (some = ''): string =>
  `(SELECT count(*)::int FROM tickets w
    WHERE w.pool = t.pool AND w.status = 'waiting' AND w.patience_until > here.now ${some})`;

const view = (position: string, all: string): string => `
  t.id, t.pool, CASE WHEN ${GIVEN_UP} OR ${UNCLAIMED} THEN 'ended' ELSE t.status END AS status,
  CASE WHEN ${WAITS} THEN ${position} END AS position, ${all} AS waiting, ${iso('t.queued_at')} AS queued_at,
  ${iso('t.not_later_than')} AS not_later_than, ${iso('t.claim_by')} AS claim_by,
  ${iso('t.patience_until')} AS patience_until,
  CASE WHEN ${GIVEN_UP} THEN 'patience' WHEN ${UNCLAIMED} THEN 'unclaimed' ELSE t.end_reason END AS end_reason,
  t.count, t.selector AS "select", t.holder, t.user_id, t.key_id`;

/** $1 ticket. */
export const TICKET = named(
  'ticket',
  `SELECT ${view(waiting('AND w.place <= t.place'), waiting())}
   FROM tickets t, LATERAL (SELECT now FROM (${poolsNow('WHERE name = t.pool')}) p) here WHERE t.id = $1`,
);

/** $1 pool, $2 page size, $3 after this place. It counts the positions from the first place. */
export const LINE = named(
  'line',
  `WITH here AS MATERIALIZED (SELECT now FROM (${poolsNow('WHERE name = $1')}) p)
   SELECT * FROM (
     SELECT ${view(
       `(count(*) FILTER (WHERE ${WAITS}) OVER (ORDER BY t.place))::int`,
       `(count(*) FILTER (WHERE ${WAITS}) OVER ())::int`,
     )}, t.place::double precision AS place
     FROM tickets t, here
     WHERE t.pool = $1 AND t.status IN ('waiting', 'offered')
   ) t
   WHERE status <> 'ended' AND place > $3::bigint ORDER BY place LIMIT $2`,
);

/** Of all pools in which somebody waits. */
export const LINE_AGES = named(
  'line_ages',
  `SELECT p.name AS pool, count(*)::int AS waiting,
     date_part('epoch', max(p.now) - min(t.queued_at)) AS oldest_wait_seconds
   FROM (${poolsNow('WHERE open_tickets > 0')}) p JOIN tickets t ON t.pool = p.name
   WHERE t.status = 'waiting' AND t.patience_until > p.now GROUP BY p.name`,
);

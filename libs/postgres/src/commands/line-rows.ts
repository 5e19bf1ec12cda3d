// Converts tickets between rows and the domain.

import {
  freedByName,
  headOfLine,
  lineSlice,
  needsWholeLine,
  type LineSlice,
  type LoadSpec,
  type Metadata,
  type PoolState,
  type Selector,
  type Ticket,
  type TicketEnd,
  type TicketStatus,
  type TokenPool,
} from '@app/tokens';
import { bigints, jsons, texts, uuids, words } from '../connection/array-parameter.js';
import type { Value } from '../connection/pipeline.js';

export interface TicketRow {
  id: string;
  place: number;
  user_id: string;
  holder: string | null;
  key_id: string | null;
  count: number;
  selector: Selector | null;
  ttl_seconds: number | null;
  metadata: Metadata | null;
  queued_at: number;
  not_later_than: number | null;
  hold_seconds: number | null;
  claim_seconds: number;
  patience_until: number;
  status: TicketStatus;
  end_reason: TicketEnd | null;
  leases: [tokenId: string, fence: number][];
  claim_by: number | null;
  is_given_up: boolean;
  head_ends: number | null;
  /** When the line was read, in microseconds. */
  read_at: number;
}

export const lineParameters = (pool: string, loads: LoadSpec): Value[] => [
  pool,
  uuids(loads.tickets),
  headOfLine(loads),
  needsWholeLine(loads),
  freedByName(loads),
];

export function toLine(rows: readonly TicketRow[], loads: LoadSpec, state: PoolState): LineSlice {
  const givenUp = rows.filter((row) => row.is_given_up).length;
  return lineSlice(rows.map(toTicket), loads, rows[0]?.head_ends ?? null, givenUp, state);
}

const toTicket = (row: TicketRow): Ticket => ({
  id: row.id,
  place: row.place,
  userId: row.user_id,
  holder: row.holder,
  keyId: row.key_id,
  count: row.count,
  select: row.selector,
  ttlSeconds: row.ttl_seconds,
  metadata: row.metadata,
  queuedAt: row.queued_at,
  notLaterThan: row.not_later_than,
  holdSeconds: row.hold_seconds,
  claimSeconds: row.claim_seconds,
  patienceUntil: row.patience_until,
  status: row.status,
  endReason: row.end_reason,
  leases: row.leases.map(([tokenId, fence]) => ({ tokenId, fence })),
  claimBy: row.claim_by,
});

export function ticketParameters(pool: TokenPool): Value[] | null {
  const tickets = pool.changedTickets;
  if (tickets.length === 0) return null;
  const of = <T>(pick: (ticket: Ticket) => T): T[] => tickets.map(pick);
  const seconds = (value: number | null): string | null => (value === null ? null : String(value));
  return [
    pool.policy.name,
    pool.now,
    uuids(of(({ id }) => id)),
    bigints(of(({ place }) => place)),
    uuids(of(({ userId }) => userId)),
    texts(of(({ holder }) => holder)),
    texts(of(({ keyId }) => keyId)),
    bigints(of(({ count }) => count)),
    texts(of(({ select }) => select && JSON.stringify(select))),
    texts(of(({ ttlSeconds }) => seconds(ttlSeconds))),
    texts(of(({ metadata }) => metadata && JSON.stringify(metadata))),
    bigints(of(({ queuedAt }) => queuedAt)),
    bigints(of(({ notLaterThan }) => notLaterThan)),
    texts(of(({ holdSeconds }) => seconds(holdSeconds))),
    texts(of(({ claimSeconds }) => seconds(claimSeconds))),
    bigints(of(({ patienceUntil }) => patienceUntil)),
    words(of(({ status }) => status)),
    words(of(({ endReason }) => endReason)),
    jsons(of(({ leases }) => leases.map(({ tokenId, fence }) => [tokenId, fence]))),
    bigints(of(({ claimBy }) => claimBy)),
  ];
}

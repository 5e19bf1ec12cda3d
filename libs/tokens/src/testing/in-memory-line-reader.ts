// Reads lines in memory. test/database/line.spec.ts runs the same tests on it as on the PostgreSQL reader.

import { callerGone, poolDeleted, poolNotFound, ticketNotFound } from '../kernel/domain-error.js';
import { toIso } from '../kernel/instant.js';
import { isGivenUp, type Ticket } from '../pool/ticket.js';
import { LineReader } from '../reading/line-reader.js';
import type { PageRequest } from '../reading/token-reader.js';
import type { LineAgesView, OwnedTicket, TicketPage } from '../reading/views.js';
import type { InMemoryTokenPoolRepository } from './in-memory-token-pool-repository.js';

export class InMemoryLineReader extends LineReader {
  constructor(
    private readonly repository: InMemoryTokenPoolRepository,
    private readonly gone?: AbortSignal,
  ) {
    super();
  }

  until(gone: AbortSignal): InMemoryLineReader {
    return new InMemoryLineReader(this.repository, gone);
  }

  async ticket(ticketId: string): Promise<OwnedTicket> {
    if (this.gone?.aborted) throw callerGone();
    for (const pool of this.repository.poolNames) {
      const ticket = this.repository.look(pool).tickets.get(ticketId);
      if (ticket) return this.#view(pool, ticket);
    }
    throw ticketNotFound(ticketId);
  }

  async line(poolName: string, { limit, cursor = '0' }: PageRequest): Promise<TicketPage<OwnedTicket>> {
    if (!this.repository.poolNames.includes(poolName)) throw poolNotFound(poolName);
    const { state, tickets } = this.repository.look(poolName);
    if (state.life !== 'live') throw poolDeleted(poolName);
    const rest = [...tickets.values()]
      .filter(({ place }) => place > Number(cursor))
      .sort((a, b) => a.place - b.place)
      .map((ticket) => ({ place: ticket.place, view: this.#view(poolName, ticket) }))
      .filter(({ view: { status } }) => status === 'waiting' || status === 'offered');
    const page = rest.slice(0, limit);
    return {
      tickets: page.map(({ view }) => view),
      next_cursor: rest.length > limit ? String(page.at(-1)!.place) : null,
    };
  }

  async ages(): Promise<LineAgesView[]> {
    return this.repository.poolNames.flatMap((pool) => {
      const waiting = this.#waiting(pool);
      const { now } = this.repository.look(pool);
      const first = Math.min(...waiting.map(({ queuedAt }) => queuedAt));
      if (waiting.length === 0) return [];
      return { pool, waiting: waiting.length, oldest_wait_seconds: (now - first) / 1_000_000 };
    });
  }

  #waiting(pool: string): Ticket[] {
    const { tickets, now } = this.repository.look(pool);
    return [...tickets.values()].filter((one) => one.status === 'waiting' && !isGivenUp(one, now));
  }

  #view(pool: string, ticket: Ticket): OwnedTicket {
    const { now } = this.repository.look(pool);
    const waiting = this.#waiting(pool);
    const isUnclaimed = ticket.status === 'offered' && (ticket.claimBy ?? 0) <= now;
    const endReason = isGivenUp(ticket, now) ? 'patience' : isUnclaimed ? 'unclaimed' : ticket.endReason;
    const status = endReason === null ? ticket.status : 'ended';
    return {
      id: ticket.id,
      pool,
      status,
      position: status === 'waiting' ? waiting.filter(({ place }) => place <= ticket.place).length : null,
      waiting: waiting.length,
      queued_at: toIso(ticket.queuedAt),
      not_later_than: ticket.notLaterThan === null ? null : toIso(ticket.notLaterThan),
      claim_by: ticket.claimBy === null ? null : toIso(ticket.claimBy),
      patience_until: toIso(ticket.patienceUntil),
      end_reason: endReason,
      count: ticket.count,
      select: ticket.select,
      holder: ticket.holder,
      user_id: ticket.userId,
      key_id: ticket.keyId,
    };
  }
}

// Reads lines: each answer is the rows of one statement.

import type { DataSource } from 'typeorm';
import {
  LineReader,
  poolDeleted,
  poolNotFound,
  ticketNotFound,
  type LineAgesView,
  type OwnedTicket,
  type PageRequest,
  type PoolLife,
  type TicketPage,
} from '@app/tokens';
import { Database } from '../connection/database.js';
import { IS_POOL } from '../schema/statements.js';
import { readCursor, writeCursor } from './cursor.js';
import { LINE, LINE_AGES, TICKET } from './ticket-statements.js';

export class PostgresLineReader extends LineReader {
  readonly #database: Database;

  constructor(
    private readonly source: DataSource,
    gone?: AbortSignal,
  ) {
    super();
    this.#database = new Database(source, gone);
  }

  until(gone: AbortSignal): PostgresLineReader {
    return new PostgresLineReader(this.source, gone);
  }

  async ticket(ticketId: string): Promise<OwnedTicket> {
    const [ticket] = await this.#database.read<OwnedTicket>(TICKET, [ticketId]);
    if (!ticket) throw ticketNotFound(ticketId);
    return ticket;
  }

  async line(poolName: string, { limit, cursor }: PageRequest): Promise<TicketPage<OwnedTicket>> {
    const [pool] = await this.#database.read<{ life: PoolLife }>(IS_POOL, [poolName]);
    if (!pool) throw poolNotFound(poolName);
    if (pool.life !== 'live') throw poolDeleted(poolName);
    const values = [poolName, limit + 1, readCursor('line', cursor) ?? 0];
    const rows = await this.#database.read<OwnedTicket & { place: number }>(LINE, values);
    const page = rows.slice(0, limit);
    return {
      tickets: page.map(({ place: _, ...ticket }) => ticket),
      next_cursor: rows.length > limit ? writeCursor('line', page.at(-1)!.place) : null,
    };
  }

  ages(): Promise<LineAgesView[]> {
    return this.#database.read<LineAgesView>(LINE_AGES, []);
  }
}

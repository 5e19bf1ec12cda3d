// Takes each snapshot in one transaction, and drops events by a function that runs with the rights of the schema's
// owner.

import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { EventRetention, type RecordedEventView, type StoredPoolView } from '@app/tokens';
import { BEGIN, COMMIT, Database, send } from '../connection/database.js';
import type { Statement, Value } from '../connection/pipeline.js';
import { STORED_POOL } from './stored-statements.js';
import { STORED_EVENTS } from '../schema/statements.js';
import {
  DROP_EXPIRED,
  RETENTION_DAYS,
  SAVE_SNAPSHOT,
  SAVE_SNAPSHOT_TOKENS,
  LOCK_SNAPSHOT,
  UNCOVERED,
} from './retention-statements.js';
import { snapshotOf } from './snapshot-of.js';

/** Events in one read. It takes some milliseconds, and the process answers commands between two reads. */
const PAGE = 1000;

export class PostgresEventRetention extends EventRetention {
  readonly #database: Database;

  constructor(source: DataSource) {
    super();
    this.#database = new Database(source);
  }

  async days(): Promise<number | null> {
    return (await this.#database.read<{ days: number }>(RETENTION_DAYS, []))[0]?.days ?? null;
  }

  uncovered(): Promise<{ pool: string; seq: number }[]> {
    return this.#database.read(UNCOVERED, []);
  }

  async drop(): Promise<string | null> {
    return (await this.#database.read<{ name: string | null }>(DROP_EXPIRED, []))[0]!.name;
  }

  snapshot(...asked: Parameters<EventRetention['snapshot']>): Promise<boolean> {
    return this.#database.use((client) => this.#snapshot(client, ...asked));
  }

  async #snapshot(client: PoolClient, ...[pool, seq, fold]: Parameters<EventRetention['snapshot']>): Promise<boolean> {
    const ask = async <Row>(statement: Statement, values: Value[]): Promise<Row[]> =>
      (await send(client, { ...statement, values }))[0]!.rows as Row[];
    const read = (after: number): Promise<RecordedEventView[]> => ask(STORED_EVENTS, [pool, PAGE, after]);
    async function* pages(after: number): AsyncGenerator<RecordedEventView[]> {
      while (after < seq) {
        const page = await read(after);
        yield page.filter((event) => event.seq <= seq);
        after = page.at(-1)?.seq ?? seq;
      }
    }
    await send(client, BEGIN);
    const [lock] = await ask<{ isLocked: boolean }>(LOCK_SNAPSHOT, [pool]);
    const begins = lock?.isLocked ? await snapshotOf(ask, pool, false) : null;
    if (!lock?.isLocked || (begins && begins.seq >= seq)) return lock?.isLocked === true;
    const [stored] = await ask<Omit<StoredPoolView, 'begins'>>(STORED_POOL, [pool]);
    if (!stored) throw new Error(`there are events of a pool ${pool}, which is not there`);
    const { parts, ...state } = await fold({ ...stored, begins }, pages(begins?.seq ?? 0));
    let [part, tokens, leases] = [0, 0, 0];
    for await (const rows of parts) {
      await ask(SAVE_SNAPSHOT_TOKENS, [pool, state.seq, part++, JSON.stringify(rows)]);
      tokens += rows.length;
      leases += rows.filter(({ lease }) => lease !== null).length;
    }
    const { recorded_at, last_fence, last_eviction_at, hash } = state;
    const bytes = `\\x${hash}`;
    await ask(SAVE_SNAPSHOT, [pool, state.seq, recorded_at, last_fence, last_eviction_at, tokens, leases, bytes]);
    await send(client, COMMIT);
    return true;
  }
}

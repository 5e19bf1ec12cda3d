// Reads pools, tokens and events exactly as the database stores them, for the audit.

import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import {
  AuditSource,
  PageSize,
  poolNotFound,
  type RecordedEventView,
  type StoredPoolLook,
  type StoredPoolView,
  type StoredTokenView,
} from '@app/tokens';
import { Database } from '../connection/database.js';
import type { Statement, Value } from '../connection/pipeline.js';
import { FEED_BEGINS, STORED_EVENTS } from '../schema/statements.js';
import { snapshotOf } from './snapshot-of.js';
import { STORED_POOL, STORED_TOKENS } from './stored-statements.js';

const STORED_PAGE = 1000;
/** The server ends a transaction that is idle for 2 s. */
const LONGEST_REST_MS = 1000;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

export class PostgresAuditSource extends AuditSource {
  readonly #database: Database;

  constructor(
    private readonly source: DataSource,
    private readonly gone?: AbortSignal,
  ) {
    super();
    this.#database = new Database(source, gone);
  }

  until(gone: AbortSignal): PostgresAuditSource {
    return new PostgresAuditSource(this.source, gone);
  }

  look<T>(poolName: string, look: (pool: StoredPoolLook) => T | Promise<T>): Promise<T> {
    return new PageSize(STORED_PAGE).read((most) =>
      this.#database.snapshot(async (ask) => {
        const [pool] = await ask<Omit<StoredPoolView, 'begins'>>(STORED_POOL, [poolName]);
        if (!pool) throw poolNotFound(poolName);
        const begins = await snapshotOf(ask, poolName, true);
        const page = async <Row>(statement: Statement, after: Value): Promise<Row[]> => {
          const began = performance.now();
          const rows = await ask<Row>(statement, [poolName, most, after]);
          // An audit over HTTP rests as long as it reads, so commands get half of the database's time.
          if (this.gone) await sleep(Math.min(performance.now() - began, LONGEST_REST_MS));
          return rows;
        };
        async function* tokens(): AsyncGenerator<StoredTokenView[]> {
          for (let last: StoredTokenView | undefined; ;) {
            const tokens = await page<StoredTokenView>(STORED_TOKENS, last?.id ?? NIL_UUID);
            yield tokens;
            last = tokens.at(-1);
            if (tokens.length < most || !last) return;
          }
        }
        async function* eventsAfter(seq: number): AsyncGenerator<RecordedEventView[]> {
          while (seq < pool!.last_seq) {
            const events = await page<RecordedEventView>(STORED_EVENTS, seq);
            yield events;
            seq = events.at(-1)?.seq ?? pool!.last_seq;
          }
        }
        return look({ ...pool, begins, tokens: tokens(), eventsAfter });
      }),
    );
  }

  events(poolName: string, after: number, limit: number): Promise<RecordedEventView[]> {
    return this.#database.read<RecordedEventView>(STORED_EVENTS, [poolName, limit, after]);
  }

  async begins(poolName: string): Promise<number> {
    return (await this.#database.read<{ seq: number | null }>(FEED_BEGINS, [poolName]))[0]!.seq ?? 0;
  }
}

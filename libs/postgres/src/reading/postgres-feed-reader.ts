// Reads the pools' feeds: each answer is the rows of one statement.

import type { DataSource } from 'typeorm';
import {
  FeedReader,
  historyDropped,
  poolNotFound,
  SCANNED,
  seqUnknown,
  type EventFilter,
  type FeedPage,
  type NewEventsView,
  type OwnedEvent,
  type RestoreView,
} from '@app/tokens';
import { bigints, texts } from '../connection/array-parameter.js';
import { Database } from '../connection/database.js';
import type { Statement, Value } from '../connection/pipeline.js';
import { FEED_BEGINS } from '../schema/statements.js';
import { EventMonths } from './event-months.js';
import { FEED, NEW_EVENTS, SEARCH, SEQS_GIVEN } from './feed-statements.js';
import { ofFollowed, type Followed } from './followed.js';

const BEYOND_ALL = Number.MAX_SAFE_INTEGER;

export class PostgresFeedReader extends FeedReader {
  readonly #database: Database;
  readonly #months: EventMonths;

  constructor(
    private readonly source: DataSource,
    gone?: AbortSignal,
  ) {
    super();
    this.#database = new Database(source, gone);
    this.#months = EventMonths.of(source);
  }

  until(gone: AbortSignal): PostgresFeedReader {
    return new PostgresFeedReader(this.source, gone);
  }

  async page(poolName: string, after: number, limit: number): Promise<FeedPage<OwnedEvent>> {
    const { from, to } = await this.#months.between(poolName, after, limit);
    const { isCut: _, ...page } = await this.#read(FEED, [poolName, limit, after, from, to]);
    return page;
  }

  async search(poolName: string, after: number, limit: number, filter: EventFilter): Promise<FeedPage<OwnedEvent>> {
    const { actor = null, requestId = null, keyId = null } = filter;
    const { from, to } = await this.#months.between(poolName, after, SCANNED);
    const until = Math.min(after + SCANNED, BEYOND_ALL);
    const values = [poolName, limit, after, from, to, until, actor, requestId, keyId];
    const { isCut, ...page } = await this.#read(SEARCH, values);
    const last = isCut || page.events.length >= limit ? page.events.at(-1) : undefined;
    return { ...page, scanned_to: last ? last.seq : Math.max(after, Math.min(until, page.last_seq)) };
  }

  async newEvents(after: ReadonlyMap<string, number>, limit: number): Promise<NewEventsView[]> {
    const since = await this.#months.since(after);
    const values = [texts([...after.keys()]), bigints([...after.values()]), limit, texts(since)];
    const found = new Map<string, { pool: string; events: OwnedEvent[]; delay_seconds: number }>();
    for (const { delay_seconds, ...event } of await this.#database.read<OwnedEvent & { delay_seconds: number }>(
      NEW_EVENTS,
      values,
    )) {
      const { pool } = event;
      const ofPool = found.get(pool);
      if (ofPool) ofPool.events.push(event);
      else found.set(pool, { pool, events: [event], delay_seconds });
    }
    return [...found.values()];
  }

  async begins(poolName: string): Promise<number> {
    return (await this.#database.read<{ seq: number | null }>(FEED_BEGINS, [poolName]))[0]!.seq ?? 0;
  }

  async seqsGiven(poolNames: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#database.read<{ pool: string; seq: number }>(SEQS_GIVEN, [texts([...poolNames])]);
    return new Map(rows.map(({ pool, seq }) => [pool, seq]));
  }

  /** A page, and whether the limit on its bytes ended it early. */
  async #read(statement: Statement, values: Value[]): Promise<FeedPage<OwnedEvent> & { isCut: boolean }> {
    const rows = await this.#database.read<FeedRow>(statement, values);
    if (!rows[0]) throw poolNotFound(values[0] as string);
    const { last_seq_of_pool: last_seq, restores_of_pool: restores, begins_of_pool: begins } = rows[0];
    const { seqs_given_of_pool: given } = rows[0];
    const [poolName, , after] = values as [string, number, number];
    if (begins !== null && after < begins) {
      throw historyDropped(poolName, begins, `the events after seq ${after} were dropped`);
    }
    if (after > given) throw seqUnknown(poolName, after, last_seq, begins ?? 0);
    const events = rows.filter(({ id }) => id !== null).map(ofEvent);
    const isCut = rows.at(-1)?.is_followed === true;
    return { pool: poolName, events, last_seq, restores: restores ?? [], isCut };
  }
}

/** A row with the pool's columns and an event, or with the pool's columns alone. */
type FeedRow = Followed & {
  seqs_given_of_pool: number;
  last_seq_of_pool: number;
  restores_of_pool: RestoreView[] | null;
  begins_of_pool: number | null;
};

const ofEvent = ({ seqs_given_of_pool: _, ...row }: FeedRow): OwnedEvent => withoutLastSeq(row);
const withoutLastSeq = ({ last_seq_of_pool: _, ...row }: Omit<FeedRow, 'seqs_given_of_pool'>): OwnedEvent =>
  withoutRestores(row);
const withoutRestores = ({
  restores_of_pool: _,
  ...row
}: Omit<FeedRow, 'seqs_given_of_pool' | 'last_seq_of_pool'>): OwnedEvent => withoutBeginning(row);
const withoutBeginning = ({ begins_of_pool: _, ...row }: Pick<FeedRow, 'begins_of_pool'> & Followed): OwnedEvent =>
  ofFollowed(row);

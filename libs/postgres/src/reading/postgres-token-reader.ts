// The reading port's implementation: each answer is one statement's rows, passed on as they come.

import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import {
  DomainError,
  historyDropped,
  positionUnknown,
  seqUnknown,
  SCANNED,
  PageSize,
  TokenReader,
  fenceOf,
  type EventFilter,
  type EventPage,
  type FeedPage,
  type HistoryPage,
  type LeaseAgesView,
  type NewsView,
  type OwnedDetails,
  type OwnedEvent,
  type OwnedToken,
  type OwnedUse,
  type PageRequest,
  type PoolView,
  type RecordedEventView,
  type RestoreView,
  type StoredPoolLook,
  type StoredPoolView,
  type TokenPage,
  type TokenQuery,
  type TokenView,
  type Whereabouts,
} from '@app/tokens';
import { bigints, texts } from '../connection/array-parameter.js';
import { readCursor, writeCursor, type CursorList } from './cursor.js';
import { Database } from '../connection/database.js';
import { BEGINNING, EventMonths } from './event-months.js';
import type { Statement, Value } from '../connection/exchange.js';
import { Past } from './past.js';
import { STORED_POOL, STORED_TOKENS } from '../audit/stored-statements.js';
import { FEED, NEWS, SEARCH, SEQS_GIVEN } from './feed-statements.js';
import { LEASE_AGES, POOL, POOLS, POOLS_NAMED } from './pool-statements.js';
import {
  END_OF_LEASE,
  HISTORY,
  LIST_ACTIVE,
  LIST_ALL,
  LIST_AVAILABLE,
  LOCATE,
  PLACE_GIVEN,
  TOKEN_DETAILS,
  TOKEN_EVENTS,
} from './token-statements.js';
import { FEED_BEGINS, STORED_EVENTS } from '../schema/statements.js';
import { snapshotOf } from '../audit/snapshot-of.js';

const SHOWN_USES = 20;
const STORED_PAGE = 1000;
/** The database ends a transaction that is idle for 2 s. */
const LONGEST_REST_MS = 1000;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const BEYOND_ALL = Number.MAX_SAFE_INTEGER;

export class PostgresTokenReader extends TokenReader {
  readonly #database: Database;
  readonly #months: EventMonths;
  readonly #past: Past;

  /** @param months what is known of them, by whichever reader of the same database */
  constructor(
    private readonly source: DataSource,
    months?: EventMonths,
    private readonly gone?: AbortSignal,
  ) {
    super();
    this.#database = new Database(source, gone);
    this.#months = months ?? new EventMonths(this.#database);
    this.#past = new Past(this.#database);
  }

  until(gone: AbortSignal): TokenReader {
    return new PostgresTokenReader(this.source, this.#months, gone);
  }

  async locate(tokenId: string): Promise<Whereabouts> {
    const [found] = await this.#database.read<Whereabouts>(LOCATE, [tokenId]);
    if (!found) throw new DomainError('token_not_found', `there is no token ${tokenId}`);
    return found;
  }

  async token(tokenId: string): Promise<OwnedDetails> {
    const { pool, isDeleted } = await this.locate(tokenId);
    if (isDeleted) throw deleted(tokenId);
    const values = [pool, tokenId, SHOWN_USES, BEYOND_ALL];
    const [details] = await this.#recentFirst<OwnedDetails>(
      TOKEN_DETAILS,
      values,
      ([one]) => one === undefined || one.history.length >= SHOWN_USES,
    );
    if (!details) throw deleted(tokenId);
    return details;
  }

  async tokenAsOf(tokenId: string, at: string): Promise<OwnedDetails> {
    const { pool } = await this.locate(tokenId);
    return this.#past.token(pool, tokenId, at, SHOWN_USES);
  }

  poolAsOf(poolName: string, at: string): Promise<PoolView> {
    return this.#past.pool(poolName, at);
  }

  async tokens(query: TokenQuery): Promise<TokenPage<OwnedToken>> {
    const { tokens, next_cursor } = await this.#list(query);
    // An empty page may be one of a pool that does not exist.
    if (tokens.length === 0) await this.pool(query.poolName);
    return { tokens, next_cursor };
  }

  async events(tokenId: string, { limit, cursor }: PageRequest): Promise<EventPage<OwnedEvent>> {
    const place = readCursor('events', cursor);
    const values = [tokenId, limit + 1, place ?? BEYOND_ALL];
    const rows = await this.#recentFirst<Followed>(
      TOKEN_EVENTS,
      values,
      (rows) => rows.length > limit || rows.at(-1)?.is_followed === true,
    );
    const pool = rows[0]?.pool ?? (await this.locate(tokenId)).pool;
    if (place !== undefined) await this.#mustBeGiven(pool, { seq: place });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      token_id: tokenId,
      events: page.map(ofFollowed),
      next_cursor: last?.is_followed ? writeCursor('events', last.seq) : null,
    };
  }

  async history(tokenId: string, { limit, cursor }: PageRequest): Promise<HistoryPage<OwnedUse>> {
    const { pool } = await this.locate(tokenId);
    const place = readCursor('history', cursor);
    if (place !== undefined) await this.#mustBeGiven(pool, { fence: place });
    const values = [pool, tokenId, limit + 1, place ?? BEYOND_ALL];
    const rows = await this.#recentFirst<OwnedUse>(HISTORY, values, ({ length }) => length > limit);
    const { page, next_cursor } = paged(rows, limit, 'history', ({ fence }) => fence);
    return { token_id: tokenId, history: page, next_cursor };
  }

  async endOf(tokenId: string, leaseId: string, keyId: string | null = null): Promise<LeaseEnd | null> {
    const { pool } = await this.locate(tokenId);
    const rows = await this.#database.read<LeaseEnd>(END_OF_LEASE, [pool, tokenId, fenceOf(leaseId), leaseId, keyId]);
    return rows[0] ?? null;
  }

  pools(names: ReadonlySet<string> | null = null): Promise<PoolView[]> {
    if (names === null) return this.#database.read<PoolView>(POOLS, []);
    return this.#database.read<PoolView>(POOLS_NAMED, [JSON.stringify([...names])]);
  }

  async pool(poolName: string): Promise<PoolView> {
    const [pool] = await this.#database.read<PoolView>(POOL, [poolName]);
    if (!pool) throw notFound(poolName);
    return pool;
  }

  leaseAges(): Promise<LeaseAgesView[]> {
    return this.#database.read<LeaseAgesView>(LEASE_AGES, []);
  }

  stored<T>(poolName: string, look: (pool: StoredPoolLook) => T | Promise<T>): Promise<T> {
    return new PageSize(STORED_PAGE).read((most) =>
      this.#database.snapshot(async (ask) => {
        const [pool] = await ask<Omit<StoredPoolView, 'begins'>>(STORED_POOL, [poolName]);
        if (!pool) throw notFound(poolName);
        const begins = await snapshotOf(ask, poolName, true);
        const page = async <Row>(statement: Statement, after: Value): Promise<Row[]> => {
          const began = performance.now();
          const rows = await ask<Row>(statement, [poolName, most, after]);
          // For one caller among many: half of the time is left to those who want tokens.
          if (this.gone) await sleep(Math.min(performance.now() - began, LONGEST_REST_MS));
          return rows;
        };
        async function* tokens(): AsyncGenerator<TokenView[]> {
          for (let last: TokenView | undefined; ;) {
            const tokens = await page<TokenView>(STORED_TOKENS, last?.id ?? NIL_UUID);
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

  storedEvents(poolName: string, after: number, limit: number): Promise<RecordedEventView[]> {
    return this.#database.read<RecordedEventView>(STORED_EVENTS, [poolName, limit, after]);
  }

  async feedBegins(poolName: string): Promise<number> {
    return (await this.#database.read<{ seq: number | null }>(FEED_BEGINS, [poolName]))[0]!.seq ?? 0;
  }

  async seqsGiven(poolNames: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#database.read<{ pool: string; seq: number }>(SEQS_GIVEN, [texts([...poolNames])]);
    return new Map(rows.map(({ pool, seq }) => [pool, seq]));
  }

  async feed(poolName: string, after: number, limit: number): Promise<FeedPage<OwnedEvent>> {
    const { from, to } = await this.#months.between(poolName, after, limit);
    const { isCut: _, ...page } = await this.#feed(FEED, [poolName, limit, after, from, to]);
    return page;
  }

  async search(poolName: string, after: number, limit: number, filter: EventFilter): Promise<FeedPage<OwnedEvent>> {
    const { actor = null, requestId = null, keyId = null } = filter;
    const { from, to } = await this.#months.between(poolName, after, SCANNED);
    const until = Math.min(after + SCANNED, BEYOND_ALL);
    const values = [poolName, limit, after, from, to, until, actor, requestId, keyId];
    const { isCut, ...page } = await this.#feed(SEARCH, values);
    const last = isCut || page.events.length >= limit ? page.events.at(-1) : undefined;
    return { ...page, scanned_to: last ? last.seq : Math.max(after, Math.min(until, page.last_seq)) };
  }

  async news(after: ReadonlyMap<string, number>, limit: number): Promise<NewsView[]> {
    const since = await this.#months.since(after);
    const values = [texts([...after.keys()]), bigints([...after.values()]), limit, texts(since)];
    const news = new Map<string, { pool: string; events: OwnedEvent[]; delay_seconds: number }>();
    for (const { delay_seconds, ...event } of await this.#database.read<OwnedEvent & { delay_seconds: number }>(
      NEWS,
      values,
    )) {
      const { pool } = event;
      const ofPool = news.get(pool);
      if (ofPool) ofPool.events.push(event);
      else news.set(pool, { pool, events: [event], delay_seconds });
    }
    return [...news.values()];
  }

  /** @returns also whether the page ended before it was full, because of its bytes */
  async #feed(statement: Statement, values: Value[]): Promise<FeedPage<OwnedEvent> & { isCut: boolean }> {
    const rows = await this.#database.read<FeedRow>(statement, values);
    if (!rows[0]) throw notFound(values[0] as string);
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

  async #list({ poolName, status, userId, keyId, limit, cursor }: TokenQuery): Promise<TokenPage<OwnedToken>> {
    const place = readCursor(status, cursor);
    const user = userId ?? null;
    if (status === 'available') {
      // Nobody holds an available token.
      if (user !== null) return { tokens: [], next_cursor: null };
      const [since = 0, id = NIL_UUID] = place?.split('~') ?? [];
      if (place !== undefined) await this.#mustBeGiven(poolName, { at: `${since}`, token: id });
      const rows = await this.#database.read<OwnedToken & { since: string }>(LIST_AVAILABLE, [
        poolName,
        limit + 1,
        since,
        id,
      ]);
      const { page, next_cursor } = paged(rows, limit, status, (last) => `${last.since}~${last.id}`);
      return { tokens: page.map(({ since: _, ...token }) => token), next_cursor };
    }
    if (place !== undefined) await this.#mustBeGiven(poolName, status === 'all' ? { token: place } : { fence: place });
    const [statement, start] = status === 'all' ? [LIST_ALL, NIL_UUID] : [LIST_ACTIVE, 0];
    const rows = await this.#database.read<OwnedToken>(statement, [
      poolName,
      limit + 1,
      place ?? start,
      user,
      keyId ?? null,
    ]);
    const { page, next_cursor } = paged(rows, limit, status, ({ id, fence }) => (status === 'all' ? id : fence!));
    return { tokens: page, next_cursor };
  }

  /** @throws DomainError `position_unknown` for a place that no list of this database can have ended at */
  async #mustBeGiven(
    poolName: string,
    { seq = null, fence = null, at = null, token = null }: { seq?: Place; fence?: Place; at?: Place; token?: Place },
  ): Promise<void> {
    const values = [poolName, seq, fence, at, token];
    const [found] = await this.#database.read<{ last_seq: number; isGiven: boolean }>(PLACE_GIVEN, values);
    if (!found) throw notFound(poolName);
    if (!found.isGiven) throw positionUnknown('the cursor', 'without it', { last_seq: found.last_seq });
  }

  /** The statement's last value is since when: of late, and only if that is not enough, from the beginning. */
  async #recentFirst<Row>(
    statement: Statement,
    values: Value[],
    isEnough: (rows: readonly Row[]) => boolean,
  ): Promise<Row[]> {
    const since = await this.#months.recent();
    const rows = await this.#database.read<Row>(statement, [...values, since]);
    if (since === BEGINNING || isEnough(rows)) return rows;
    return this.#database.read<Row>(statement, [...values, BEGINNING]);
  }
}

/** An event, and whether another one follows that was looked for. */
type Followed = OwnedEvent & { is_followed: true | null };

const ofFollowed = ({ is_followed: _, ...event }: Followed): OwnedEvent => event;

/** What is said of the pool stands in each row, beside an event or alone. */
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

type Place = string | null;
type LeaseEnd = NonNullable<Awaited<ReturnType<TokenReader['endOf']>>>;

/** A statement is asked for one row more than the page holds: that row says that there is a next page. */
function paged<Row>(rows: Row[], limit: number, list: CursorList, place: (last: Row) => string | number) {
  const page = rows.slice(0, limit);
  const next_cursor = rows.length > limit ? writeCursor(list, place(page.at(-1) as Row)) : null;
  return { page, next_cursor };
}

const notFound = (poolName: string): DomainError => new DomainError('pool_not_found', `there is no pool ${poolName}`);
const deleted = (tokenId: string): DomainError => new DomainError('token_deleted', `token ${tokenId} was deleted`);

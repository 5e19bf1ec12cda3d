// Reads tokens: each answer is the rows of one statement.

import type { DataSource } from 'typeorm';
import {
  fenceOf,
  LEASES_EXAMINED,
  notValid,
  poolDeleted,
  poolNotFound,
  positionUnknown,
  SealedSecret,
  tokenDeleted,
  tokenNotFound,
  TokenReader,
  type EventPage,
  type HistoryPage,
  type LeaseEnd,
  type LeaseName,
  type LeasePage,
  type LeaseQuery,
  type OwnedDetails,
  type OwnedEvent,
  type OwnedLease,
  type OwnedToken,
  type OwnedUse,
  type OwnedVerification,
  type PageRequest,
  type PoolLife,
  type TokenPage,
  type TokenQuery,
  type Whereabouts,
} from '@app/tokens';
import { texts } from '../connection/array-parameter.js';
import { Database } from '../connection/database.js';
import type { Statement, Value } from '../connection/pipeline.js';
import { pathOf } from '../schema/attributes-path.js';
import { readCursor, writeCursor, type CursorList } from './cursor.js';
import { BEGINNING, EventMonths } from './event-months.js';
import { ofFollowed, type Followed } from './followed.js';
import { LEASES_OF_HOLDER, LEASES_OF_USER, VERIFY_LEASE, VERIFY_TOKEN } from './lease-statements.js';
import { IS_POOL } from '../schema/statements.js';
import {
  END_OF_LEASE,
  HISTORY,
  LIST_ACTIVE,
  LIST_ALL,
  LIST_AVAILABLE,
  LIST_KEPT_BACK,
  LOCATE,
  PLACE_ISSUED,
  SHOWN_USES,
  TOKEN_DETAILS,
  TOKEN_EVENTS,
} from './token-statements.js';

const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const BEYOND_ALL = Number.MAX_SAFE_INTEGER;

export class PostgresTokenReader extends TokenReader {
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

  until(gone: AbortSignal): PostgresTokenReader {
    return new PostgresTokenReader(this.source, gone);
  }

  async locate(tokenId: string): Promise<Whereabouts> {
    const [found] = await this.#database.read<Whereabouts>(LOCATE, [tokenId]);
    if (!found) throw tokenNotFound(tokenId);
    return found;
  }

  async token(tokenId: string): Promise<OwnedDetails> {
    const { pool, isDeleted } = await this.locate(tokenId);
    if (isDeleted) throw tokenDeleted(tokenId);
    const values = [pool, tokenId, SHOWN_USES, BEYOND_ALL];
    const [details] = await this.#recentFirst<OwnedDetails>(
      TOKEN_DETAILS,
      values,
      ([one], since) => one === undefined || (one.history.length >= SHOWN_USES && !isOpenFromBefore(one, since)),
    );
    if (!details) throw tokenDeleted(tokenId);
    return details;
  }

  async tokens(query: TokenQuery): Promise<TokenPage<OwnedToken>> {
    const { tokens, next_cursor } = await this.#list(query);
    // An empty page may mean that the pool does not exist, or was deleted.
    if (tokens.length === 0) await this.#mustExist(query.poolName);
    return { tokens, next_cursor };
  }

  async leases({ whose, pools, keyId, limit, cursor }: LeaseQuery): Promise<LeasePage<OwnedLease>> {
    const place = readCursor('leases', cursor);
    const [pool = '', fence = '0'] = place?.split('~') ?? [];
    if (place !== undefined) await this.#mustBeIssuedIn(pools, pool, fence);
    const bounds = [limit + 1, pool, fence, keyId ?? null, pools && texts([...pools])];
    const rows =
      'holder' in whose
        ? await this.#database.read<LeaseRow>(LEASES_OF_HOLDER, [whose.holder, ...bounds])
        : await this.#database.read<LeaseRow>(LEASES_OF_USER, [whose.userId, ...bounds, LEASES_EXAMINED]);
    const examinedTo = rows[0]?.examined_to ?? null;
    const leases = rows.filter(({ token_id }) => token_id !== null).map(({ examined_to: _, ...lease }) => lease);
    const { page, next_cursor } = paged(leases, limit, 'leases', (last) => `${last.pool}~${last.fence}`);
    return { leases: page, next_cursor: next_cursor ?? (examinedTo && writeCursor('leases', examinedTo)) };
  }

  async verify(lease: LeaseName, pools: ReadonlySet<string> | null): Promise<OwnedVerification> {
    const among = pools && texts([...pools]);
    const [found] =
      'leaseId' in lease
        ? await this.#database.read<VerifiedRow>(VERIFY_LEASE, [lease.leaseId, fenceOf(lease.leaseId), among])
        : await this.#database.read<VerifiedRow>(VERIFY_TOKEN, [lease.tokenId, lease.fence, among]);
    return found ? { ...found, secret: found.secret && new SealedSecret(found.secret) } : notValid(lease);
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
    if (place !== undefined) await this.#mustBeIssued(pool, { seq: place });
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
    if (place !== undefined) await this.#mustBeIssued(pool, { fence: place });
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

  async #list(query: TokenQuery): Promise<TokenPage<OwnedToken>> {
    const { poolName, status, userId, holder, keyId, name, attributes, limit, cursor } = query;
    const isSearch = name !== undefined || attributes !== undefined;
    const found = isSearch ? [name ?? null, pathOf(poolName, attributes ?? {})] : [];
    const place = readCursor(status, cursor);
    const user = userId ?? null;
    if (status === 'available') {
      // No user holds an available token.
      if (user !== null || holder !== undefined) return { tokens: [], next_cursor: null };
      const [since = 0, id = NIL_UUID] = place?.split('~') ?? [];
      if (place !== undefined) await this.#mustBeIssued(poolName, { at: `${since}`, token: id });
      const rows = await this.#database.read<OwnedToken & { since: string }>(
        LIST_AVAILABLE[isSearch ? 'found' : 'any'],
        [poolName, limit + 1, since, id, ...found],
      );
      const { page, next_cursor } = paged(rows, limit, status, (last) => `${last.since}~${last.id}`);
      return { tokens: page.map(({ since: _, ...token }) => token), next_cursor };
    }
    const isById = status !== 'active';
    if (place !== undefined) await this.#mustBeIssued(poolName, isById ? { token: place } : { fence: place });
    const [statement, start] = isById ? [status === 'all' ? LIST_ALL : LIST_KEPT_BACK, NIL_UUID] : [LIST_ACTIVE, 0];
    const rows = await this.#database.read<OwnedToken>(statement[isSearch ? 'found' : 'any'], [
      poolName,
      limit + 1,
      place ?? start,
      user,
      keyId ?? null,
      holder ?? null,
      ...(status === 'all' || status === 'active' ? [] : [status]),
      ...found,
    ]);
    const { page, next_cursor } = paged(rows, limit, status, ({ id, fence }) => (isById ? id : fence!));
    return { tokens: page, next_cursor };
  }

  async #mustExist(poolName: string): Promise<void> {
    const [pool] = await this.#database.read<{ life: PoolLife }>(IS_POOL, [poolName]);
    if (!pool) throw poolNotFound(poolName);
    if (pool.life !== 'live') throw poolDeleted(poolName);
  }

  /** @throws DomainError `position_unknown` for a place at which no list of this database can have ended */
  async #mustBeIssued(
    poolName: string,
    { seq = null, fence = null, at = null, token = null }: { seq?: Place; fence?: Place; at?: Place; token?: Place },
  ): Promise<void> {
    const values = [poolName, seq, fence, at, token];
    const [found] = await this.#database.read<{ last_seq: number; isIssued: boolean }>(PLACE_ISSUED, values);
    if (!found) throw poolNotFound(poolName);
    if (!found.isIssued) throw positionUnknown('the cursor', 'without it', { last_seq: found.last_seq });
  }

  /** @throws DomainError `position_unknown` as `#mustBeIssued`, and for a place in a pool that is not one of these */
  async #mustBeIssuedIn(pools: ReadonlySet<string> | null, pool: string, fence: string): Promise<void> {
    if (pools === null || pools.has(pool)) {
      const [found] = await this.#database.read<{ isIssued: boolean }>(PLACE_ISSUED, [pool, null, fence, null, null]);
      if (found?.isIssued) return;
    }
    throw positionUnknown('the cursor', 'without it', {});
  }

  /**
   * Runs a statement whose last value is the instant since when to read: first for the recent months, and then from the
   * beginning if their rows are not enough.
   */
  async #recentFirst<Row>(
    statement: Statement,
    values: Value[],
    isEnough: (rows: readonly Row[], since: string) => boolean,
  ): Promise<Row[]> {
    const since = await this.#months.recent();
    const rows = await this.#database.read<Row>(statement, [...values, since]);
    if (since === BEGINNING || isEnough(rows, since)) return rows;
    return this.#database.read<Row>(statement, [...values, BEGINNING]);
  }
}

type Place = string | null;

type VerifiedRow = Omit<OwnedVerification, 'secret'> & { readonly secret: Buffer | null };

/** Whether a lease is open that began before an instant, which has the form of the views. */
const isOpenFromBefore = ({ current_user }: OwnedDetails, since: string): boolean =>
  current_user !== null && current_user.activated_at < since;

type LeaseRow = OwnedLease & { readonly examined_to: string | null };

/** Cuts a page from rows that hold one more than the page: that row shows that there is a next page. */
function paged<Row>(rows: Row[], limit: number, list: CursorList, place: (last: Row) => string | number) {
  const page = rows.slice(0, limit);
  const next_cursor = rows.length > limit ? writeCursor(list, place(page.at(-1) as Row)) : null;
  return { page, next_cursor };
}

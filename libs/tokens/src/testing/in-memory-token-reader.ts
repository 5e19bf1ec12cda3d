// Reads tokens in memory. test/database/readers.spec.ts runs the same tests on it as on the PostgreSQL reader.

import {
  callerGone,
  DomainError,
  poolDeleted,
  poolNotFound,
  positionUnknown,
  tokenDeleted,
  tokenNotFound,
} from '../kernel/domain-error.js';
import { toIso, type Instant } from '../kernel/instant.js';
import { isDescribedBy } from '../pool/thing.js';
import type { EndReason, Metadata } from '../pool/token-event.js';
import { isDraining } from '../pool/pool-slice.js';
import { isOverdue, type Lease, type Token } from '../pool/token.js';
import {
  notValid,
  TokenReader,
  type LeaseEnd,
  type LeaseName,
  type LeaseQuery,
  type PageRequest,
  type TokenQuery,
  type Whereabouts,
} from '../reading/token-reader.js';
import type {
  EventPage,
  HistoryPage,
  LeasePage,
  OwnedDetails,
  OwnedEvent,
  OwnedLease,
  OwnedToken,
  OwnedUse,
  OwnedVerification,
  TokenPage,
} from '../reading/views.js';
import type { InMemoryTokenPoolRepository } from './in-memory-token-pool-repository.js';
import { eventView, tokenView, type RecordedEvent } from './views.js';

const SHOWN_USES = 20;

type List = TokenQuery['status'] | 'events' | 'history' | 'leases';
type Place = string | number;

export class InMemoryTokenReader extends TokenReader {
  /** The number of calls of `locate`. */
  located = 0;

  constructor(
    private readonly repository: InMemoryTokenPoolRepository,
    private readonly gone?: AbortSignal,
  ) {
    super();
  }

  until(gone: AbortSignal): InMemoryTokenReader {
    return new InMemoryTokenReader(this.repository, gone);
  }

  async locate(tokenId: string): Promise<Whereabouts> {
    this.located++;
    return this.#locate(tokenId);
  }

  async token(tokenId: string): Promise<OwnedDetails> {
    const { pool, isDeleted } = this.#locate(tokenId);
    const { tokens, now, state } = this.repository.look(pool);
    if (isDeleted || state.life !== 'live') throw tokenDeleted(tokenId);
    const view = this.#view(pool, tokens.get(tokenId)!);
    const { lease } = tokens.get(tokenId)!;
    const current = lease && !isOverdue(lease, now) ? lease : null;
    return {
      ...view,
      current_user: current && {
        user_id: current.userId,
        holder: current.holder,
        activated_at: toIso(current.activatedAt),
        expires_at: toIso(current.expiresAt),
      },
      history: this.#uses(pool, tokenId).slice(0, SHOWN_USES),
    };
  }

  async tokens(query: TokenQuery): Promise<TokenPage<OwnedToken>> {
    const { poolName, status, userId, holder, keyId, name, attributes, limit, cursor } = query;
    this.#mustBeHere();
    const place = readCursor(status, cursor);
    if (!this.repository.poolNames.includes(poolName)) throw poolNotFound(poolName);
    const { tokens, now, state } = this.repository.look(poolName);
    if (state.life !== 'live') throw poolDeleted(poolName);
    const runs = ({ lease }: Token): boolean => lease !== null && !isOverdue(lease, now);
    const isUsers = (token: Token): boolean =>
      (userId === undefined && holder === undefined) ||
      (runs(token) &&
        (userId === undefined || token.lease?.userId === userId) &&
        (holder === undefined || token.lease?.holder === holder) &&
        (keyId === undefined || token.lease?.keyId === keyId));
    const isFound = ({ thing }: Token): boolean =>
      (name === undefined || thing?.name === name) &&
      (attributes === undefined || (thing !== undefined && isDescribedBy(thing.attributes, attributes)));
    const listed = [...tokens.values()].filter(isUsers).filter(isFound);
    if (status === 'all') {
      if (place !== undefined) this.#mustBeGiven(poolName, { tokenId: place });
      return this.#listed(poolName, status, listed, ({ id }) => id, place, limit);
    }
    if (status === 'active') {
      if (place !== undefined) this.#mustBeGiven(poolName, { fence: Number(place) });
      const fence = ({ lease }: Token): string => padded(lease!.fence);
      const active = listed.filter((token) => runs(token) && !token.lease?.purpose);
      return this.#listed(poolName, status, active, fence, place, limit);
    }
    const ofStatus = listed.filter((token) => this.#view(poolName, token).status === status);
    if (status !== 'available') {
      if (place !== undefined) this.#mustBeGiven(poolName, { tokenId: place });
      return this.#listed(poolName, status, ofStatus, ({ id }) => id, place, limit);
    }
    if (place !== undefined)
      this.#mustBeGiven(poolName, { at: Number(place.split('~')[0]), tokenId: place.split('~')[1]! });
    const since = ({ id, lease, freeSince }: Token): string => `${padded(lease?.expiresAt ?? freeSince)}~${id}`;
    return this.#listed(poolName, status, ofStatus, since, place, limit);
  }

  async leases({ whose, pools, keyId, limit, cursor }: LeaseQuery): Promise<LeasePage<OwnedLease>> {
    const after = readCursor('leases', cursor);
    const placeOf = ({ pool, fence }: { pool: string; fence: number }): string => `${pool}~${padded(fence)}`;
    // A blank comes before every letter of a name, so that the order is that of the pools, and then of the fences.
    const orderOf = (place: string): string => place.replace('~', ' ');
    if (after !== undefined) {
      const [pool, fence] = after.split('~') as [string, string];
      const isVisible = pools === null || pools.has(pool);
      if (!isVisible || !this.repository.poolNames.includes(pool))
        throw positionUnknown('the cursor', 'without it', {});
      this.#mustBeGiven(pool, { fence: Number(fence) });
    }
    const leases = this.#open(pools)
      .filter(({ lease }) => ('holder' in whose ? lease.holder === whose.holder : lease.userId === whose.userId))
      .filter(({ lease }) => keyId === undefined || lease.keyId === keyId)
      .map(({ pool, token, lease }): OwnedLease => {
        const metadata = this.#metadataOf(pool, lease);
        return { ...leaseOf(pool, token, lease), activated_at: toIso(lease.activatedAt), metadata };
      })
      .filter((lease) => after === undefined || orderOf(placeOf(lease)) > orderOf(after))
      .sort((a, b) => (orderOf(placeOf(a)) < orderOf(placeOf(b)) ? -1 : 1));
    const { page, next_cursor } = paged('leases', leases, limit, placeOf);
    return { leases: page, next_cursor };
  }

  async verify(name: LeaseName, pools: ReadonlySet<string> | null): Promise<OwnedVerification> {
    const found = this.#open(pools).find(({ token, lease }) =>
      'leaseId' in name ? lease.leaseId === name.leaseId : token.id === name.tokenId && lease.fence === name.fence,
    );
    if (!found) return notValid(name);
    const { pool, token, lease, now } = found;
    return {
      valid: true,
      ...leaseOf(pool, token, lease),
      expires_in_ms: Math.floor((lease.expiresAt - now) / 1000),
      secret: 'leaseId' in name ? (token.thing?.secret ?? null) : null,
    };
  }

  /** The leases that are not over, in these pools or in all. */
  #open(pools: ReadonlySet<string> | null): { pool: string; token: Token; lease: Lease; now: Instant }[] {
    this.#mustBeHere();
    return this.repository.poolNames
      .filter((pool) => pools === null || pools.has(pool))
      .flatMap((pool) => {
        const { tokens, now } = this.repository.look(pool);
        return [...tokens.values()].flatMap((token) =>
          token.lease && !isOverdue(token.lease, now) ? { pool, token, lease: token.lease, now } : [],
        );
      });
  }

  async events(tokenId: string, { limit, cursor }: PageRequest): Promise<EventPage<OwnedEvent>> {
    const place = readCursor('events', cursor);
    const { pool } = this.#locate(tokenId);
    if (place !== undefined) this.#mustBeGiven(pool, { seq: Number(place) });
    const below = this.#eventsOf(pool, tokenId).filter(({ seq }) => seq < Number(place ?? Infinity));
    const { page, next_cursor } = paged('events', below.toReversed(), limit, ({ seq }) => seq);
    return { token_id: tokenId, events: page.map((event) => eventView(pool, event)), next_cursor };
  }

  async history(tokenId: string, { limit, cursor }: PageRequest): Promise<HistoryPage<OwnedUse>> {
    const { pool } = this.#locate(tokenId);
    const place = readCursor('history', cursor);
    if (place !== undefined) this.#mustBeGiven(pool, { fence: Number(place) });
    const below = this.#uses(pool, tokenId).filter(({ fence }) => fence < Number(place ?? Infinity));
    const { page, next_cursor } = paged('history', below, limit, ({ fence }) => fence);
    return { token_id: tokenId, history: page, next_cursor };
  }

  async endOf(tokenId: string, leaseId: string, keyId: string | null = null): Promise<LeaseEnd | null> {
    const { pool } = this.#locate(tokenId);
    const end = this.#ends(pool, tokenId).find(({ lease }) => lease!.leaseId === leaseId);
    if (!end || (keyId !== null && end.lease?.keyId !== keyId)) return null;
    return { end_reason: end.reason as EndReason, ended_at: toIso(end.occurredAt) };
  }

  #mustBeHere(): void {
    if (this.gone?.aborted) throw callerGone();
  }

  #locate(tokenId: string): Whereabouts {
    this.#mustBeHere();
    for (const pool of this.repository.poolNames) {
      const { tokens } = this.repository.look(pool);
      if (tokens.has(tokenId)) return { pool, isDeleted: false };
      if (this.#eventsOf(pool, tokenId).length > 0) return { pool, isDeleted: true };
    }
    throw tokenNotFound(tokenId);
  }

  #view(pool: string, token: Token): OwnedToken {
    const { now, state } = this.repository.look(pool);
    const metadata = token.lease && this.#metadataOf(pool, token.lease);
    return { ...tokenView(pool, token, now, isDraining(state), metadata, state), key_id: token.lease?.keyId ?? null };
  }

  #metadataOf(pool: string, { fence }: Lease): Metadata | null {
    const { events } = this.repository.look(pool);
    return events.find(({ event, lease }) => event === 'activated' && lease?.fence === fence)?.metadata ?? null;
  }

  /** Oldest first. */
  #eventsOf(pool: string, tokenId: string): RecordedEvent[] {
    return this.repository.look(pool).events.filter((event) => event.tokenId === tokenId);
  }

  #ends(pool: string, tokenId: string): RecordedEvent[] {
    return this.#eventsOf(pool, tokenId).filter(({ event }) => event === 'released' || event === 'expired');
  }

  /** The open lease, if there is one, and the ended ones, newest first. */
  #uses(pool: string, tokenId: string): OwnedUse[] {
    const { tokens, now } = this.repository.look(pool);
    const lease = tokens.get(tokenId)?.lease ?? null;
    const open = lease ? [isOverdue(lease, now) ? useOf(lease, lease.expiresAt, 'ttl_expired') : useOf(lease)] : [];
    const ended = this.#ends(pool, tokenId).map(({ lease, occurredAt, reason }) =>
      useOf(lease!, occurredAt, reason as EndReason),
    );
    return [...open, ...ended].sort((a, b) => b.fence - a.fence);
  }

  #listed(
    pool: string,
    list: List,
    tokens: Token[],
    placeOf: (token: Token) => string,
    place: string | undefined,
    limit: number,
  ): TokenPage<OwnedToken> {
    const after = tokens
      .filter((token) => place === undefined || placeOf(token) > place)
      .sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    const { page, next_cursor } = paged(list, after, limit, placeOf);
    return { tokens: page.map((token) => this.#view(pool, token)), next_cursor };
  }

  #mustBeGiven(
    pool: string,
    { seq = 0, fence = 0, at = 0, tokenId }: { seq?: number; fence?: number; at?: Instant; tokenId?: string },
  ): void {
    const { state, now, tokens } = this.repository.look(pool);
    const isKnown = tokenId === undefined || tokens.has(tokenId) || this.#eventsOf(pool, tokenId).length > 0;
    if (seq <= state.lastSeq && fence <= state.lastFence && at <= now && isKnown) return;
    throw positionUnknown('the cursor', 'without it', { last_seq: state.lastSeq });
  }
}

/** What a list and a verification show of an open lease. */
const leaseOf = (pool: string, token: Token, lease: Lease) => ({
  token_id: token.id,
  name: token.thing?.name ?? null,
  pool,
  fence: lease.fence,
  holder: lease.holder,
  user_id: lease.userId,
  expires_at: toIso(lease.expiresAt),
  key_id: lease.keyId,
});

const useOf = (lease: Lease, endedAt?: Instant, reason?: EndReason): OwnedUse => ({
  user_id: lease.userId,
  holder: lease.holder,
  fence: lease.fence,
  started_at: toIso(lease.activatedAt),
  ended_at: endedAt === undefined ? null : toIso(endedAt),
  end_reason: reason ?? null,
  key_id: lease.keyId,
});

/** Pads a number, so that the order of the texts is that of the numbers. */
const padded = (number: number): string => String(number).padStart(16, '0');

function paged<Row>(list: List, rows: readonly Row[], limit: number, placeOf: (row: Row) => Place) {
  const page = rows.slice(0, limit);
  const next_cursor = rows.length > limit ? writeCursor(list, placeOf(page.at(-1) as Row)) : null;
  return { page, next_cursor };
}

const writeCursor = (list: List, place: Place): string => Buffer.from(`${list}~${place}`).toString('base64url');

function readCursor(list: List, cursor: string | undefined): string | undefined {
  if (cursor === undefined || cursor === '') return undefined;
  const place = Buffer.from(cursor, 'base64url')
    .toString()
    .slice(list.length + 1);
  if (!/^[\da-z~-]+$/.test(place) || writeCursor(list, place) !== cursor) {
    throw new DomainError('invalid_request', 'cursor must be the next_cursor of the page before, of the same list');
  }
  return place;
}

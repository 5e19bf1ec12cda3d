// The live state of a pool: a snapshot, then the events after it. It reports a lost connection, reconnects by itself,
// and catches up on the missed events.

import { signal, type ReadonlySignal } from '@preact/signals';
import { api, ApiError, UNREACHABLE, type Pool, type PoolEvent, type Token } from '../api.js';
import { serverClock } from '../server-clock.js';
import { EventLog, type Present } from './event-log.js';
import { followEvents, type Close } from './event-stream.js';
import {
  countByStatus,
  countHeld,
  NO_COUNTS,
  PoolState,
  type Lease,
  type Status,
  type TokenKind,
} from './pool-state.js';

export type Connection =
  | { readonly is: 'loading' }
  /** @param isAnew whether a new snapshot replaced the state, because missed events are no longer available */
  | { readonly is: 'live'; readonly isAnew: boolean }
  /** @param since, retryAt on the monotonic clock, in milliseconds; `retryAt` is null during an attempt */
  | { readonly is: 'lost'; readonly since: number; readonly retryAt: number | null }
  | { readonly is: 'refused'; readonly error: ApiError };

export interface Happening {
  readonly event: PoolEvent;
  /** For an end, how long the lease was held, in milliseconds; null when unknown. */
  readonly held: number | null;
  /** The name of the token then; null when it has none, or is unknown. */
  readonly name: string | null;
}

export interface Listener {
  /** A new snapshot replaces all earlier state. */
  begun?(state: PoolState): void;
  happened?(event: PoolEvent): void;
}

/** The latest change of a token, for the board to highlight. */
export interface Flash {
  readonly kind: TokenKind;
  /** On the monotonic clock, in milliseconds. */
  readonly at: number;
}

/** The page shows only so many tokens of a larger pool. */
export const MOST_TOKENS = 20_000;
const PAGE = 1_000;
/** The most pages of the feed to read back from the newest event. */
const MOST_PAGES_BACK = 20;
/** After more missed events, a new snapshot is quicker. */
const MOST_TO_CATCH_UP = 5_000;
const RETRIES_MS = [500, 1_000, 2_000, 4_000, 8_000];
/**
 * How long a hidden page keeps its stream. A browser has six connections for all pages of a service, and each stream
 * takes one.
 */
const UNSEEN_MS = 30_000;
/** How often the page reads the pool itself, because a dead connection may look alive. */
const LOOK_MS = 10_000;
const SHOWN_EVENTS = 200;
/** The page does not highlight older events. */
const FRESH_MS = 3_000;
/** The least time between two updates of the page, in milliseconds. */
const BREATH_MS = 150;

export class LivePool {
  readonly #pool = signal<Pool | null>(null);
  readonly #connection = signal<Connection>({ is: 'loading' });
  readonly #version = signal(0);
  readonly #recent: Happening[] = [];
  readonly #flashes = new Map<string, Flash>();
  readonly #lapsed = new WeakSet<Lease>();
  readonly #listeners = new Set<Listener>();
  #state: PoolState | null = null;
  #log = new EventLog();
  #pagesBack = 0;
  #firstSeqRead = Infinity;
  /** The service no longer has events up to this seq. */
  #beginsAfter = 0;
  #isReadingBack = false;
  #wantedSince = Infinity;

  #closeStream: Close | null = null;
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #isResting = false;
  #look: ReturnType<typeof setInterval> | undefined;
  #breath: ReturnType<typeof setTimeout> | undefined;
  #lastEventAt = 0;
  #isAnew = false;
  #isStopped = true;

  constructor(readonly name: string) {}

  get pool(): ReadonlySignal<Pool | null> {
    return this.#pool;
  }

  get connection(): ReadonlySignal<Connection> {
    return this.#connection;
  }

  /** Rises when anything below has changed, at most a few times a second. */
  get version(): ReadonlySignal<number> {
    return this.#version;
  }

  /** Null until the first snapshot. */
  get state(): PoolState | null {
    return this.#state;
  }

  get log(): EventLog {
    return this.#log;
  }

  /** Newest first. */
  get recent(): readonly Happening[] {
    return this.#recent;
  }

  /** The highlights by token. The board paints them, and removes those that are over. */
  get flashes(): Map<string, Flash> {
    return this.#flashes;
  }

  start(): void {
    this.#isStopped = false;
    this.#look = setInterval(() => void this.look(), LOOK_MS);
    addEventListener('offline', this.#goneOffline);
    addEventListener('online', this.retry);
    document.addEventListener('visibilitychange', this.#seen);
    void this.#connect();
    // The page may have opened in a background tab.
    this.#seen();
  }

  stop(): void {
    this.#isStopped = true;
    this.#closeStream?.();
    clearTimeout(this.#retry);
    clearTimeout(this.#rest);
    clearInterval(this.#look);
    clearTimeout(this.#breath);
    removeEventListener('offline', this.#goneOffline);
    removeEventListener('online', this.retry);
    document.removeEventListener('visibilitychange', this.#seen);
  }

  /** @returns a function that removes the listener */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reconnects at once instead of at `retryAt`. */
  retry = (): void => {
    const connection = this.#connection.peek();
    if (connection.is === 'lost' && connection.retryAt !== null) void this.#connect();
  };

  /** The reader has dismissed the notice about the new snapshot. */
  acknowledge = (): void => {
    if (this.#connection.peek().is === 'live') this.#connection.value = { is: 'live', isAnew: false };
  };

  /** The current state of the pool, in which overdue leases do not count as held. */
  present(): Present {
    const now = serverClock.now();
    const tokens = this.#state?.tokens ?? [];
    const lapsed = tokens.flatMap(({ lease }) => (lease !== null && lease.expiresAt <= now ? [lease.expiresAt] : []));
    if (this.#state?.isWhole !== false) return { held: countHeld(tokens, now), total: tokens.length, lapsed };
    const { active = 0, cleaning = 0, total = 0 } = this.#pool.peek()?.counts ?? {};
    return { held: active + cleaning, total, lapsed: [] };
  }

  /** How many tokens of each status the pool has now. */
  counts(): Readonly<Record<Status, number>> {
    if (this.#state?.isWhole !== false) return countByStatus(this.#state?.tokens ?? [], serverClock.now());
    return { ...NO_COUNTS, ...this.#pool.peek()?.counts };
  }

  /** Shows the end of an overdue lease at once, before its expired event arrives. */
  lapse(): void {
    const now = serverClock.now();
    for (const { id, lease } of this.#state?.tokens ?? []) {
      if (lease === null || lease.expiresAt > now || this.#lapsed.has(lease)) continue;
      this.#lapsed.add(lease);
      if (now - lease.expiresAt < FRESH_MS) this.#flash(id, 'expired');
      this.#changed();
    }
  }

  /** Reads the feed back to a server time, in milliseconds since the epoch, as far as the feed and the limit permit. */
  readBackTo(since: number): void {
    this.#wantedSince = Math.min(this.#wantedSince, since);
    void this.#readBack();
  }

  /** Reads the pool itself, and reconnects if the stream has fallen silent. */
  look = async (): Promise<void> => {
    if (this.#connection.peek().is !== 'live' || document.hidden) return;
    const sent = performance.now();
    try {
      const pool = await api.pool(this.name);
      if (this.#isStopped) return;
      this.#pool.value = pool;
      const isBehind = this.#state !== null && pool.last_seq > this.#state.seq;
      if (isBehind && this.#lastEventAt < sent - LOOK_MS / 2) this.#lose();
    } catch (error) {
      if (!this.#isStopped) this.#failed(error);
    }
  };

  async #connect(): Promise<void> {
    clearTimeout(this.#retry);
    this.#isResting = false;
    const connection = this.#connection.peek();
    if (connection.is === 'lost') this.#connection.value = { ...connection, retryAt: null };
    try {
      const pool = await api.pool(this.name);
      const missed = pool.last_seq - (this.#state?.seq ?? -Infinity);
      // If the seq went back, the database was restored or replaced.
      const tokens = missed < 0 || missed > MOST_TO_CATCH_UP ? await this.#readTokens() : null;
      if (this.#isStopped) return;
      if (tokens) this.#begin(pool, tokens);
      this.#pool.value = pool;
      this.#follow();
    } catch (error) {
      if (!this.#isStopped) this.#failed(error);
    }
  }

  async #readTokens(): Promise<{ all: Token[]; isWhole: boolean }> {
    const all: Token[] = [];
    for (let cursor: string | null = ''; cursor !== null && all.length < MOST_TOKENS && !this.#isStopped;) {
      const page: { tokens: Token[]; next_cursor: string | null } = await api.tokens({
        pool: this.name,
        limit: PAGE,
        ...(cursor !== '' && { cursor }),
      });
      all.push(...page.tokens);
      cursor = page.next_cursor;
      if (cursor === null) return { all, isWhole: true };
    }
    return { all, isWhole: false };
  }

  #begin({ last_seq }: Pool, { all, isWhole }: { all: Token[]; isWhole: boolean }): void {
    this.#state = new PoolState(all, last_seq, isWhole);
    this.#log = new EventLog();
    if (last_seq === 0) this.#log.since = -Infinity;
    this.#recent.length = 0;
    this.#flashes.clear();
    this.#pagesBack = 0;
    this.#firstSeqRead = last_seq + 1;
    for (const listener of this.#listeners) listener.begun?.(this.#state);
    this.#changed();
    void this.#readBack();
  }

  #follow(): void {
    this.#closeStream?.();
    this.#closeStream = followEvents(api.streamOf(this.name, this.#state!.seq), {
      opened: () => {
        this.#attempts = 0;
        this.#connection.value = { is: 'live', isAnew: this.#isAnew };
        this.#isAnew = false;
        this.#changed();
      },
      happened: (event) => this.#happened(event),
      lost: (isGone) => (isGone ? this.#loseAll() : this.#lose()),
    });
  }

  #happened(event: PoolEvent): void {
    const received = performance.now();
    this.#lastEventAt = received;
    serverClock.readEvent(event.recorded_at, serverClock.steady());
    try {
      const applied = this.#state!.apply(event);
      if (applied === null) return;
      const held = this.#log.append(event, applied.ended);
      for (const listener of this.#listeners) listener.happened?.(event);
      this.#recent.unshift({ event, held, name: applied.token?.name ?? null });
      this.#recent.length = Math.min(this.#recent.length, SHOWN_EVENTS);
      const isNews = serverClock.now() - Date.parse(event.recorded_at) < FRESH_MS;
      // The page has already shown the end of an overdue lease.
      const wasSeen = applied.ended !== null && this.#lapsed.has(applied.ended);
      if (applied.token === null) void this.look();
      else if (isNews && !wasSeen) this.#flash(applied.token.id, applied.kind);
      // Only the service knows whether a token that was out of service is dirty, too.
      if (event.event === 'enabled') void this.#amend(event);
      this.#changed();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // Events are missing, so the page needs a new snapshot.
      this.#state = null;
      this.#lose();
    }
  }

  async #amend({ token_id, seq }: PoolEvent): Promise<void> {
    const token = await api.token(token_id!).catch(() => null);
    if (token) this.#state?.amend(token, seq);
    this.#changed();
  }

  /**
   * The missed events are no longer available, or the state belongs to another history. The page takes a new snapshot
   * and tells the reader.
   */
  #loseAll(): void {
    this.#state = null;
    this.#isAnew = true;
    this.#lose();
  }

  #flash(id: string, kind: TokenKind): void {
    // An evicted token is granted in the same moment; the grant must not hide the eviction, which is its cause.
    const at = performance.now();
    const before = this.#flashes.get(id);
    if (kind === 'granted' && before?.kind === 'evicted' && at - before.at < 100) return;
    this.#flashes.set(id, { kind, at });
  }

  #failed(error: unknown): void {
    // The database was restored or replaced in the meantime.
    if (error instanceof ApiError && error.code === 'position_unknown') return this.#loseAll();
    if (error instanceof ApiError && error.code !== UNREACHABLE && error.code !== 'unavailable') {
      this.#closeStream?.();
      this.#connection.value = { is: 'refused', error };
      return;
    }
    this.#lose();
    if (!(error instanceof ApiError)) throw error;
  }

  #lose(): void {
    this.#closeStream?.();
    clearTimeout(this.#retry);
    const now = performance.now();
    const delay = RETRIES_MS[Math.min(this.#attempts++, RETRIES_MS.length - 1)]! * (0.75 + Math.random() / 2);
    const connection = this.#connection.peek();
    const since = connection.is === 'lost' ? connection.since : now;
    this.#connection.value = { is: 'lost', since, retryAt: now + delay };
    this.#retry = setTimeout(() => void this.#connect(), delay);
  }

  readonly #goneOffline = (): void => {
    if (!this.#isResting) this.#lose();
  };

  readonly #seen = (): void => {
    clearTimeout(this.#rest);
    if (document.hidden) {
      this.#rest = setTimeout(() => {
        this.#isResting = true;
        this.#closeStream?.();
        clearTimeout(this.#retry);
      }, UNSEEN_MS);
      return;
    }
    if (this.#isResting) return void this.#connect();
    this.retry();
    void this.look();
  };

  /** Reads the events after a seq, up to another one. A page may be short when its events are large. */
  async #between(after: number, last: number): Promise<PoolEvent[]> {
    const all: PoolEvent[] = [];
    for (let reached = after; reached < last;) {
      const { events } = await api.feed(this.name, reached, last - reached);
      all.push(...events.filter(({ seq }) => seq <= last));
      reached = events.at(-1)?.seq ?? last;
    }
    return all;
  }

  async #readBack(): Promise<void> {
    if (this.#isReadingBack || this.#state === null) return;
    this.#isReadingBack = true;
    const log = this.#log;
    let isToTryAgain = false;
    try {
      while (!this.#isStopped && log === this.#log && this.#isMoreWanted()) {
        const after = Math.max(this.#firstSeqRead - 1 - PAGE, this.#beginsAfter);
        const events = await this.#between(after, this.#firstSeqRead - 1);
        if (log !== this.#log) break;
        log.prepend(events);
        this.#firstSeqRead = after + 1;
        this.#pagesBack++;
        if (after === 0) log.since = -Infinity;
        const room = SHOWN_EVENTS - this.#recent.length;
        if (room > 0) {
          const older = events.slice(-room).reverse();
          this.#recent.push(...older.map((event) => this.#happeningOf(event)));
        }
        this.#changed();
      }
    } catch (error) {
      // The stream reports the lost connection; the next snapshot or request reads what is missing.
      if (!(error instanceof ApiError)) throw error;
      if (error.code === 'position_unknown') return this.#loseAll();
      this.#beginsAfter = Math.max(error.beginsAfter ?? 0, this.#beginsAfter);
      isToTryAgain = error.beginsAfter !== undefined && log === this.#log;
    } finally {
      this.#isReadingBack = false;
    }
    // The charts begin where the available events begin.
    if (isToTryAgain) await this.#readBack();
  }

  /** An event from before the snapshot. */
  #happeningOf(event: PoolEvent): Happening {
    const name = event.token_id === null ? null : (this.#state?.find(event.token_id)?.name ?? null);
    return { event, held: this.#log.heldUntil(event), name: name ?? nameIn(event) };
  }

  #isMoreWanted(): boolean {
    if (this.#firstSeqRead <= this.#beginsAfter + 1 || this.#pagesBack >= MOST_PAGES_BACK) return false;
    // The newest page is always read: it fills the list of what happened.
    return this.#pagesBack === 0 || this.#log.since > this.#wantedSince;
  }

  #changed(): void {
    this.#breath ??= setTimeout(() => {
      this.#breath = undefined;
      this.#version.value++;
    }, BREATH_MS);
  }
}

/** The name that an event gave to its token, if any. */
function nameIn({ event, metadata }: PoolEvent): string | null {
  const { name } = event === 'generated' ? metadata : {};
  return typeof name === 'string' ? name : null;
}

// A pool as it is at this moment: a snapshot, then its events as they come. Says when the connection is lost, and
// catches up by itself.

import { signal, type ReadonlySignal } from '@preact/signals';
import { api, ApiError, UNREACHABLE, type Pool, type PoolEvent, type Token } from '../api.js';
import { serverClock } from '../server-clock.js';
import { EventLog, type Present } from './event-log.js';
import { followEvents, type Close } from './event-stream.js';
import { countHeld, PoolState, type Kind, type Lease } from './pool-state.js';

export type Connection =
  | { readonly is: 'loading' }
  /** @param isAnew events were dropped before they were seen here: all that is shown is of a new snapshot */
  | { readonly is: 'live'; readonly isAnew: boolean }
  /** @param since, retryAt of the monotonic clock, in milliseconds; `retryAt` null while it is being tried */
  | { readonly is: 'lost'; readonly since: number; readonly retryAt: number | null }
  | { readonly is: 'refused'; readonly error: ApiError };

export interface Happening {
  readonly event: PoolEvent;
  /** Of an end: how long the lease was held, in milliseconds, where that is known. */
  readonly held: number | null;
}

export interface Listener {
  /** A snapshot was taken: nothing is known of what was before it. */
  begun?(state: PoolState): void;
  happened?(event: PoolEvent): void;
}

/** What just happened to a token. */
export interface Flash {
  readonly kind: Kind;
  /** Of the monotonic clock, in milliseconds. */
  readonly at: number;
}

/** Beyond it a pool is shown in part. */
export const MOST_TOKENS = 20_000;
const PAGE = 1_000;
/** Of the feed, read back from the newest event on. */
const MOST_PAGES_BACK = 20;
/** Where more was missed, a new snapshot is quicker. */
const MOST_TO_CATCH_UP = 5_000;
const RETRIES_MS = [500, 1_000, 2_000, 4_000, 8_000];
/** A browser has six connections for all pages of a service, and a stream takes one: pages that nobody sees give it back. */
const UNSEEN_MS = 30_000;
/** How often the pool itself is looked at: its policy is in no event, and a dead connection may look alive. */
const LOOK_MS = 10_000;
const SHOWN_EVENTS = 200;
/** What is older is no news. */
const FRESH_MS = 3_000;
/** Pause between two changes of the page, in milliseconds. */
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
  /** Events up to this seq are not kept any more. */
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

  /** Rises when anything below has changed; a few times a second at most. */
  get version(): ReadonlySignal<number> {
    return this.#version;
  }

  /** Null until the first snapshot is there. */
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

  /** By token; for whoever draws them, who also drops what is over. */
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
    // It may have been opened behind another page.
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

  /** @returns what ends it */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tries at once to get a lost connection back. */
  retry = (): void => {
    const connection = this.#connection.peek();
    if (connection.is === 'lost' && connection.retryAt !== null) void this.#connect();
  };

  /** That what is shown begins anew has been read. */
  acknowledge = (): void => {
    if (this.#connection.peek().is === 'live') this.#connection.value = { is: 'live', isAnew: false };
  };

  /** How the pool is now; leases whose time is up are over. */
  present(): Present {
    const now = serverClock.now();
    const tokens = this.#state?.tokens ?? [];
    const lapsed = tokens.flatMap(({ lease }) => (lease !== null && lease.expiresAt <= now ? [lease.expiresAt] : []));
    if (this.#state?.isWhole !== false) return { held: countHeld(tokens, now), total: tokens.length, lapsed };
    const { active = 0, total = 0 } = this.#pool.peek()?.counts ?? {};
    return { held: active, total, lapsed: [] };
  }

  /** Leases that end by the clock do so here, too: the end is shown at once. */
  lapse(): void {
    const now = serverClock.now();
    for (const { id, lease } of this.#state?.tokens ?? []) {
      if (lease === null || lease.expiresAt > now || this.#lapsed.has(lease)) continue;
      this.#lapsed.add(lease);
      if (now - lease.expiresAt < FRESH_MS) this.#flash(id, 'expired');
      this.#changed();
    }
  }

  /** Reads the feed back to this time of the server, in milliseconds, as far as that goes. */
  readBackTo(since: number): void {
    this.#wantedSince = Math.min(this.#wantedSince, since);
    void this.#readBack();
  }

  /** Looks at the pool itself. */
  look = async (): Promise<void> => {
    if (this.#connection.peek().is !== 'live' || document.hidden) return;
    const asked = performance.now();
    try {
      const pool = await api.pool(this.name);
      if (this.#isStopped) return;
      this.#pool.value = pool;
      const isBehind = this.#state !== null && pool.last_seq > this.#state.seq;
      if (isBehind && this.#lastEventAt < asked - LOOK_MS / 2) this.#lose();
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
      // A pool that went back in time is another one: its database was replaced.
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
      this.#recent.unshift({ event, held });
      this.#recent.length = Math.min(this.#recent.length, SHOWN_EVENTS);
      const isNews = serverClock.now() - Date.parse(event.recorded_at) < FRESH_MS;
      // The end of a lease whose time was up has been shown when it was.
      const wasSeen = applied.ended !== null && this.#lapsed.has(applied.ended);
      if (isNews && !wasSeen) this.#flash(event.token_id, applied.kind);
      this.#changed();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // Events are missing: only a new snapshot helps.
      this.#state = null;
      this.#lose();
    }
  }

  /** What was missed is not kept any more, or what is shown is of another history: only a new snapshot helps, and that is said. */
  #loseAll(): void {
    this.#state = null;
    this.#isAnew = true;
    this.#lose();
  }

  #flash(id: string, kind: Kind): void {
    // What shows why is not painted over by what follows from it: an evicted token is granted in the same moment.
    const at = performance.now();
    const before = this.#flashes.get(id);
    if (kind === 'granted' && before?.kind === 'evicted' && at - before.at < 100) return;
    this.#flashes.set(id, { kind, at });
  }

  #failed(error: unknown): void {
    // The database was restored or replaced meanwhile.
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

  /** The events after a seq, up to another one. A page of the service ends early where its events are large. */
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
          this.#recent.push(...older.map((event) => ({ event, held: log.heldUntil(event) })));
        }
        this.#changed();
      }
    } catch (error) {
      // The stream says that the connection is lost; what is missing is read with the next snapshot or wish.
      if (!(error instanceof ApiError)) throw error;
      if (error.code === 'position_unknown') return this.#loseAll();
      this.#beginsAfter = Math.max(error.beginsAfter ?? 0, this.#beginsAfter);
      isToTryAgain = error.beginsAfter !== undefined && log === this.#log;
    } finally {
      this.#isReadingBack = false;
    }
    // What is shown begins where the events begin.
    if (isToTryAgain) await this.#readBack();
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

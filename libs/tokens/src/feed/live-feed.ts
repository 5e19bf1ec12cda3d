// The feeds of pools as they grow: one statement at short intervals for all pools that anybody follows in this
// process, whoever changed them, and none while nobody does. After a failure each pool is looked at by itself, so that one
// whose events cannot be read in time stops no other, and is asked for less each time.

import { historyDropped, seqUnknown } from '../kernel/domain-error.js';
import type { FeedReader } from './feed-reader.js';
import { Follower } from './follower.js';
import { Gate } from './gate.js';
import { PoolTail } from './pool-tail.js';
import type { PoolReader } from '../reading/pool-reader.js';
import type { OwnedEvent } from '../reading/views.js';

/** From one look for news to the next. */
const INTERVAL_MS = 100;
/** After a look that failed. */
const RETRY_MS = 1000;
/** Events of a pool that one look takes; if there are more, the next look follows at once. */
const NEWS = 500;
/** From one look to the next whether the store has gone back to an earlier state. */
const STEP_BACK_MS = 5000;
/** Events of a page of the past: what a follower holds while its reader takes its time. */
const PAGE = 200;
/** So that many who begin far back leave connections to those who want a token. */
const PAGES_AT_ONCE = 2;
/** For how long a page is kept for others who come to the same place. */
const PAGE_SHARED_MS = 1000;
/** Looks at single pools, beside that at all others. */
const LOOKS_APART_AT_ONCE = 2;

/** The looks that follow each other: at one pool, or at all that are not looked at by themselves. */
interface Looks {
  readonly timer: NodeJS.Timeout;
  inHand: Promise<void>;
}

/** Whoever watches: quick, and never throwing. */
export interface LiveFeedObserver {
  /** There were news of a pool; for how long the oldest of them had been written down, by the store's clock. */
  arrived(delaySeconds: number): void;

  /** A look failed after one that did not: what is new comes later. */
  failed(error: unknown): void;
}

/** Reads a page of the past when it is the turn of its reader's key; null where no key is asked for. */
export type ReadingTurn = <T>(keyId: string | null, read: () => Promise<T>) => Promise<T>;

export class LiveFeed {
  readonly #tails = new Map<string, PoolTail>();
  readonly #followers = new Set<Follower>();
  readonly #pages = new Gate(PAGES_AT_ONCE);
  readonly #sharedPages = new Map<string, Promise<readonly OwnedEvent[]>>();
  readonly #looksApart = new Gate(LOOKS_APART_AT_ONCE);
  /** Of each pool that is looked at by itself, how many events are asked for. */
  readonly #apart = new Map<string, number>();
  /** By pool; `null` for all others. */
  readonly #looks = new Map<string | null, Looks>();
  #isFailing = false;
  #isClosed = false;
  #lookedForStepBack = -Infinity;

  constructor(
    private readonly reader: FeedReader,
    private readonly pools: PoolReader,
    private readonly observer: LiveFeedObserver,
    private readonly readingTurn: ReadingTurn = (_keyId, read) => read(),
  ) {}

  /**
   * Follows a pool from the event after a seq on, or from now on.
   * @param gone its reader has left before the feed could be followed
   * @param keyId of its reader; null where no key is asked for
   * @throws DomainError `pool_not_found`, `history_dropped`, `position_unknown`; `unavailable` when the store cannot be reached in time
   */
  async follow(
    poolName: string,
    after: number | 'latest',
    gone?: AbortSignal,
    keyId: string | null = null,
  ): Promise<Follower> {
    const reader = gone ? this.reader.until(gone) : this.reader;
    const { last_seq } = await (gone ? this.pools.until(gone) : this.pools).pool(poolName);
    if (after !== 'latest') {
      const begins = await reader.begins(poolName);
      if (after < begins) throw historyDropped(poolName, begins, `the events after seq ${after} were dropped`);
      // In the gap of a restore a position is beyond the newest event, but not beyond the seqs given.
      const isBeyond = after > last_seq && after > ((await reader.seqsGiven([poolName])).get(poolName) ?? 0);
      if (isBeyond) throw seqUnknown(poolName, after, last_seq, begins);
    }
    const tail = this.#tails.get(poolName) ?? new PoolTail(poolName, last_seq);
    let most = PAGE;
    const page = async (seq: number): Promise<readonly OwnedEvent[]> => {
      try {
        const { events } = await this.reader.page(poolName, seq, most);
        most = PAGE;
        return events;
      } catch (error) {
        most = Math.ceil(most / 2);
        throw error;
      }
    };
    const follower = new Follower(
      tail,
      after === 'latest' ? last_seq : after,
      (seq) => this.#shared(poolName, seq, () => this.readingTurn(keyId, () => this.#pages.pass(() => page(seq)))),
      () => this.#forget(tail, follower),
    );
    this.#tails.set(poolName, tail);
    tail.followers.add(follower);
    this.#followers.add(follower);
    if (this.#isClosed) follower.end();
    else if (!this.#looks.has(null)) this.#look(0, null);
    return follower;
  }

  /** Followers that come one after the other to the same place have one page: hundreds begin at the beginning. */
  #shared(poolName: string, after: number, read: () => Promise<readonly OwnedEvent[]>): Promise<readonly OwnedEvent[]> {
    const place = `${poolName} ${after}`;
    const shared = this.#sharedPages.get(place);
    if (shared) return shared;
    const page = read();
    this.#sharedPages.set(place, page);
    const forget = (): void => void this.#sharedPages.delete(place);
    // An empty one may be wrong a moment later.
    page.then(({ length }) => (length > 0 ? setTimeout(forget, PAGE_SHARED_MS).unref() : forget()), forget);
    return page;
  }

  /** How many events the follower that is furthest behind has still to be given; 0 without one. */
  get furthestBehind(): number {
    return [...this.#followers].reduce((most, { isBehindBy }) => Math.max(most, isBehindBy), 0);
  }

  /** Ends all followers, and those to come. Resolves when nothing is read any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { timer } of this.#looks.values()) clearTimeout(timer);
    for (const follower of this.#followers) follower.end();
    await Promise.all([...this.#looks.values()].map(({ inHand }) => inHand));
  }

  #forget(tail: PoolTail, follower: Follower): void {
    this.#followers.delete(follower);
    tail.followers.delete(follower);
    if (tail.followers.size === 0) this.#tails.delete(tail.poolName);
  }

  /** The next look is armed when the last one has ended, so that looks at a pool never overlap. */
  #look(delayMs: number, poolName: string | null): void {
    const timer = setTimeout(() => {
      looks.inHand = this.#lookOnce(poolName).then((pauseMs) => {
        if (pauseMs === null || this.#isClosed) this.#looks.delete(poolName);
        else this.#look(pauseMs, poolName);
      });
    }, delayMs);
    const looks: Looks = { timer, inHand: Promise.resolve() };
    this.#looks.set(poolName, looks);
  }

  /**
   * Where the store was put back under an open stream, the next events would have seqs that count as read. Its readers come back
   * with their position, and are told.
   */
  async #endThoseOfAnotherHistory(): Promise<void> {
    const tails = [...this.#tails.values()];
    const given = await this.reader.seqsGiven(tails.map(({ poolName }) => poolName));
    for (const { poolName, reaches } of tails) {
      if (reaches <= (given.get(poolName) ?? -1)) continue;
      for (const follower of this.#followers) if (follower.poolName === poolName) follower.end();
    }
  }

  /** @returns after which pause to look again; null: no more */
  #lookOnce(poolName: string | null): Promise<number | null> {
    if (poolName === null) return this.#lookAtOthers();
    return this.#looksApart.pass(() => this.#lookApart(poolName));
  }

  async #lookAtOthers(): Promise<number | null> {
    if (this.#tails.size === 0) return null;
    const began = performance.now();
    const tails = [...this.#tails.values()].filter(({ poolName }) => !this.#apart.has(poolName));
    try {
      const isThereMore = tails.length > 0 && (await this.#read(tails, NEWS));
      this.#isFailing &&= this.#apart.size > 0;
      return isThereMore ? 0 : Math.max(0, INTERVAL_MS - (performance.now() - began));
    } catch (error) {
      this.#failed(error);
      for (const { poolName } of tails) {
        this.#apart.set(poolName, NEWS / 2);
        this.#look(RETRY_MS, poolName);
      }
      return INTERVAL_MS;
    }
  }

  /** Until the pool has caught up. */
  async #lookApart(poolName: string): Promise<number | null> {
    const tail = this.#tails.get(poolName);
    const most = this.#apart.get(poolName)!;
    try {
      if (tail && !this.#isClosed && (await this.#read([tail], most))) return 0;
      this.#apart.delete(poolName);
      return null;
    } catch (error) {
      this.#failed(error);
      this.#apart.set(poolName, Math.ceil(most / 2));
      return RETRY_MS;
    }
  }

  /** @returns whether a pool may have more than so many events that are new */
  async #read(tails: readonly PoolTail[], most: number): Promise<boolean> {
    const began = performance.now();
    if (this.#isFailing || began - this.#lookedForStepBack > STEP_BACK_MS) {
      await this.#endThoseOfAnotherHistory();
      this.#lookedForStepBack = began;
    }
    const followed = tails.filter((tail) => this.#tails.get(tail.poolName) === tail);
    if (followed.length === 0) return false;
    const byName = new Map(followed.map((tail) => [tail.poolName, tail]));
    const places = new Map(followed.map(({ poolName, reaches }) => [poolName, reaches]));
    let isThereMore = false;
    for (const { pool, events, delay_seconds } of await this.reader.news(places, most)) {
      byName.get(pool)!.add(events);
      this.observer.arrived(delay_seconds);
      isThereMore ||= events.length === most;
    }
    return isThereMore;
  }

  #failed(error: unknown): void {
    if (!this.#isFailing) this.observer.failed(error);
    this.#isFailing = true;
  }
}

// The feeds of pools as they grow: this process reads the new events of all pools that have subscriptions with one
// statement at short intervals, and reads nothing while there are no subscriptions. After a failure it polls each pool
// by itself, so that a pool whose events cannot be read in time delays no other, and asks for fewer events each time.

import { historyDropped, seqUnknown } from '../kernel/domain-error.js';
import type { FeedReader } from './feed-reader.js';
import { FeedSubscription } from './feed-subscription.js';
import { Semaphore } from './semaphore.js';
import { EventBuffer } from './event-buffer.js';
import type { PoolReader } from '../reading/pool-reader.js';
import type { OwnedEvent } from '../reading/views.js';

/** The pause between two polls. */
const INTERVAL_MS = 100;
/** The pause after a poll that failed. */
const RETRY_MS = 1000;
/** The most events of a pool that one poll reads; when it reads that many, the next poll follows at once. */
const NEW_EVENTS_LIMIT = 500;
/** The pause between two checks whether the store has gone back to an earlier state. */
const STEP_BACK_MS = 5000;
/** Events on a page of the past, all of which stay in memory until a slow reader has taken them. */
const PAGE = 200;
/** A low limit, so that many subscriptions that begin far back leave connections to commands. */
const PAGES_AT_ONCE = 2;
/** How long subscriptions that reach the same position share a page. */
const PAGE_SHARED_MS = 1000;
/** Polls of single pools at a time, beside the one of all other pools. */
const SINGLE_POLLS_AT_ONCE = 2;

/** A chain of polls: of one pool by itself, or of all other pools together. */
interface Polling {
  readonly timer: NodeJS.Timeout;
  inHand: Promise<void>;
}

/** Its methods must return quickly and must not throw. */
export interface LiveFeedObserver {
  /** New events of a pool arrived. @param delaySeconds the age of the oldest of them, by the store's clock */
  arrived(delaySeconds: number): void;

  /** A poll failed after one that succeeded, so new events arrive late. */
  failed(error: unknown): void;
}

/** Runs `read` when it is the turn of the reader's key. @param keyId null where the service asks for no keys */
export type ReadingTurn = <T>(keyId: string | null, read: () => Promise<T>) => Promise<T>;

export class LiveFeed {
  readonly #buffers = new Map<string, EventBuffer>();
  readonly #subscriptions = new Set<FeedSubscription>();
  readonly #pages = new Semaphore(PAGES_AT_ONCE);
  readonly #sharedPages = new Map<string, Promise<readonly OwnedEvent[]>>();
  readonly #singlePolls = new Semaphore(SINGLE_POLLS_AT_ONCE);
  /** For each pool that the feed polls by itself, how many events a poll asks for. */
  readonly #limitBySinglePool = new Map<string, number>();
  /** By the name of the pool; `null` stands for all pools that the feed polls together. */
  readonly #pollings = new Map<string | null, Polling>();
  #isFailing = false;
  #isClosed = false;
  #checkedForStepBackAt = -Infinity;

  constructor(
    private readonly reader: FeedReader,
    private readonly pools: PoolReader,
    private readonly observer: LiveFeedObserver,
    private readonly readingTurn: ReadingTurn = (_keyId, read) => read(),
  ) {}

  /**
   * Subscribes to the events of a pool after a seq, or to those from now on.
   * @param gone aborts when the reader has left before the subscription begins
   * @param keyId the key of the reader; null where the service asks for no keys
   * @throws DomainError `pool_not_found`, `history_dropped`, `position_unknown`; `unavailable` when the store cannot be
   * reached in time
   */
  async subscribe(
    poolName: string,
    after: number | 'latest',
    gone?: AbortSignal,
    keyId: string | null = null,
  ): Promise<FeedSubscription> {
    const reader = gone ? this.reader.until(gone) : this.reader;
    const { last_seq } = await (gone ? this.pools.until(gone) : this.pools).pool(poolName);
    if (after !== 'latest') {
      const begins = await reader.begins(poolName);
      if (after < begins) throw historyDropped(poolName, begins, `the events after seq ${after} were dropped`);
      // A restore leaves a gap of seqs: a position in it is beyond the newest event, and still valid.
      const isBeyond = after > last_seq && after > ((await reader.seqsGiven([poolName])).get(poolName) ?? 0);
      if (isBeyond) throw seqUnknown(poolName, after, last_seq, begins);
    }
    const buffer = this.#buffers.get(poolName) ?? new EventBuffer(poolName, last_seq);
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
    const subscription = new FeedSubscription(
      buffer,
      after === 'latest' ? last_seq : after,
      (seq) => this.#shared(poolName, seq, () => this.readingTurn(keyId, () => this.#pages.run(() => page(seq)))),
      () => this.#forget(buffer, subscription),
    );
    this.#buffers.set(poolName, buffer);
    buffer.subscriptions.add(subscription);
    this.#subscriptions.add(subscription);
    if (this.#isClosed) subscription.end();
    else if (!this.#pollings.has(null)) this.#poll(0, null);
    return subscription;
  }

  /** Subscriptions that reach the same position soon after each other share one page: hundreds begin at seq 0. */
  #shared(poolName: string, after: number, read: () => Promise<readonly OwnedEvent[]>): Promise<readonly OwnedEvent[]> {
    const place = `${poolName} ${after}`;
    const shared = this.#sharedPages.get(place);
    if (shared) return shared;
    const page = read();
    this.#sharedPages.set(place, page);
    const forget = (): void => void this.#sharedPages.delete(place);
    // An empty page may be out of date a moment later.
    page.then(({ length }) => (length > 0 ? setTimeout(forget, PAGE_SHARED_MS).unref() : forget()), forget);
    return page;
  }

  /** How many known events the subscription that is furthest behind has not returned yet; 0 without subscriptions. */
  get furthestBehind(): number {
    return [...this.#subscriptions].reduce((most, { isBehindBy }) => Math.max(most, isBehindBy), 0);
  }

  /** Ends all subscriptions, present and future. Resolves when the last poll has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { timer } of this.#pollings.values()) clearTimeout(timer);
    for (const subscription of this.#subscriptions) subscription.end();
    await Promise.all([...this.#pollings.values()].map(({ inHand }) => inHand));
  }

  #forget(buffer: EventBuffer, subscription: FeedSubscription): void {
    this.#subscriptions.delete(subscription);
    buffer.subscriptions.delete(subscription);
    if (buffer.subscriptions.size === 0) this.#buffers.delete(buffer.poolName);
  }

  /** A poll starts the timer of the next one when it has ended, so that polls of a pool never overlap. */
  #poll(delayMs: number, poolName: string | null): void {
    const timer = setTimeout(() => {
      polling.inHand = this.#pollOnce(poolName).then((pauseMs) => {
        if (pauseMs === null || this.#isClosed) this.#pollings.delete(poolName);
        else this.#poll(pauseMs, poolName);
      });
    }, delayMs);
    const polling: Polling = { timer, inHand: Promise.resolve() };
    this.#pollings.set(poolName, polling);
  }

  /**
   * If the store went back to an earlier state, the next events of an open stream would have seqs that its reader has
   * read already. The reader comes back with its position, and `subscribe` refuses it with `position_unknown`.
   */
  async #endSubscriptionsOfAnotherHistory(): Promise<void> {
    const buffers = [...this.#buffers.values()];
    const given = await this.reader.seqsGiven(buffers.map(({ poolName }) => poolName));
    for (const { poolName, reaches } of buffers) {
      if (reaches <= (given.get(poolName) ?? -1)) continue;
      for (const subscription of this.#subscriptions) if (subscription.poolName === poolName) subscription.end();
    }
  }

  /** @returns the pause in milliseconds before the next poll; null when there is none */
  #pollOnce(poolName: string | null): Promise<number | null> {
    if (poolName === null) return this.#pollOthers();
    return this.#singlePolls.run(() => this.#pollSingle(poolName));
  }

  async #pollOthers(): Promise<number | null> {
    if (this.#buffers.size === 0) return null;
    const began = performance.now();
    const buffers = [...this.#buffers.values()].filter(({ poolName }) => !this.#limitBySinglePool.has(poolName));
    try {
      const isThereMore = buffers.length > 0 && (await this.#read(buffers, NEW_EVENTS_LIMIT));
      this.#isFailing &&= this.#limitBySinglePool.size > 0;
      return isThereMore ? 0 : Math.max(0, INTERVAL_MS - (performance.now() - began));
    } catch (error) {
      this.#failed(error);
      for (const { poolName } of buffers) {
        this.#limitBySinglePool.set(poolName, NEW_EVENTS_LIMIT / 2);
        this.#poll(RETRY_MS, poolName);
      }
      return INTERVAL_MS;
    }
  }

  /** Repeats until the pool has caught up. */
  async #pollSingle(poolName: string): Promise<number | null> {
    const buffer = this.#buffers.get(poolName);
    const most = this.#limitBySinglePool.get(poolName)!;
    try {
      if (buffer && !this.#isClosed && (await this.#read([buffer], most))) return 0;
      this.#limitBySinglePool.delete(poolName);
      return null;
    } catch (error) {
      this.#failed(error);
      this.#limitBySinglePool.set(poolName, Math.ceil(most / 2));
      return RETRY_MS;
    }
  }

  /** @returns whether a pool may have more than `most` new events */
  async #read(buffers: readonly EventBuffer[], most: number): Promise<boolean> {
    const began = performance.now();
    if (this.#isFailing || began - this.#checkedForStepBackAt > STEP_BACK_MS) {
      await this.#endSubscriptionsOfAnotherHistory();
      this.#checkedForStepBackAt = began;
    }
    const followed = buffers.filter((buffer) => this.#buffers.get(buffer.poolName) === buffer);
    if (followed.length === 0) return false;
    const byName = new Map(followed.map((buffer) => [buffer.poolName, buffer]));
    const places = new Map(followed.map(({ poolName, reaches }) => [poolName, reaches]));
    let isThereMore = false;
    for (const { pool, events, delay_seconds } of await this.reader.newEvents(places, most)) {
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

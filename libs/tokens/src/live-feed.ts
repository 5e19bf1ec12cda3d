// The feeds of pools as they grow: one statement at short intervals for all pools that anybody follows in this
// process, whoever changed them, and none while nobody does.

import { historyDropped, seqUnknown } from './domain-error.js';
import { Follower } from './follower.js';
import { Gate } from './gate.js';
import { PoolTail } from './pool-tail.js';
import type { TokenReader } from './token-reader.js';

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

/** Whoever watches: quick, and never throwing. */
export interface LiveFeedObserver {
  /** There were news of a pool; for how long the oldest of them had been written down, by the store's clock. */
  arrived(delaySeconds: number): void;

  /** A look failed after one that did not: what is new comes later. */
  failed(error: unknown): void;
}

export class LiveFeed {
  readonly #tails = new Map<string, PoolTail>();
  readonly #followers = new Set<Follower>();
  readonly #pages = new Gate(PAGES_AT_ONCE);
  #timer: NodeJS.Timeout | undefined;
  #lookInHand: Promise<void> = Promise.resolve();
  #isLooking = false;
  #isFailing = false;
  #isClosed = false;
  #lookedForStepBack = -Infinity;

  constructor(
    private readonly reader: TokenReader,
    private readonly observer: LiveFeedObserver,
  ) {}

  /**
   * Follows a pool from the event after a seq on, or from now on.
   * @throws DomainError `pool_not_found`, `history_dropped`, `position_unknown`; `unavailable` when the store cannot be reached in time
   */
  async follow(poolName: string, after: number | 'latest'): Promise<Follower> {
    const { last_seq } = await this.reader.pool(poolName);
    if (after !== 'latest') {
      const begins = await this.reader.feedBegins(poolName);
      if (after < begins) throw historyDropped(poolName, begins, `the events after seq ${after} were dropped`);
      // In the gap of a restore a position is beyond the newest event, but not beyond the seqs given.
      const isBeyond = after > last_seq && after > ((await this.reader.seqsGiven([poolName])).get(poolName) ?? 0);
      if (isBeyond) throw seqUnknown(poolName, after, last_seq, begins);
    }
    const tail = this.#tails.get(poolName) ?? new PoolTail(poolName, last_seq);
    const follower = new Follower(
      tail,
      after === 'latest' ? last_seq : after,
      (seq) => this.#pages.pass(async () => (await this.reader.feed(poolName, seq, PAGE)).events),
      () => this.#forget(tail, follower),
    );
    this.#tails.set(poolName, tail);
    tail.followers.add(follower);
    this.#followers.add(follower);
    if (this.#isClosed) follower.end();
    else if (!this.#isLooking) this.#look(0);
    return follower;
  }

  /** How many events the follower that is furthest behind has still to be given; 0 without one. */
  get furthestBehind(): number {
    return [...this.#followers].reduce((most, { isBehindBy }) => Math.max(most, isBehindBy), 0);
  }

  /** Ends all followers, and those to come. Resolves when nothing is read any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const follower of this.#followers) follower.end();
    await this.#lookInHand;
  }

  #forget(tail: PoolTail, follower: Follower): void {
    this.#followers.delete(follower);
    tail.followers.delete(follower);
    if (tail.followers.size === 0) this.#tails.delete(tail.poolName);
  }

  /** The next look is armed when the last one has ended, so that looks never overlap. */
  #look(delayMs: number): void {
    this.#isLooking = true;
    this.#timer = setTimeout(() => {
      this.#lookInHand = this.#lookOnce().then((pauseMs) => {
        this.#isLooking = this.#tails.size > 0 && !this.#isClosed;
        if (this.#isLooking) this.#look(pauseMs);
      });
    }, delayMs);
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

  async #lookOnce(): Promise<number> {
    if (this.#tails.size === 0) return 0;
    const began = performance.now();
    try {
      if (this.#isFailing || began - this.#lookedForStepBack > STEP_BACK_MS) {
        await this.#endThoseOfAnotherHistory();
        this.#lookedForStepBack = began;
      }
      const tails = new Map(this.#tails);
      const places = new Map([...tails].map(([poolName, { reaches }]) => [poolName, reaches]));
      let isThereMore = false;
      for (const { pool, events, delay_seconds } of await this.reader.news(places, NEWS)) {
        tails.get(pool)!.add(events);
        this.observer.arrived(delay_seconds);
        isThereMore ||= events.length === NEWS;
      }
      this.#isFailing = false;
      return isThereMore ? 0 : Math.max(0, INTERVAL_MS - (performance.now() - began));
    } catch (error) {
      if (!this.#isFailing) this.observer.failed(error);
      this.#isFailing = true;
      return RETRY_MS;
    }
  }
}

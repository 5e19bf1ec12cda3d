// The requests that wait for their turn in a line. A held request is an entry in a map, and no transaction: an offer
// that this process makes wakes it at once, and one of another process by the look that streams use. If neither tells,
// the request asks again when its time is over, so that nothing depends on them.

import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { LiveFeed, type FeedSubscription, type Observer, type TransactionReport } from '@app/tokens';
import { CONFIG, type Config } from '../config.js';
import { HttpProblem } from '../http/problem.js';

/** By then another request may have been answered. */
const RETRY_AFTER_SECONDS = 5;

/** What those wait for who want to clean a token, instead of the id of a ticket. */
export const DIRTY = 'dirty';

type Wake = () => void;

/** The waiters of one pool, and the news of it from other processes. */
interface PoolOfWaiters {
  /** By ticket, or DIRTY; several requests may wait for one. */
  readonly wakes: Map<string, Set<Wake>>;
  readonly subscription: Promise<FeedSubscription | null>;
}

/** What has happened to a ticket, as an event tells it in this process and in others. */
interface TicketNews {
  readonly event: string;
  readonly reason: string | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
}

/** Tells held requests of the offers that this process makes. It knows no executor, which takes its observers first. */
export class OfferObserver implements Observer {
  #listener: (poolName: string, news: readonly TicketNews[]) => void = () => undefined;

  listen(listener: (poolName: string, news: readonly TicketNews[]) => void): void {
    this.#listener = listener;
  }

  observe(report: TransactionReport): void {
    if (report.outcome !== 'committed') return;
    const { lastPlace, hasUpkeep } = report.pool.state;
    if (lastPlace > 0 || hasUpkeep) {
      this.#listener(report.poolName, report.pool.events);
    }
  }
}

@Injectable()
export class HeldRequests implements OnModuleDestroy {
  readonly #pools = new Map<string, PoolOfWaiters>();
  readonly #all = new Set<Wake>();
  #held = 0;
  #isStopping = false;

  constructor(
    private readonly feed: LiveFeed,
    private readonly offers: OfferObserver,
    @Inject(CONFIG) private readonly config: Pick<Config, 'waitLimit'>,
  ) {
    this.offers.listen((poolName, news) => this.#tell(poolName, news));
  }

  /** Whether the process ends, so that no request waits any more. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** How many requests wait now. */
  get held(): number {
    return this.#held;
  }

  /** @throws HttpProblem `unavailable` when as many requests wait here as may */
  mustHaveRoom(): void {
    if (this.#held < this.config.waitLimit) return;
    const why = `${this.config.waitLimit} requests wait in this process, and no more than that may`;
    throw new HttpProblem('unavailable', why, { retryAfterSeconds: RETRY_AFTER_SECONDS });
  }

  /**
   * Calls `ask` at once, and once more when something has happened to the ticket or a token became dirty, the time is
   * over, the caller leaves,
   * or the process stops. Returns the first answer that is not null, or null.
   * @param ask returns null while the ticket waits
   * @throws HttpProblem `unavailable` when as many requests wait here as may; what `ask` throws
   */
  async hold<T>(
    poolName: string,
    ticketId: string,
    waitSeconds: number,
    gone: AbortSignal,
    ask: (waitSeconds: number) => Promise<T | null>,
  ): Promise<T | null> {
    if (waitSeconds === 0 || this.#isStopping) return ask(0);
    this.mustHaveRoom();
    this.#held++;
    let leave: () => void = () => undefined;
    try {
      // The request listens before it asks, so that it misses nothing in between.
      const woken = new Promise<void>((resolve) => (leave = this.#enter(poolName, ticketId, resolve)));
      await this.#pools.get(poolName)?.subscription;
      const answer = await ask(waitSeconds);
      if (answer !== null) return answer;
      await until(woken, waitSeconds * 1000, gone);
      return await ask(0);
    } finally {
      leave();
      this.#held--;
    }
  }

  /** Nest calls this before it closes the server, which waits for all open answers. */
  onModuleDestroy(): void {
    this.#isStopping = true;
    for (const wake of this.#all) wake();
  }

  /** @returns a function that leaves again */
  #enter(poolName: string, ticketId: string, wake: Wake): () => void {
    const pool = this.#pools.get(poolName) ?? this.#follow(poolName);
    const ofTicket = pool.wakes.get(ticketId) ?? new Set();
    pool.wakes.set(ticketId, ofTicket.add(wake));
    this.#all.add(wake);
    return () => {
      this.#all.delete(wake);
      ofTicket.delete(wake);
      if (ofTicket.size === 0) pool.wakes.delete(ticketId);
      if (pool.wakes.size > 0) return;
      this.#pools.delete(poolName);
      void pool.subscription.then((subscription) => subscription?.end());
    };
  }

  #follow(poolName: string): PoolOfWaiters {
    const subscription = this.feed.subscribe(poolName, 'latest').catch(() => null);
    const pool: PoolOfWaiters = { wakes: new Map(), subscription };
    this.#pools.set(poolName, pool);
    void subscription.then((followed) => followed && this.#read(poolName, followed));
    return pool;
  }

  async #read(poolName: string, subscription: FeedSubscription): Promise<void> {
    try {
      for (;;) {
        const events = await subscription.next();
        if (events.length === 0) return;
        this.#tell(poolName, events);
      }
    } catch {
      // The requests ask again when their time is over.
      subscription.end();
    }
  }

  #tell(poolName: string, news: readonly TicketNews[]): void {
    const pool = this.#pools.get(poolName);
    if (!pool) return;
    for (const { event, reason, metadata } of news) {
      const isOver = reason === 'offered' || event === 'left';
      const mayBeCleaned = event === 'soiled' || event === 'enabled';
      if (!isOver && !mayBeCleaned) continue;
      const what = mayBeCleaned ? DIRTY : String(metadata?.['ticket_id']);
      for (const wake of pool.wakes.get(what) ?? []) wake();
    }
  }
}

function until(woken: Promise<void>, ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const end = (): void => {
      clearTimeout(timer);
      gone.removeEventListener('abort', end);
      resolve();
    };
    void woken.then(end);
    if (gone.aborted) end();
    else gone.addEventListener('abort', end);
  });
}

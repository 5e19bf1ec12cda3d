// Group commit. The commands for one pool that arrive while a transaction is under way go together into the
// next one: no timer, so nothing waits when the pool is idle; one transaction in flight per pool and process.

import { decideBatch, type Outcome } from './batch.js';
import type { Command } from './command.js';
import { callerGone, DomainError } from '../kernel/domain-error.js';
import { together } from './needs.js';
import { NOBODY, type Observer } from './observer.js';
import { Phases } from './phases.js';
import type { TokenPoolRepository } from './token-pool-repository.js';

export interface CommandQueueLimits {
  /** Commands that may wait for one pool; one more is refused with `unavailable`. */
  readonly waiting: number;
  /** Commands in one transaction. */
  readonly batch: number;
  /** A command that waited for longer is refused with `unavailable`, in milliseconds. */
  readonly patienceMs: number;
}

/** Bounded so that a pool that cannot keep up says so within seconds and holds a few megabytes at most. */
export const DEFAULT_LIMITS: CommandQueueLimits = { waiting: 2000, batch: 100, patienceMs: 4000 };

const ANSWERS_PER_TURN = 16;

interface Waiting {
  readonly command: Command<unknown>;
  readonly since: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class CommandQueue {
  readonly #lanes = new Map<string, Waiting[]>();

  constructor(
    private readonly pools: TokenPoolRepository,
    private readonly limits: CommandQueueLimits = DEFAULT_LIMITS,
    private readonly observer: Observer = NOBODY,
  ) {}

  /** How many commands wait for this pool, beside those of the transaction under way. */
  waitingFor(poolName: string): number {
    return this.#lanes.get(poolName)?.length ?? 0;
  }

  /**
   * Answers when the command's transaction is committed.
   * @throws DomainError of the command; `pool_not_found`; `unavailable` when the queue is full or too slow
   */
  submit<T>(poolName: string, command: Command<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting = { command, since: performance.now(), resolve: resolve as (value: unknown) => void, reject };
      const lane = this.#lanes.get(poolName);
      if (!lane) {
        this.#lanes.set(poolName, [waiting]);
        void this.#serve(poolName);
      } else if (lane.length < this.limits.waiting) {
        lane.push(waiting);
      } else {
        reject(overloaded(`${this.limits.waiting} commands are waiting for pool ${poolName}`));
      }
    });
  }

  async #serve(poolName: string): Promise<void> {
    const lane = this.#lanes.get(poolName) as Waiting[];
    // Whatever this turn of the event loop has still to read joins the first batch.
    await new Promise(setImmediate);
    while (lane.length > 0) {
      const batch = this.#awaited(poolName, lane.splice(0, this.limits.batch));
      if (batch.length > 0) lane.unshift(...(await this.#commit(poolName, batch)));
    }
    this.#lanes.delete(poolName);
  }

  /** Commits a batch and answers its callers; returns those that were put off to the next one. */
  async #commit(poolName: string, batch: Waiting[]): Promise<Waiting[]> {
    const phases = new Phases();
    const commands = batch.map(({ command }) => command);
    try {
      const needs = together(commands.map((command) => command.needs));
      const outcomes = await this.pools.change(poolName, needs, (pool) =>
        phases.deciding(() => decideBatch(pool, commands)),
      );
      phases.end();
      const putOff = batch.filter((_, place) => outcomes[place] === 'deferred');
      const answer = (): void => {
        const decided = putOff.length === 0 ? batch : batch.filter((_, place) => outcomes[place] !== 'deferred');
        this.observer.decided({ poolName, commands: decided, phases });
        settle(batch, outcomes);
      };
      // With more to do the next transaction is sent first: the database works while these are answered.
      if (this.#lanes.get(poolName)?.length) setImmediate(answer);
      else answer();
      return putOff;
    } catch (error) {
      if (batch.length > 1 && !(error instanceof DomainError)) return this.#commitEach(poolName, batch);
      this.observer.failed({ poolName, commands: batch, phases: phases.end() });
      for (const { reject } of batch) reject(error);
      return [];
    }
  }

  /** A transaction that failed for no reason of the domain's is rolled back; only whoever is to blame may fail for it. */
  async #commitEach(poolName: string, batch: Waiting[]): Promise<Waiting[]> {
    const putOff: Waiting[] = [];
    for (const waiting of batch) putOff.push(...(await this.#commit(poolName, [waiting])));
    return putOff;
  }

  /** Those whose callers still wait for them; the others get no place in a transaction. */
  #awaited(poolName: string, batch: Waiting[]): Waiting[] {
    const now = performance.now();
    const refused = new Map<Waiting, DomainError>();
    for (const waiting of batch) {
      if (waiting.command.isGone?.()) refused.set(waiting, callerGone());
      else if (now - waiting.since > this.limits.patienceMs)
        refused.set(waiting, overloaded(`the command waited for more than ${this.limits.patienceMs} ms`));
    }
    if (refused.size === 0) return batch;
    this.observer.failed({ poolName, commands: [...refused.keys()], phases: null });
    for (const [{ reject }, error] of refused) reject(error);
    return batch.filter((waiting) => !refused.has(waiting));
  }
}

/** Some in each turn of the event loop: what their callers do with the answers must not hold up everything else. */
function settle(batch: readonly Waiting[], outcomes: readonly Outcome[], from = 0): void {
  const to = Math.min(from + ANSWERS_PER_TURN, batch.length);
  for (let place = from; place < to; place++) {
    const { resolve, reject } = batch[place]!;
    const outcome = outcomes[place]!;
    if (outcome === 'deferred') continue;
    if ('error' in outcome) reject(outcome.error);
    else resolve(outcome.value);
  }
  if (to < batch.length) setImmediate(settle, batch, outcomes, to);
}

const overloaded = (why: string): DomainError =>
  new DomainError('unavailable', `${why}; nothing was changed`, { retryAfterSeconds: 1 });

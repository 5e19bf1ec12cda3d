// Serves lines at the instants at which leases and offers end while nobody sends a command. A transaction of this
// process on a pool sets its timer, and the sweep makes one on each pool in which somebody waits: so a process that has
// just started, or that has missed what another did, knows the instants, too. Nothing depends on these timers but how
// soon a line is served.

import type { Executor } from './executor.js';
import type { Observer, TransactionReport } from './observer.js';
import { sweepOnce } from './sweep.js';

/** Wakes shortly after the instant, so that the store's clock has passed it. */
const AFTER_MS = 2;
/** The longest delay of a timer of Node. */
const LONGEST_MS = 2 ** 31 - 1;

export class LineTimers implements Observer {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #executor: Executor | undefined;

  /** Must be called once, because the executor takes its observers first. */
  use(executor: Executor): void {
    this.#executor = executor;
  }

  observe(report: TransactionReport): void {
    if (report.outcome !== 'committed') return;
    const { poolName, pool } = report;
    const timer = this.#timers.get(poolName);
    if (pool.state.openTickets === 0 && !timer) return;
    clearTimeout(timer);
    this.#timers.delete(poolName);
    const due = pool.state.openTickets > 0 ? pool.nextDueAt : Infinity;
    if (due === Infinity) return;
    const delay = Math.min(Math.max(0, due - pool.now) / 1000 + AFTER_MS, LONGEST_MS);
    this.#timers.set(poolName, setTimeout(() => this.#serve(poolName), delay).unref());
  }

  stop(): void {
    this.#executor = undefined;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #serve(poolName: string): void {
    this.#timers.delete(poolName);
    // If another process is at it, or it fails, that is the sweep's to do.
    this.#executor?.tryRun(poolName, sweepOnce).catch(() => undefined);
  }
}

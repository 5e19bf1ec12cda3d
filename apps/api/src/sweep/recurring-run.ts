// Work that recurs. The end of a run arms the next one, so that runs never overlap, and the app's shutdown waits for
// the current run.

import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { SchedulerRegistry } from '@nestjs/schedule';

export abstract class RecurringRun implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #runInHand: Promise<void> = Promise.resolve();
  #isStopping = false;

  /**
   * @param name the name of its timer in the registry
   * @param pauseMs the pause between two runs, in milliseconds; 0: it never runs
   */
  constructor(
    private readonly timers: SchedulerRegistry,
    private readonly name: string,
    private readonly pauseMs: number,
  ) {}

  /** Must not throw. @param isStopping whether the app shuts down: then the run ends at its next opportunity */
  protected abstract run(isStopping: () => boolean): Promise<void>;

  onApplicationBootstrap(): void {
    if (this.pauseMs > 0) this.#arm(0);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isStopping = true;
    this.#disarm();
    await this.#runInHand;
  }

  #arm(delayMs: number): void {
    if (this.#isStopping) return;
    const timer = setTimeout(() => {
      this.#disarm();
      this.#runInHand = this.run(() => this.#isStopping).finally(() => this.#arm(this.pauseMs));
    }, delayMs);
    this.timers.addTimeout(this.name, timer);
  }

  #disarm(): void {
    if (this.timers.doesExist('timeout', this.name)) this.timers.deleteTimeout(this.name);
  }
}

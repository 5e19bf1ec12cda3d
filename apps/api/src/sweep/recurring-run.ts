// What is done again and again: the next run is armed when the last one has ended, so that runs never overlap, and
// the end of the app waits for the run in hand.

import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { SchedulerRegistry } from '@nestjs/schedule';

export abstract class RecurringRun implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #runInHand: Promise<void> = Promise.resolve();
  #isStopping = false;

  /**
   * @param name of its timer
   * @param pauseMs between two runs, in milliseconds; 0: it is never done
   */
  constructor(
    private readonly timers: SchedulerRegistry,
    private readonly name: string,
    private readonly pauseMs: number,
  ) {}

  /** Never throws. */
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

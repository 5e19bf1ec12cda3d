// Runs the sweep again and again: the next run is armed when the last one has ended, so that runs never overlap.

import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { DomainError, sweep, TokenPoolRepository } from '@app/tokens';
import type { Logger } from 'pino';
import { LOGGER } from '../logger.js';

export const SWEEP_INTERVAL_MS = Symbol('SWEEP_INTERVAL_MS');

const NEXT_RUN = 'sweep';

@Injectable()
export class SweepScheduler implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #runInHand: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(
    private readonly repository: TokenPoolRepository,
    private readonly timers: SchedulerRegistry,
    @Inject(SWEEP_INTERVAL_MS) private readonly intervalMs: number,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    if (this.intervalMs > 0) this.#arm(0);
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
      this.#runInHand = this.#run().finally(() => this.#arm(this.intervalMs));
    }, delayMs);
    this.timers.addTimeout(NEXT_RUN, timer);
  }

  #disarm(): void {
    if (this.timers.doesExist('timeout', NEXT_RUN)) this.timers.deleteTimeout(NEXT_RUN);
  }

  async #run(): Promise<void> {
    try {
      const { events, failures } = await sweep(this.repository, () => this.#isStopping);
      if (events > 0) this.logger.info({ events }, 'swept');
      for (const { poolName, error } of failures) this.logger.warn({ pool: poolName, ...told(error) }, 'sweep failed');
    } catch (error) {
      this.logger.warn(told(error), 'sweep failed');
    }
    try {
      await this.repository.makeRoom();
    } catch (error) {
      this.logger.warn(told(error), 'no room was made for the events to come');
    }
  }
}

/** A database out of reach needs no stack. */
const told = (error: unknown): object => (error instanceof DomainError ? { reason: error.message } : { err: error });

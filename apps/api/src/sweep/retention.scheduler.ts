// Drops events that are older than they are kept: at the start, and then every hour. Beside the sweep, which does not wait for it.

import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { DomainError, dropExpired, EventRetention } from '@app/tokens';
import type { Logger } from 'pino';
import { CONFIG, type Config } from '../config.js';
import { LOGGER } from '../logger.js';
import { SWEEP_INTERVAL_MS } from './sweep.scheduler.js';

const NEXT_RUN = 'retention';
/** A month comes to its end once a month; what went wrong need not be tried more often either. */
const INTERVAL_MS = 3_600_000;

@Injectable()
export class RetentionScheduler implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #runInHand: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(
    private readonly retention: EventRetention,
    private readonly timers: SchedulerRegistry,
    @Inject(SWEEP_INTERVAL_MS) private readonly sweepIntervalMs: number,
    @Inject(CONFIG) private readonly config: Pick<Config, 'eventRetentionDays'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    if (this.sweepIntervalMs > 0) this.#arm(0);
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
      this.#runInHand = this.#run().finally(() => this.#arm(INTERVAL_MS));
    }, delayMs);
    this.timers.addTimeout(NEXT_RUN, timer);
  }

  #disarm(): void {
    if (this.timers.doesExist('timeout', NEXT_RUN)) this.timers.deleteTimeout(NEXT_RUN);
  }

  async #run(): Promise<void> {
    try {
      const { eventRetentionDays: asked } = this.config;
      const days = await this.retention.days();
      if (asked !== null && asked !== days) {
        const facts = { asked, days };
        this.logger.warn(facts, 'EVENT_RETENTION_DAYS is not what the database says, and only its owner changes that');
      }
      if (days === null) return;
      const dropped = await dropExpired(this.retention, () => this.#isStopping);
      if (dropped.length > 0) this.logger.info({ dropped, days }, 'events were dropped');
    } catch (error) {
      const told = error instanceof DomainError ? { reason: error.message } : { err: error };
      this.logger.warn(told, 'no events were dropped');
    }
  }
}

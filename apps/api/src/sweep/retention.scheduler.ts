// Drops events that are older than they are kept: at the start, and then every hour. Beside the sweep, which does not wait for it.

import { Inject, Injectable } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { dropExpired, EventRetention } from '@app/tokens';
import type { Logger } from 'pino';
import { CONFIG, type Config } from '../config.js';
import { LOGGER } from '../logger.js';
import { RecurringRun, told } from './recurring-run.js';
import { SWEEP_INTERVAL_MS } from './sweep.scheduler.js';

/** A month comes to its end once a month; what went wrong need not be tried more often either. */
const INTERVAL_MS = 3_600_000;

@Injectable()
export class RetentionScheduler extends RecurringRun {
  constructor(
    private readonly retention: EventRetention,
    timers: SchedulerRegistry,
    @Inject(SWEEP_INTERVAL_MS) sweepIntervalMs: number,
    @Inject(CONFIG) private readonly config: Pick<Config, 'eventRetentionDays'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    super(timers, 'retention', sweepIntervalMs > 0 ? INTERVAL_MS : 0);
  }

  protected async run(isStopping: () => boolean): Promise<void> {
    try {
      const { eventRetentionDays: asked } = this.config;
      const days = await this.retention.days();
      if (asked !== null && asked !== days) {
        const facts = { asked, days };
        this.logger.warn(facts, 'EVENT_RETENTION_DAYS is not what the database says, and only its owner changes that');
      }
      if (days === null) return;
      const dropped = await dropExpired(this.retention, isStopping);
      if (dropped.length > 0) this.logger.info({ dropped, days }, 'events were dropped');
    } catch (error) {
      this.logger.warn(told(error), 'no events were dropped');
    }
  }
}

// Maintains the partitions of events: creates those of the coming months, and drops those past retention. Runs at the
// start and then every hour, beside the sweep, which does not wait for it.

import { Inject, Injectable } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { dropExpired, EventPartitions, EventRetention } from '@app/tokens';
import type { Logger } from 'pino';
import { CONFIG, type Config } from '../config.js';
import { LOGGER, logFields } from '../logger.js';
import { RecurringRun } from './recurring-run.js';
import { SWEEP_INTERVAL_MS } from './sweep.scheduler.js';

/** Months change rarely, and partitions exist months ahead, so an hourly retry of a failed run is soon enough. */
const INTERVAL_MS = 3_600_000;

@Injectable()
export class PartitionsScheduler extends RecurringRun {
  constructor(
    private readonly partitions: EventPartitions,
    private readonly retention: EventRetention,
    timers: SchedulerRegistry,
    @Inject(SWEEP_INTERVAL_MS) sweepIntervalMs: number,
    @Inject(CONFIG) private readonly config: Pick<Config, 'eventRetentionDays'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    super(timers, 'partitions', sweepIntervalMs > 0 ? INTERVAL_MS : 0);
  }

  protected async run(isStopping: () => boolean): Promise<void> {
    try {
      await this.partitions.ensure();
    } catch (error) {
      this.logger.warn(logFields(error), 'no room was made for the events to come');
    }
    try {
      await this.#drop(isStopping);
    } catch (error) {
      this.logger.warn(logFields(error), 'no events were dropped');
    }
  }

  async #drop(isStopping: () => boolean): Promise<void> {
    const { eventRetentionDays: asked } = this.config;
    const days = await this.retention.days();
    if (asked !== null && asked !== days) {
      const facts = { asked, days };
      this.logger.warn(facts, 'EVENT_RETENTION_DAYS is not what the database says, and only its owner changes that');
    }
    if (days === null) return;
    const dropped = await dropExpired(this.retention, isStopping);
    if (dropped.length > 0) this.logger.info({ dropped, days }, 'events were dropped');
  }
}

// Runs the sweep every SWEEP_INTERVAL_MS, and logs what failed.

import { Inject, Injectable } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { Executor, sweep, TokenPoolRepository } from '@app/tokens';
import type { Logger } from 'pino';
import { LOGGER, logFields } from '../logger.js';
import { RecurringRun } from './recurring-run.js';

export const SWEEP_INTERVAL_MS = Symbol('SWEEP_INTERVAL_MS');

@Injectable()
export class SweepScheduler extends RecurringRun {
  constructor(
    private readonly repository: TokenPoolRepository,
    private readonly executor: Executor,
    timers: SchedulerRegistry,
    @Inject(SWEEP_INTERVAL_MS) intervalMs: number,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    super(timers, 'sweep', intervalMs);
  }

  protected async run(isStopping: () => boolean): Promise<void> {
    try {
      const { events, failures } = await sweep(this.repository, this.executor, isStopping);
      if (events > 0) this.logger.info({ events }, 'swept');
      for (const { poolName, error } of failures)
        this.logger.warn({ pool: poolName, ...logFields(error) }, 'sweep failed');
    } catch (error) {
      this.logger.warn(logFields(error), 'sweep failed');
    }
  }
}

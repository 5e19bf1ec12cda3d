// Starts and stops the timers that serve lines while nobody sends a command.

import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Executor, LineTimers } from '@app/tokens';
import { CONFIG, type Config } from '../config.js';

@Injectable()
export class LineClock implements OnModuleDestroy {
  constructor(
    private readonly timers: LineTimers,
    executor: Executor,
    @Inject(CONFIG) { sweepIntervalMs }: Pick<Config, 'sweepIntervalMs'>,
  ) {
    // A process that does not sweep leaves this to those that do.
    if (sweepIntervalMs > 0) timers.use(executor);
  }

  onModuleDestroy(): void {
    this.timers.stop();
  }
}

import { Module, type DynamicModule } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { ApiModule } from '../api.module.js';
import { PartitionsScheduler } from './partitions.scheduler.js';
import { SWEEP_INTERVAL_MS, SweepScheduler } from './sweep.scheduler.js';

@Module({})
export class SweepModule {
  static register(intervalMs: number): DynamicModule {
    return {
      module: SweepModule,
      imports: [ApiModule, ScheduleModule.forRoot()],
      providers: [SweepScheduler, PartitionsScheduler, { provide: SWEEP_INTERVAL_MS, useValue: intervalMs }],
    };
  }
}

// The counts of all modules, which the route /metrics reads.

import { Global, Module } from '@nestjs/common';
import { HttpMetrics } from './http-metrics.js';
import { LineMetrics } from './line-metrics.js';
import { PoolMetrics } from './pool-metrics.js';
import { StreamMetrics } from './stream-metrics.js';
import { UpkeepMetrics } from './upkeep-metrics.js';

@Global()
@Module({
  providers: [PoolMetrics, LineMetrics, UpkeepMetrics, HttpMetrics, StreamMetrics],
  exports: [PoolMetrics, LineMetrics, UpkeepMetrics, HttpMetrics, StreamMetrics],
})
export class MetricsModule {}

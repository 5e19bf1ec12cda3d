// The counts of all modules, which the route /metrics reads.

import { Global, Module } from '@nestjs/common';
import { HttpMetrics } from './http-metrics.js';
import { LineMetrics } from './line-metrics.js';
import { PoolMetrics } from './pool-metrics.js';
import { StreamMetrics } from './stream-metrics.js';

@Global()
@Module({
  providers: [PoolMetrics, LineMetrics, HttpMetrics, StreamMetrics],
  exports: [PoolMetrics, LineMetrics, HttpMetrics, StreamMetrics],
})
export class MetricsModule {}

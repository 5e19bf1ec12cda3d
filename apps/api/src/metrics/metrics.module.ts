// The counts. Of everybody who has something to count, and read by the route /metrics.

import { Global, Module } from '@nestjs/common';
import { HttpMetrics } from './http-metrics.js';
import { PoolMetrics } from './pool-metrics.js';
import { StreamMetrics } from './stream-metrics.js';

@Global()
@Module({ providers: [PoolMetrics, HttpMetrics, StreamMetrics], exports: [PoolMetrics, HttpMetrics, StreamMetrics] })
export class MetricsModule {}

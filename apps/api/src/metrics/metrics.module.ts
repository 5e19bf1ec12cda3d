// The counts. Of everybody who has something to count, and read by the route /metrics.

import { Global, Module } from '@nestjs/common';
import { HttpMetrics } from './http-metrics.js';
import { PoolMetrics } from './pool-metrics.js';

@Global()
@Module({ providers: [PoolMetrics, HttpMetrics], exports: [PoolMetrics, HttpMetrics] })
export class MetricsModule {}

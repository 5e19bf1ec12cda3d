// The counts of all modules, which the route /metrics reads.

import { Global, Module } from '@nestjs/common';
import { HttpMetrics } from './http-metrics.js';
import { PoolMetrics } from './pool-metrics.js';
import { StreamMetrics } from './stream-metrics.js';

@Global()
@Module({ providers: [PoolMetrics, HttpMetrics, StreamMetrics], exports: [PoolMetrics, HttpMetrics, StreamMetrics] })
export class MetricsModule {}

// The routes and the use cases behind them, independent of the storage adapter.

import { Module } from '@nestjs/common';
import {
  CommandQueue,
  DEFAULT_LIMITS,
  PoolReader,
  TokenPoolRepository,
  TokenPoolService,
  TokenReader,
} from '@app/tokens';
import { ConsoleController } from './console/console.controller.js';
import { ConsoleFiles } from './console/console-files.js';
import { HealthController } from './health/health.controller.js';
import { KeysModule } from './keys/keys.module.js';
import { Exposition } from './metrics/exposition.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { PoolMetrics } from './metrics/pool-metrics.js';
import { Audits } from './pools/audits.js';
import { PoolsController } from './pools/pools.controller.js';
import { ShortRoutesController } from './short-routes/short-routes.controller.js';
import { StreamModule } from './stream/stream.module.js';
import { TELEMETRY, type Telemetry } from './telemetry/telemetry.js';
import { LeasesController } from './tokens/leases.controller.js';
import { TokensController } from './tokens/tokens.controller.js';

@Module({
  // The busiest first, because Express tries the routes in this order.
  controllers: [
    LeasesController,
    TokensController,
    ShortRoutesController,
    PoolsController,
    HealthController,
    MetricsController,
    ConsoleController,
  ],
  imports: [KeysModule, MetricsModule, StreamModule],
  providers: [
    Audits,
    ConsoleFiles,
    Exposition,
    {
      provide: CommandQueue,
      useFactory: (repository: TokenPoolRepository, metrics: PoolMetrics, telemetry: Telemetry) =>
        new CommandQueue(repository, DEFAULT_LIMITS, telemetry.beside(metrics)),
      inject: [TokenPoolRepository, PoolMetrics, TELEMETRY],
    },
    {
      provide: TokenPoolService,
      useFactory: (
        queue: CommandQueue,
        repository: TokenPoolRepository,
        tokens: TokenReader,
        pools: PoolReader,
        telemetry: Telemetry,
      ) => new TokenPoolService(queue, telemetry.traced(repository), tokens, pools),
      inject: [CommandQueue, TokenPoolRepository, TokenReader, PoolReader, TELEMETRY],
    },
  ],
  exports: [TokenPoolService],
})
export class ApiModule {}

// The routes and the use cases behind them, independent of the storage adapter.

import { Module } from '@nestjs/common';
import {
  DEFAULT_LIMITS,
  Executor,
  LineReader,
  LineService,
  LineTimers,
  PoolReader,
  SecretBox,
  TokenPoolRepository,
  TokenPoolService,
  TokenReader,
} from '@app/tokens';
import { CONFIG, type Config } from './config.js';
import { ConsoleController } from './console/console.controller.js';
import { ConsoleFiles } from './console/console-files.js';
import { HealthController } from './health/health.controller.js';
import { KeysModule } from './keys/keys.module.js';
import { OpenLeasesController } from './leases/open-leases.controller.js';
import { Exposition } from './metrics/exposition.js';
import { HeldRequests, OfferObserver } from './line/held-requests.js';
import { LineClock } from './line/line-clock.js';
import { TicketsController } from './line/tickets.controller.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { LineMetrics } from './metrics/line-metrics.js';
import { PoolMetrics } from './metrics/pool-metrics.js';
import { UpkeepMetrics } from './metrics/upkeep-metrics.js';
import { Audits } from './pools/audits.js';
import { PoolsController } from './pools/pools.controller.js';
import { ShortRoutesController } from './short-routes/short-routes.controller.js';
import { StreamModule } from './stream/stream.module.js';
import { TELEMETRY, type Telemetry } from './telemetry/telemetry.js';
import { LeasesController } from './tokens/leases.controller.js';
import { ThingsController } from './things/things.controller.js';
import { TokensController } from './tokens/tokens.controller.js';
import { UpkeepController } from './upkeep/upkeep.controller.js';

@Module({
  // The busiest first, because Express tries the routes in this order.
  controllers: [
    LeasesController,
    TokensController,
    TicketsController,
    OpenLeasesController,
    ShortRoutesController,
    UpkeepController,
    PoolsController,
    ThingsController,
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
      provide: Executor,
      useFactory: (
        repository: TokenPoolRepository,
        metrics: PoolMetrics,
        telemetry: Telemetry,
        offered: OfferObserver,
        timers: LineTimers,
        waits: LineMetrics,
        upkeep: UpkeepMetrics,
      ) => new Executor(repository, DEFAULT_LIMITS, [metrics, waits, upkeep, offered, timers, ...telemetry.observers]),
      inject: [TokenPoolRepository, PoolMetrics, TELEMETRY, OfferObserver, LineTimers, LineMetrics, UpkeepMetrics],
    },
    OfferObserver,
    LineTimers,
    LineClock,
    HeldRequests,
    {
      provide: LineService,
      useFactory: (executor: Executor, reader: LineReader, service: TokenPoolService) =>
        new LineService(executor, reader, service),
      inject: [Executor, LineReader, TokenPoolService],
    },
    {
      provide: TokenPoolService,
      useFactory: (executor: Executor, tokens: TokenReader, pools: PoolReader, { secretsKeys }: Config) =>
        new TokenPoolService(executor, tokens, pools, new SecretBox(secretsKeys)),
      inject: [Executor, TokenReader, PoolReader, CONFIG],
    },
  ],
  exports: [Executor, TokenPoolService, LineService],
})
export class ApiModule {}

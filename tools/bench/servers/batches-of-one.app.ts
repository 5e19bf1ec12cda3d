// The service without group commit: the same routes with an executor that commits each command alone.

import { Module, type DynamicModule } from '@nestjs/common';
import {
  Executor,
  LineReader,
  LineService,
  PoolReader,
  TokenPoolRepository,
  TokenPoolService,
  TokenReader,
} from '@app/tokens';
import { assembleApp } from '../../../apps/api/src/app.setup.js';
import { readConfig, CONFIG, type Config } from '../../../apps/api/src/config.js';
import { FirstPools } from '../../../apps/api/src/first-pools.js';
import { HeldRequests } from '../../../apps/api/src/line/held-requests.js';
import { createLogger, LOGGER, type Logger } from '../../../apps/api/src/logger.js';
import { MetricsModule } from '../../../apps/api/src/metrics/metrics.module.js';
import { PersistenceModule } from '../../../apps/api/src/persistence.module.js';
import { LeasesController } from '../../../apps/api/src/tokens/leases.controller.js';
import { BATCHES_OF_ONE } from '../service.js';

@Module({})
class AppWithBatchesOfOne {
  static of(config: Config, logger: Logger): DynamicModule {
    return {
      module: AppWithBatchesOfOne,
      // The module of the database connection injects the logger, too.
      global: true,
      imports: [
        MetricsModule,
        PersistenceModule.register(config.databaseUrl as string, { poolSize: config.databasePoolSize }),
      ],
      controllers: [LeasesController],
      providers: [
        FirstPools,
        { provide: CONFIG, useValue: config },
        { provide: LOGGER, useValue: logger },
        // Nobody waits here.
        { provide: HeldRequests, useValue: {} },
        {
          provide: Executor,
          useFactory: (repository: TokenPoolRepository) => new Executor(repository, BATCHES_OF_ONE),
          inject: [TokenPoolRepository],
        },
        {
          provide: TokenPoolService,
          useFactory: (executor: Executor, tokens: TokenReader, pools: PoolReader) =>
            new TokenPoolService(executor, tokens, pools),
          inject: [Executor, TokenReader, PoolReader],
        },
        {
          provide: LineService,
          useFactory: (executor: Executor, tickets: LineReader, service: TokenPoolService) =>
            new LineService(executor, tickets, service),
          inject: [Executor, LineReader, TokenPoolService],
        },
      ],
      exports: [LOGGER],
    };
  }
}

export async function listen(): Promise<void> {
  const config = readConfig(process.env);
  const logger = await createLogger(config);
  const app = await assembleApp(AppWithBatchesOfOne.of(config, logger), config, logger);
  process.on('SIGTERM', () => void app.close().then(() => process.exit()));
  await app.listen(config.port, config.host);
}

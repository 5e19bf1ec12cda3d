// The whole service: routes, sweep, first pools, and the database.

import { Global, Module, type DynamicModule } from '@nestjs/common';
import type { Logger } from 'pino';
import { ApiModule } from './api.module.js';
import { CONFIG, type Config } from './config.js';
import { FirstPools } from './first-pools.js';
import { LOGGER } from './logger.js';
import { PersistenceModule } from './persistence.module.js';
import { OFF, TELEMETRY, type Telemetry } from './telemetry/telemetry.js';
import { SweepModule } from './sweep/sweep.module.js';

@Global()
@Module({})
export class AppModule {
  static forRoot(config: Config, databaseUrl: string, logger: Logger, telemetry: Telemetry = OFF): DynamicModule {
    return {
      module: AppModule,
      imports: [
        PersistenceModule.register(databaseUrl, {
          poolSize: config.databasePoolSize,
          pooler: config.databasePooler,
          migrationUrl: config.migrationDatabaseUrl,
          eventRetentionDays: config.eventRetentionDays,
        }),
        ApiModule,
        SweepModule.register(config.sweepIntervalMs),
      ],
      providers: [
        FirstPools,
        { provide: CONFIG, useValue: config },
        { provide: LOGGER, useValue: logger },
        { provide: TELEMETRY, useValue: telemetry },
      ],
      exports: [CONFIG, LOGGER, TELEMETRY],
    };
  }
}

// The joint: the one place that knows that the domain's ports are served by PostgreSQL.

import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { ObservedTokenPoolRepository, TokenPoolRepository, TokenReader } from '@app/tokens';
import {
  connectionsOf,
  createDataSource,
  isMigrated,
  migrate,
  PostgresTokenPoolRepository,
  PostgresTokenReader,
} from '@app/tokens-postgres';
import { Readiness } from './health/readiness.js';
import { Connections } from './metrics/connections.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { PoolMetrics } from './metrics/pool-metrics.js';

type Database = ReturnType<typeof createDataSource>;

const DATABASE = Symbol('DATABASE');

class PostgresReadiness extends Readiness {
  constructor(private readonly database: Database) {
    super();
  }

  async obstacle(): Promise<string | null> {
    try {
      return (await isMigrated(this.database)) ? null : 'the database is not migrated';
    } catch {
      return 'the database cannot be reached in time';
    }
  }
}

class PostgresConnections extends Connections {
  constructor(private readonly database: Database) {
    super();
  }

  use(): ReturnType<Connections['use']> {
    return connectionsOf(this.database);
  }
}

@Global()
@Module({})
export class PersistenceModule implements OnApplicationShutdown {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /** Connects, and brings the schema up to date, before anything else is built. */
  static connect(url: string, poolSize: number): DynamicModule {
    return {
      module: PersistenceModule,
      imports: [MetricsModule],
      providers: [
        { provide: DATABASE, useFactory: () => connect(url, poolSize) },
        {
          provide: TokenPoolRepository,
          useFactory: (database: Database, metrics: PoolMetrics) =>
            new ObservedTokenPoolRepository(new PostgresTokenPoolRepository(database), metrics),
          inject: [DATABASE, PoolMetrics],
        },
        adapter(TokenReader, (database) => new PostgresTokenReader(database)),
        adapter(Readiness, (database) => new PostgresReadiness(database)),
        adapter(Connections, (database) => new PostgresConnections(database)),
      ],
      exports: [TokenPoolRepository, TokenReader, Readiness, Connections],
    };
  }

  /** After the last request was answered and the sweep has stopped. */
  async onApplicationShutdown(): Promise<void> {
    await this.database.destroy();
  }
}

async function connect(url: string, poolSize: number): Promise<Database> {
  try {
    await migrate(url);
    return await createDataSource(url, { poolSize }).initialize();
  } catch (cause) {
    throw new Error('the database cannot be opened', { cause });
  }
}

const adapter = <Port>(port: abstract new () => Port, useFactory: (database: Database) => Port) => ({
  provide: port,
  useFactory,
  inject: [DATABASE],
});

// The joint: the one place that knows that the domain's ports are served by PostgreSQL.

import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { ApiKeyStore } from '@app/keys';
import {
  AuditSource,
  EventPartitions,
  EventRetention,
  FeedReader,
  ObservedTokenPoolRepository,
  PointInTimeReader,
  PoolReader,
  TokenPoolRepository,
  TokenReader,
} from '@app/tokens';
import {
  connectionsOf,
  createDataSource,
  isMigrated,
  keepEventsFor,
  lookAt,
  migrate,
  PostgresApiKeyStore,
  PostgresAuditSource,
  PostgresEventPartitions,
  PostgresEventRetention,
  PostgresFeedReader,
  PostgresPointInTimeReader,
  PostgresPoolReader,
  PostgresTokenPoolRepository,
  PostgresTokenReader,
  clockBehind,
  roomForEvents,
  whyOf,
  type DataSourceOptions,
} from '@app/postgres';
import { Readiness } from './health/readiness.js';
import { LOGGER, type Logger } from './logger.js';
import { Connections } from './metrics/connections.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { PoolMetrics } from './metrics/pool-metrics.js';

type Database = ReturnType<typeof createDataSource>;

const DATABASE = Symbol('DATABASE');

/** A step of this length is gone within two minutes. */
const CLOCK_BEHIND_SECONDS = 1;

class PostgresReadiness extends Readiness {
  constructor(private readonly database: Database) {
    super();
  }

  async obstacle(): Promise<string | null> {
    try {
      const hindrance = await lookAt(this.database);
      return hindrance && `the database ${hindrance}`;
    } catch (error) {
      return whyOf(error);
    }
  }

  async warning(): Promise<string | null> {
    try {
      const { until, isLow } = await roomForEvents(this.database);
      if (isLow) return `there is room for events until ${until} only: is there a process that sweeps?`;
      const behind = await clockBehind(this.database);
      if (behind <= CLOCK_BEHIND_SECONDS) return null;
      return `the database's clock is ${Math.round(behind)} s behind the time of a pool, as it was set back or was ahead: instants there are ahead by so much`;
    } catch {
      return 'it cannot be told until when there is room for events, and whether the clock is right';
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

export interface DatabaseOptions extends DataSourceOptions {
  /** The database by a way on which sessions are kept, and as whoever may change its schema. Default: the same. */
  readonly migrationUrl?: string;
  /** For how many days events are kept, said as whoever may; null: for ever. */
  readonly eventRetentionDays?: number | null;
}

@Global()
@Module({})
export class PersistenceModule implements OnApplicationShutdown {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /** Connects, and brings the schema up to date, before anything else is built. */
  static register(url: string, options: DatabaseOptions): DynamicModule {
    return {
      module: PersistenceModule,
      imports: [MetricsModule],
      providers: [
        { provide: DATABASE, useFactory: () => connect(url, options) },
        {
          provide: TokenPoolRepository,
          useFactory: (database: Database, metrics: PoolMetrics, logger: Logger) =>
            new ObservedTokenPoolRepository(
              new PostgresTokenPoolRepository(database, (pool, seconds) =>
                logger.warn(
                  { pool, seconds },
                  "the database's clock was set back, or was ahead: the pool's time goes on",
                ),
              ),
              metrics,
            ),
          inject: [DATABASE, PoolMetrics, LOGGER],
        },
        adapter(TokenReader, (database) => new PostgresTokenReader(database)),
        adapter(PoolReader, (database) => new PostgresPoolReader(database)),
        adapter(FeedReader, (database) => new PostgresFeedReader(database)),
        adapter(PointInTimeReader, (database) => new PostgresPointInTimeReader(database)),
        adapter(AuditSource, (database) => new PostgresAuditSource(database)),
        adapter(EventPartitions, (database) => new PostgresEventPartitions(database)),
        adapter(EventRetention, (database) => new PostgresEventRetention(database)),
        adapter(ApiKeyStore, (database) => new PostgresApiKeyStore(database)),
        adapter(Readiness, (database) => new PostgresReadiness(database)),
        adapter(Connections, (database) => new PostgresConnections(database)),
      ],
      exports: [
        TokenPoolRepository,
        TokenReader,
        PoolReader,
        FeedReader,
        PointInTimeReader,
        AuditSource,
        EventPartitions,
        EventRetention,
        ApiKeyStore,
        Readiness,
        Connections,
      ],
    };
  }

  /** After the last request was answered and the sweep has stopped. */
  async onApplicationShutdown(): Promise<void> {
    await this.database.destroy();
  }
}

async function connect(
  url: string,
  { migrationUrl = url, eventRetentionDays = null, ...options }: DatabaseOptions,
): Promise<Database> {
  const database = createDataSource(url, options);
  try {
    await database.initialize();
    // Not where it is the case already: the way for migrations may be another, and is not needed then.
    if (!(await isMigrated(database))) await migrate(migrationUrl, { serviceUrl: url });
    // Nor where it is said already.
    if ((await new PostgresEventRetention(database).days()) !== eventRetentionDays) {
      await keepEventsFor(migrationUrl, eventRetentionDays);
    }
    return database;
  } catch (cause) {
    if (database.isInitialized) await database.destroy();
    throw new Error('the database cannot be opened', { cause });
  }
}

const adapter = <Port>(port: abstract new () => Port, useFactory: (database: Database) => Port) => ({
  provide: port,
  useFactory,
  inject: [DATABASE],
});

// Binds the domain's ports to PostgreSQL. No other file of the API knows the adapter.

import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { ApiKeyStore } from '@app/keys';
import {
  AuditSource,
  EventPartitions,
  EventRetention,
  FeedReader,
  LineReader,
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
  obstacleOf,
  migrate,
  PostgresApiKeyStore,
  PostgresAuditSource,
  PostgresEventPartitions,
  PostgresEventRetention,
  PostgresFeedReader,
  PostgresLineReader,
  PostgresPointInTimeReader,
  PostgresPoolReader,
  PostgresTokenPoolRepository,
  PostgresTokenReader,
  clockBehindSeconds,
  partitionsUntil,
  reasonOf,
  type DataSourceOptions,
} from '@app/postgres';
import { Readiness } from './health/readiness.js';
import { LOGGER, type Logger } from './logger.js';
import { Connections } from './metrics/connections.js';

type Database = ReturnType<typeof createDataSource>;

const DATABASE = Symbol('DATABASE');

/** A smaller step back is worth no warning: the clock soon catches up with the pools. */
const CLOCK_BEHIND_SECONDS = 1;

class PostgresReadiness extends Readiness {
  constructor(private readonly database: Database) {
    super();
  }

  async obstacle(): Promise<string | null> {
    try {
      const obstacle = await obstacleOf(this.database);
      return obstacle && `the database ${obstacle}`;
    } catch (error) {
      return reasonOf(error);
    }
  }

  async warning(): Promise<string | null> {
    try {
      const { until, isLow } = await partitionsUntil(this.database);
      if (isLow) return `there is room for events until ${until} only: is there a process that sweeps?`;
      const behind = await clockBehindSeconds(this.database);
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
  /** The URL for migrations: past any pooler, as the role that owns the schema. Default: the same URL. */
  readonly migrationUrl?: string;
  /** The days that the database keeps events, set as the role that migrates; null: for ever. */
  readonly eventRetentionDays?: number | null;
}

@Global()
@Module({})
export class PersistenceModule implements OnApplicationShutdown {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /** Connects and migrates before Nest creates any provider that uses the database. */
  static register(url: string, options: DatabaseOptions): DynamicModule {
    return {
      module: PersistenceModule,
      providers: [
        { provide: DATABASE, useFactory: () => connect(url, options) },
        {
          provide: TokenPoolRepository,
          useFactory: (database: Database, logger: Logger) =>
            new PostgresTokenPoolRepository(database, (pool, seconds) =>
              logger.warn(
                { pool, seconds },
                "the database's clock was set back, or was ahead: the pool's time goes on",
              ),
            ),
          inject: [DATABASE, LOGGER],
        },
        adapter(TokenReader, (database) => new PostgresTokenReader(database)),
        adapter(LineReader, (database) => new PostgresLineReader(database)),
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
        LineReader,
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

  /** Nest calls this when the last request has been answered and the sweep has stopped. */
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
    // A migrated database needs no connection to the migration URL, which may be out of reach from here.
    if (!(await isMigrated(database))) await migrate(migrationUrl, { serviceUrl: url });
    // The same holds for retention that is already as configured.
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

// The joint: the one place that knows that the domain's ports are served by PostgreSQL.

import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { TokenPoolRepository, TokenReader } from '@app/tokens';
import {
  createDataSource,
  isMigrated,
  migrate,
  PostgresTokenPoolRepository,
  PostgresTokenReader,
} from '@app/tokens-postgres';
import { Readiness } from './health/readiness.js';

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

@Global()
@Module({})
export class PersistenceModule implements OnApplicationShutdown {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /** Connects, and brings the schema up to date, before anything else is built. */
  static connect(url: string, poolSize: number): DynamicModule {
    return {
      module: PersistenceModule,
      providers: [
        { provide: DATABASE, useFactory: () => connect(url, poolSize) },
        adapter(TokenPoolRepository, (database) => new PostgresTokenPoolRepository(database)),
        adapter(TokenReader, (database) => new PostgresTokenReader(database)),
        adapter(Readiness, (database) => new PostgresReadiness(database)),
      ],
      exports: [TokenPoolRepository, TokenReader, Readiness],
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

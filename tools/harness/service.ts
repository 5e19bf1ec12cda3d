// The service in this process, without HTTP, on a database that has its schema already.

import {
  DEFAULT_LIMITS,
  Executor,
  LineService,
  TokenPoolService,
  type ExecutorLimits,
  type SecretBox,
} from '@app/tokens';
import {
  createDataSource,
  PostgresAuditSource,
  PostgresEventPartitions,
  PostgresFeedReader,
  PostgresLineReader,
  PostgresPointInTimeReader,
  PostgresPoolReader,
  PostgresTokenPoolRepository,
  PostgresTokenReader,
  type DataSourceOptions,
} from '@app/postgres';

type DataSource = ReturnType<typeof createDataSource>;

/** All readers of the service, by their subject. */
export const readersOf = (source: DataSource) => ({
  tokens: new PostgresTokenReader(source),
  pools: new PostgresPoolReader(source),
  lines: new PostgresLineReader(source),
  feed: new PostgresFeedReader(source),
  past: new PostgresPointInTimeReader(source),
  audit: new PostgresAuditSource(source),
});

export type ServiceReaders = ReturnType<typeof readersOf>;

export interface Service {
  readonly repository: PostgresTokenPoolRepository;
  readonly readers: ServiceReaders;
  readonly partitions: PostgresEventPartitions;
  readonly executor: Executor;
  readonly service: TokenPoolService;
  readonly line: LineService;
  close(): Promise<void>;
}

export async function openService(
  url: string,
  limits: ExecutorLimits = DEFAULT_LIMITS,
  { secrets, ...options }: DataSourceOptions & { readonly secrets?: SecretBox } = {},
): Promise<Service> {
  const source = await createDataSource(url, options).initialize();
  const repository = new PostgresTokenPoolRepository(source);
  const readers = readersOf(source);
  const partitions = new PostgresEventPartitions(source);
  const executor = new Executor(repository, limits);
  const service = new TokenPoolService(executor, readers.tokens, readers.pools, secrets);
  const line = new LineService(executor, readers.lines, service);
  return { repository, executor, readers, partitions, service, line, close: () => source.destroy() };
}

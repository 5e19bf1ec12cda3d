// Starts the service in this process, without HTTP.

import { DEFAULT_LIMITS, Executor, TokenPoolService, type ExecutorLimits } from '@app/tokens';
import {
  createDataSource,
  PostgresAuditSource,
  PostgresFeedReader,
  PostgresPointInTimeReader,
  PostgresPoolReader,
  PostgresTokenPoolRepository,
  PostgresTokenReader,
} from '@app/postgres';

type DataSource = ReturnType<typeof createDataSource>;

/** All readers of the service. */
export const readersOf = (source: DataSource) => ({
  tokens: new PostgresTokenReader(source),
  pools: new PostgresPoolReader(source),
  feed: new PostgresFeedReader(source),
  past: new PostgresPointInTimeReader(source),
  audit: new PostgresAuditSource(source),
});

export type Readers = ReturnType<typeof readersOf>;

export interface Service {
  readonly service: TokenPoolService;
  readonly executor: Executor;
  readonly repository: PostgresTokenPoolRepository;
  readonly readers: Readers;
  close(): Promise<void>;
}

export const USER = '7d2f7a54-5b1c-4d0e-9c3a-1f2e3d4c5b6a';

/** Limits that give each command a transaction of its own. */
export const BATCHES_OF_ONE: ExecutorLimits = { ...DEFAULT_LIMITS, batch: 1 };

export async function openService(url: string, limits: ExecutorLimits = DEFAULT_LIMITS): Promise<Service> {
  const source = await createDataSource(url).initialize();
  const repository = new PostgresTokenPoolRepository(source);
  const readers = readersOf(source);
  const executor = new Executor(repository, limits);
  const service = new TokenPoolService(executor, readers.tokens, readers.pools);
  return { service, executor, repository, readers, close: () => source.destroy() };
}

/** Leases outlive the run, so that every allocation on a full pool evicts. */
export const LONG_SECONDS = 86_400;

export async function createFullPool({ service }: Service, name: string, size: number): Promise<void> {
  await service.createPool(name, 'fixed', { size, ttlSeconds: LONG_SECONDS, renewable: true });
  await Promise.all(Array.from({ length: size }, () => service.allocate(name, { userId: USER })));
}

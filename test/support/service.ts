// The service without HTTP, as one process has it, on a database of a test's own.

import {
  asStored,
  Auditor,
  DEFAULT_LIMITS,
  Executor,
  fromIso,
  TokenPoolService,
  type ExecutorLimits,
  type EventView,
  type FeedReader,
  type Instant,
  type PoolReader,
  type TokenReader,
  type TokenView,
} from '@app/tokens';
import {
  createDataSource,
  PostgresAuditSource,
  PostgresEventPartitions,
  PostgresFeedReader,
  PostgresPointInTimeReader,
  PostgresPoolReader,
  PostgresTokenPoolRepository,
  PostgresTokenReader,
  type DataSourceOptions,
} from '@app/postgres';

type DataSource = ReturnType<typeof createDataSource>;

/** Everything that is read, by who asks. */
export const readersOf = (source: DataSource) => ({
  tokens: new PostgresTokenReader(source),
  pools: new PostgresPoolReader(source),
  feed: new PostgresFeedReader(source),
  past: new PostgresPointInTimeReader(source),
  audit: new PostgresAuditSource(source),
});

/** What an implementation has for what is shown now. */
export interface Readers {
  readonly tokens: TokenReader;
  readonly pools: PoolReader;
  readonly feed: FeedReader;
}

export interface Service {
  readonly repository: PostgresTokenPoolRepository;
  readonly readers: ReturnType<typeof readersOf>;
  readonly partitions: PostgresEventPartitions;
  readonly executor: Executor;
  readonly service: TokenPoolService;
  close(): Promise<void>;
}

export async function openService(
  url: string,
  limits: ExecutorLimits = DEFAULT_LIMITS,
  options: DataSourceOptions = {},
): Promise<Service> {
  const source = createDataSource(url, options);
  await source.initialize();
  const repository = new PostgresTokenPoolRepository(source);
  const readers = readersOf(source);
  const partitions = new PostgresEventPartitions(source);
  const executor = new Executor(repository, limits);
  const service = new TokenPoolService(executor, readers.tokens, readers.pools);
  return { repository, executor, readers, partitions, service, close: () => source.destroy() };
}

export async function wholeFeed(reader: FeedReader, poolName: string): Promise<EventView[]> {
  const all: EventView[] = [];
  for (;;) {
    const { events } = await reader.page(poolName, all.at(-1)?.seq ?? 0, 1000);
    if (events.length === 0) return all;
    all.push(...events);
  }
}

export async function allTokens(reader: TokenReader, poolName: string): Promise<TokenView[]> {
  const all: TokenView[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await reader.tokens({ poolName, status: 'all', limit: 1000, cursor });
    all.push(...page.tokens);
    if (page.next_cursor === null) return all;
    cursor = page.next_cursor;
  }
}

/** Everything that is wrong with a quiet pool: broken promises in its feed, and where its tokens differ from the fold. */
export async function audit({ tokens: tokenReader, pools, feed }: Readers, poolName: string): Promise<string[]> {
  const { size, counts } = await pools.pool(poolName);
  const auditor = new Auditor(size);
  for (const event of await wholeFeed(feed, poolName)) auditor.add(asStored(event));
  const tokens = await allTokens(tokenReader, poolName);
  const active = tokens.filter(({ status }) => status === 'active').length;
  const miscounts =
    counts.total === tokens.length && counts.active === active && counts.available === counts.total - active
      ? []
      : [`counts are ${JSON.stringify(counts)}, but ${tokens.length} tokens are shown, ${active} of them active`];
  return [...auditor.finish(), ...auditor.compare(tokens, inTime(tokens)), ...miscounts];
}

/** An instant at which the tokens were as shown: the latest deadline that was not shown any more is before it. */
function inTime(tokens: readonly TokenView[]): Instant {
  return Math.min(...tokens.flatMap(({ expires_at }) => (expires_at === null ? [] : fromIso(expires_at) - 1)));
}

// The service without HTTP, as one process has it, on a database of a test's own.

import {
  asStored,
  CommandQueue,
  DEFAULT_LIMITS,
  fromIso,
  TokenPoolService,
  type CommandQueueLimits,
} from '@app/tokens';
import {
  createDataSource,
  PostgresTokenPoolRepository,
  PostgresTokenReader,
  type DataSourceOptions,
} from '@app/postgres';
import { Auditor, type EventView, type Instant, type TokenReader, type TokenView } from '@app/tokens';

export interface Service {
  readonly repository: PostgresTokenPoolRepository;
  readonly reader: PostgresTokenReader;
  readonly service: TokenPoolService;
  close(): Promise<void>;
}

export async function openService(
  url: string,
  limits: CommandQueueLimits = DEFAULT_LIMITS,
  options: DataSourceOptions = {},
): Promise<Service> {
  const source = createDataSource(url, options);
  await source.initialize();
  const repository = new PostgresTokenPoolRepository(source);
  const reader = new PostgresTokenReader(source);
  const service = new TokenPoolService(new CommandQueue(repository, limits), repository, reader);
  return { repository, reader, service, close: () => source.destroy() };
}

export async function wholeFeed(reader: TokenReader, poolName: string): Promise<EventView[]> {
  const all: EventView[] = [];
  for (;;) {
    const { events } = await reader.feed(poolName, all.at(-1)?.seq ?? 0, 1000);
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
export async function audit(reader: TokenReader, poolName: string): Promise<string[]> {
  const { size, counts } = await reader.pool(poolName);
  const auditor = new Auditor(size);
  for (const event of await wholeFeed(reader, poolName)) auditor.add(asStored(event));
  const tokens = await allTokens(reader, poolName);
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

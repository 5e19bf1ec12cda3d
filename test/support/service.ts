// What tests ask of the service without HTTP: its whole feed, all its tokens, and an audit of what it shows.

import {
  asStored,
  Auditor,
  fromIso,
  TOKEN_STATUSES,
  type EventView,
  type FeedReader,
  type Instant,
  type LineReader,
  type PoolReader,
  type TokenReader,
  type TokenStatus,
  type TokenView,
} from '@app/tokens';

/** What an implementation has for what is shown now. */
export interface Readers {
  readonly tokens: TokenReader;
  readonly pools: PoolReader;
  readonly lines: LineReader;
  readonly feed: FeedReader;
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
export async function audit(
  { tokens: tokenReader, pools, feed }: Omit<Readers, 'lines'>,
  poolName: string,
): Promise<string[]> {
  const { size, counts } = await pools.pool(poolName);
  const auditor = new Auditor(size);
  for (const event of await wholeFeed(feed, poolName)) auditor.add(asStored(event));
  const tokens = await allTokens(tokenReader, poolName);
  const shown = (of: TokenStatus): number => tokens.filter(({ status }) => status === of).length;
  const isCounted =
    counts.total === tokens.length && TOKEN_STATUSES.every((status) => (counts[status] ?? 0) === shown(status));
  const miscounts = isCounted
    ? []
    : [`counts are ${JSON.stringify(counts)}, but of ${tokens.length} tokens ${shown('active')} are active`];
  return [...auditor.finish(), ...auditor.compare(tokens, inTime(tokens)), ...miscounts];
}

/** An instant at which the tokens were as shown: the latest deadline that was not shown any more is before it. */
function inTime(tokens: readonly TokenView[]): Instant {
  return Math.min(...tokens.flatMap(({ expires_at }) => (expires_at === null ? [] : fromIso(expires_at) - 1)));
}

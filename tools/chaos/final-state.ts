// Writes the state after the load: every event, the pools, and the tokens as shown and as stored.

import { createDataSource, PostgresFeedReader, PostgresPoolReader, PostgresTokenReader } from '@app/postgres';
import type { OwnedEvent, PoolView, TokenView } from '@app/tokens';
import type { HistoryWriter, PoolSetting, TokenRow } from './history.js';

const ROWS = `
  SELECT id, user_id, fence::double precision AS fence,
    to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS expires_at
  FROM tokens WHERE pool = $1 ORDER BY id`;

const PAGE = 1000;

export async function writeFinalState(
  history: HistoryWriter,
  databaseUrl: string,
  pools: readonly PoolSetting[],
): Promise<void> {
  const source = await createDataSource(databaseUrl).initialize();
  try {
    const feed = new PostgresFeedReader(source);
    const [poolReader, tokenReader] = [new PostgresPoolReader(source), new PostgresTokenReader(source)];
    for (const { name } of pools) {
      let after = 0;
      let events: readonly OwnedEvent[];
      const { restores } = await feed.page(name, 0, 1);
      do {
        ({ events } = await feed.page(name, after, PAGE));
        for (const event of events) history.write({ kind: 'event', event });
        after = events.at(-1)?.seq ?? after;
      } while (events.length > 0);
      const { tokens, pool } = await shown(poolReader, tokenReader, name);
      const rows: TokenRow[] = await source.query(ROWS, [name]);
      history.write({ kind: 'state', pool, tokens, rows, restores });
    }
  } finally {
    await source.destroy();
  }
}

/** Leases still expire meanwhile, so this repeats until the counts before and after the tokens are equal. */
async function shown(
  pools: PostgresPoolReader,
  reader: PostgresTokenReader,
  name: string,
): Promise<{ tokens: readonly TokenView[]; pool: PoolView }> {
  for (;;) {
    const before = await pools.pool(name);
    const { tokens } = await reader.tokens({ poolName: name, status: 'all', limit: PAGE });
    const pool = await pools.pool(name);
    if (pool.counts.active === before.counts.active) return { tokens, pool };
  }
}

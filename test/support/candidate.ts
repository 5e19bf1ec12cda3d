// The service as two implementations of the store: in memory, with a clock that stands still, and on PostgreSQL, whose
// clock is moved. Exams of the ports run on both.

import { Executor, LineService, TokenPoolService, type SecretBox, type TokenPoolRepository } from '@app/tokens';
import { InMemoryFeedReader } from '../../libs/tokens/src/testing/in-memory-feed-reader.js';
import { InMemoryLineReader } from '../../libs/tokens/src/testing/in-memory-line-reader.js';
import { InMemoryPoolReader } from '../../libs/tokens/src/testing/in-memory-pool-reader.js';
import { InMemoryTokenPoolRepository } from '../../libs/tokens/src/testing/in-memory-token-pool-repository.js';
import { InMemoryTokenReader } from '../../libs/tokens/src/testing/in-memory-token-reader.js';
import { openService } from '../../tools/harness/service.js';
import { installClock } from './clock.js';
import { createTestDatabase } from './database.js';
import type { Readers } from './service.js';

export interface Candidate {
  readonly service: TokenPoolService;
  readonly line: LineService;
  readonly executor: Executor;
  readonly repository: TokenPoolRepository;
  readonly readers: Readers;
  advance(seconds: number): Promise<void>;
  /** As MovableClock: in memory, a transaction reads the clock once. */
  advanceAfter(readings: number, seconds: number): Promise<void>;
  close(): Promise<void>;
}

const START = Date.UTC(2026, 10, 21, 9, 30) * 1000;

export async function inMemory(secrets?: SecretBox): Promise<Candidate> {
  let now = START;
  let leap = { after: Infinity, by: 0 };
  const repository = new InMemoryTokenPoolRepository(() => now + (leap.after-- > 0 ? 0 : leap.by));
  const readers = {
    tokens: new InMemoryTokenReader(repository),
    pools: new InMemoryPoolReader(repository),
    lines: new InMemoryLineReader(repository),
    feed: new InMemoryFeedReader(repository),
  };
  const executor = new Executor(repository);
  const service = new TokenPoolService(executor, readers.tokens, readers.pools, secrets);
  const advance = async (seconds: number): Promise<void> => void (now += seconds * 1_000_000);
  const advanceAfter = async (after: number, seconds: number): Promise<void> =>
    void (leap = { after, by: seconds * 1e6 });
  const line = new LineService(executor, readers.lines, service);
  const close = async (): Promise<void> => undefined;
  return { service, line, executor, repository, readers, advance, advanceAfter, close };
}

export async function onPostgres(secrets?: SecretBox): Promise<Candidate> {
  const database = await createTestDatabase();
  const clock = await installClock(database.url);
  const process = await openService(database.url, undefined, { secrets });
  const close = async (): Promise<void> => {
    await process.close();
    await database.drop();
  };
  return { ...process, ...clock, close };
}

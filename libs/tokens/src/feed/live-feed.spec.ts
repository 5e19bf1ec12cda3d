import { DomainError } from '../kernel/domain-error.js';
import type { Follower } from './follower.js';
import { LiveFeed } from './live-feed.js';
import { needs } from '../commands/needs.js';
import { NOW, elastic, refusalFrom } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import { InMemoryFeedReader } from '../testing/in-memory-feed-reader.js';
import { InMemoryPoolReader } from '../testing/in-memory-pool-reader.js';
import type { OwnedEvent, FeedPage, NewsView } from '../reading/views.js';

const POOLS = ['a', 'b'];

/** Counts what it is asked for, fails when told to, and can hold pages up. */
class WatchedReader extends InMemoryFeedReader {
  looks: ReadonlyMap<string, number>[] = [];
  pages = 0;
  pagesInHand = 0;
  mostPagesInHand = 0;
  trouble: Error | null = null;
  pagesWait: Promise<void> | null = null;
  /** A pool of which no more than so many events can be read at once. */
  heavy: string | null = null;
  mostOfHeavy = 0;

  override until(): this {
    return this;
  }

  override async page(poolName: string, after: number, limit: number): Promise<FeedPage<OwnedEvent>> {
    this.pages++;
    this.mostPagesInHand = Math.max(this.mostPagesInHand, ++this.pagesInHand);
    await this.pagesWait;
    this.pagesInHand--;
    if (this.trouble) throw this.trouble;
    return super.page(poolName, after, limit);
  }

  override async news(after: ReadonlyMap<string, number>, limit: number): Promise<NewsView[]> {
    this.looks.push(after);
    if (this.trouble || (after.has(this.heavy ?? '') && limit > this.mostOfHeavy)) throw this.trouble ?? unavailable;
    return super.news(after, limit);
  }
}

let now: number;
let repository: InMemoryTokenPoolRepository;
let reader: WatchedReader;
let delays: number[];
let failures: unknown[];
let feed: LiveFeed;

/** Time goes by when a test says so; what needs none goes on by itself. */
const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

beforeAll(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
afterAll(() => void jest.useRealTimers());
beforeEach(async () => {
  now = NOW;
  repository = new InMemoryTokenPoolRepository(() => now);
  reader = new WatchedReader(repository);
  delays = [];
  failures = [];
  feed = new LiveFeed(reader, new InMemoryPoolReader(repository), {
    arrived: (delay) => delays.push(delay),
    failed: (error) => failures.push(error),
  });
  for (const name of POOLS) {
    await repository.create({ ...elastic({ size: 100_000 }), name }, () => undefined);
  }
});
afterEach(() => feed.close());

/** So many events more. */
const grow = (poolName: string, events: number): Promise<void> =>
  repository.change(poolName, needs({}), (pool) => {
    for (let n = 0; n < events; n++) pool.generate();
  });

/** Everything that it is given, as it comes. */
function taken(follower: Follower): number[] {
  const seqs: number[] = [];
  void (async () => {
    for (let events = await follower.next(); events.length > 0; events = await follower.next()) {
      seqs.push(...events.map(({ seq }) => seq));
    }
  })();
  return seqs;
}

const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, n) => first + n);

const unavailable = new DomainError('unavailable', 'out of reach');

describe('a follower', () => {
  test('is given the past page by page, and then what is new, once each and in order', async () => {
    await grow('a', 450);
    const seqs = taken(await feed.follow('a', 3));
    await grow('a', 10);
    await pass(100);
    expect(seqs).toEqual(from(4, 460));
    await grow('a', 10);
    await pass(100);
    expect(seqs).toEqual(from(4, 470));
    expect(reader.pages).toBe(3);
  });

  test('that wants the latest is given what comes after it was let in', async () => {
    await grow('a', 5);
    const follower = await feed.follow('a', 'latest');
    expect(follower.reaches).toBe(5);
    const seqs = taken(follower);
    await grow('a', 2);
    await pass(100);
    expect(seqs).toEqual([6, 7]);
    expect(reader.pages).toBe(0);
  });

  test('that begins beyond all that was given is refused, and says where to begin anew', async () => {
    await grow('a', 5);
    const { code, facts } = await refusalFrom(feed.follow('a', 6));
    expect([code, facts.fields]).toEqual(['position_unknown', { last_seq: 5, begins_after: 0 }]);
    expect((await feed.follow('a', 5)).reaches).toBe(5);
  });

  test('ends when the store was put back under it, also if that shows in no failure', async () => {
    await grow('a', 5);
    await grow('b', 5);
    const [back, ahead] = [await feed.follow('a', 5), await feed.follow('b', 5)];
    const [ended, others] = [back.next(), taken(ahead)];
    await pass(100);
    jest.spyOn(reader, 'seqsGiven').mockResolvedValue(new Map(Object.entries({ a: 4, b: 5 })));
    await pass(5200);
    expect(await ended).toEqual([]);
    await grow('b', 1);
    await pass(200);
    expect(others).toEqual([6]);
  });

  test('that falls behind what is kept is given pages again', async () => {
    const slow = await feed.follow('a', 0);
    const quick = taken(await feed.follow('a', 0));
    await grow('a', 300);
    await pass(100);
    expect(quick).toEqual(from(1, 300));
    await grow('a', 1500);
    await pass(200);
    expect(quick).toEqual(from(1, 1800));
    expect(reader.pages).toBe(0);
    expect(feed.furthestBehind).toBe(1800);
    const late = taken(slow);
    await pass(0);
    expect(late).toEqual(from(1, 1800));
    expect(feed.furthestBehind).toBe(0);
  });

  test('of a pool that nobody knows is refused', async () => {
    expect((await refusalFrom(feed.follow('c', 0))).code).toBe('pool_not_found');
    await pass(1000);
    expect(reader.looks).toEqual([]);
  });

  test('that is ended while it waits has its answer at once', async () => {
    const follower = await feed.follow('a', 'latest');
    const waiting = follower.next();
    follower.end();
    expect(await waiting).toEqual([]);
    expect(await follower.next()).toEqual([]);
  });
});

describe('what is new', () => {
  test('is looked for once for all followers of all pools, and read once', async () => {
    await grow('a', 2);
    const followers = await Promise.all(['a', 'a', 'b', 'b', 'b'].map((poolName) => feed.follow(poolName, 'latest')));
    const news = Promise.all(followers.map((follower) => follower.next()));
    await grow('a', 1);
    await grow('b', 1);
    await pass(100);
    const events: (readonly OwnedEvent[])[] = await news;
    expect(events.map(([event]) => `${event!.pool} ${event!.seq}`)).toEqual(['a 3', 'a 3', 'b 1', 'b 1', 'b 1']);
    // The very same: whatever is made of it is made once.
    expect(events[1]![0]).toBe(events[0]![0]);
    await pass(900);
    expect(reader.looks.map((look) => [...look.keys()])).toEqual(Array(reader.looks.length).fill(POOLS));
    expect(reader.looks.length).toBeLessThanOrEqual(11);
    expect(reader.pages).toBe(0);
  });

  test('is looked for while somebody follows, and by nobody afterwards', async () => {
    const follower = await feed.follow('a', 'latest');
    await pass(1000);
    expect(reader.looks.length).toBeGreaterThanOrEqual(9);
    follower.end();
    const looks = reader.looks.length;
    await pass(10_000);
    expect(reader.looks.length).toBe(looks);
    const seqs = taken(await feed.follow('b', 'latest'));
    await grow('b', 1);
    await pass(100);
    expect(seqs).toEqual([1]);
    expect([...reader.looks.at(-1)!.keys()]).toEqual(['b']);
  });

  test('is told with the time since it was written down', async () => {
    await feed.follow('a', 'latest');
    await grow('a', 1);
    now += 250_000;
    await pass(100);
    expect(delays).toEqual([0.25]);
  });
});

describe('a pool whose events cannot be read in time', () => {
  test('is asked for fewer and fewer of them until they come, once each and in order', async () => {
    const seqs = taken(await feed.follow('a', 'latest'));
    [reader.heavy, reader.mostOfHeavy] = ['a', 3];
    await grow('a', 20);
    await pass(15_000);
    expect(seqs).toEqual(from(1, 20));
    expect(failures).toEqual([unavailable]);
  });

  test('keeps no other pool from what is new', async () => {
    const heavy = taken(await feed.follow('a', 'latest'));
    const other = taken(await feed.follow('b', 'latest'));
    reader.heavy = 'a';
    await grow('a', 1);
    await pass(1_500);
    for (let n = 1; n <= 5; n++) {
      await grow('b', 1);
      await pass(100);
      expect(other).toEqual(from(1, n));
    }
    expect(heavy).toEqual([]);
    reader.heavy = null;
    await pass(1_500);
    expect(heavy).toEqual([1]);
    reader.looks = [];
    await pass(300);
    expect(reader.looks.map((look) => [...look.keys()])).toContainEqual(POOLS);
  });
});

describe('a store out of reach', () => {
  test('is waited for: nothing is lost or given twice, and it is told once', async () => {
    await grow('a', 300);
    reader.trouble = unavailable;
    const far = taken(await feed.follow('a', 0));
    const near = taken(await feed.follow('a', 'latest'));
    await grow('a', 5);
    await pass(3500);
    expect([far, near]).toEqual([[], []]);
    expect(failures).toEqual([unavailable]);
    expect(reader.looks.length).toBeLessThan(6);
    await grow('a', 5);
    reader.trouble = null;
    await pass(1000);
    expect(far).toEqual(from(1, 310));
    expect(near).toEqual(from(301, 310));
  });

  test('is told again when it was there in between', async () => {
    await feed.follow('a', 'latest');
    reader.trouble = unavailable;
    await pass(1000);
    reader.trouble = null;
    await pass(2000);
    reader.trouble = unavailable;
    await pass(1000);
    expect(failures).toHaveLength(2);
  });

  test('does not keep anybody from leaving', async () => {
    await grow('a', 1);
    const follower = await feed.follow('a', 0);
    reader.trouble = unavailable;
    const waiting = follower.next();
    await pass(0);
    expect(reader.pages).toBe(1);
    follower.end();
    expect(await waiting).toEqual([]);
  });

  test.each([new TypeError('a bug'), new DomainError('pool_not_found', 'a bug')])(
    'is no excuse for a bug: whoever asks is told',
    async (bug) => {
      await grow('a', 1);
      const follower = await feed.follow('a', 0);
      reader.trouble = bug;
      await expect(follower.next()).rejects.toBe(bug);
    },
  );
});

test('of many that begin far back two are read to at a time', async () => {
  await grow('a', 300);
  let open = (): void => undefined;
  reader.pagesWait = new Promise((resolve) => (open = resolve));
  const followers = await Promise.all(Array.from({ length: 10 }, (_, after) => feed.follow('a', after)));
  const seqs = followers.map(taken);
  await pass(0);
  expect(reader.pages).toBe(2);
  open();
  await pass(0);
  expect(seqs).toEqual(followers.map((_, after) => from(after + 1, 300)));
  expect(reader.mostPagesInHand).toBe(2);
});

test('those who begin at one place share the pages of the past', async () => {
  await grow('a', 500);
  const followers = await Promise.all(Array.from({ length: 10 }, () => feed.follow('a', 0)));
  const seqs = followers.map(taken);
  await pass(0);
  expect(seqs).toEqual(followers.map(() => from(1, 500)));
  expect(reader.pages).toBe(3);
});

test('a page of the past is read when it is the turn of its key', async () => {
  await grow('a', 300);
  const turns: (() => void)[] = [];
  const fair = new LiveFeed(
    reader,
    new InMemoryPoolReader(repository),
    { arrived: () => undefined, failed: () => undefined },
    (keyId, read) => {
      expect(keyId).toBe('k');
      return new Promise<void>((resolve) => turns.push(resolve)).then(read);
    },
  );
  const seqs = taken(await fair.follow('a', 0, undefined, 'k'));
  await pass(0);
  expect(reader.pages).toBe(0);
  for (; seqs.length < 300; await pass(0)) turns.shift()?.();
  expect(seqs).toEqual(from(1, 300));
  await fair.close();
});

test('a feed that is closed ends who follows, and who comes', async () => {
  const follower = await feed.follow('a', 'latest');
  const waiting = follower.next();
  await feed.close();
  expect(await waiting).toEqual([]);
  expect(await (await feed.follow('a', 0)).next()).toEqual([]);
});

import { DomainError } from '../kernel/domain-error.js';
import type { FeedSubscription } from './feed-subscription.js';
import { LiveFeed } from './live-feed.js';
import { loadSpec } from '../commands/load-spec.js';
import { NOW, elastic, refusalFrom } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import { InMemoryFeedReader } from '../testing/in-memory-feed-reader.js';
import { InMemoryPoolReader } from '../testing/in-memory-pool-reader.js';
import type { OwnedEvent, FeedPage, NewEventsView } from '../reading/views.js';

const POOLS = ['a', 'b'];

/** Counts the requests, fails with `trouble`, and delays pages until `pagesWait` resolves. */
class WatchedReader extends InMemoryFeedReader {
  polls: ReadonlyMap<string, number>[] = [];
  pages = 0;
  pagesInHand = 0;
  mostPagesInHand = 0;
  trouble: Error | null = null;
  pagesWait: Promise<void> | null = null;
  /** A pool of which a poll can read no more than `mostOfHeavy` events. */
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

  override async newEvents(after: ReadonlyMap<string, number>, limit: number): Promise<NewEventsView[]> {
    this.polls.push(after);
    if (this.trouble || (after.has(this.heavy ?? '') && limit > this.mostOfHeavy)) throw this.trouble ?? unavailable;
    return super.newEvents(after, limit);
  }
}

let now: number;
let repository: InMemoryTokenPoolRepository;
let reader: WatchedReader;
let delays: number[];
let failures: unknown[];
let feed: LiveFeed;

/** Advances the fake clock; promises that need no time settle by themselves. */
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

/** Adds events to a pool. */
const grow = (poolName: string, events: number): Promise<void> =>
  repository.change(poolName, loadSpec({}), (pool) => {
    for (let n = 0; n < events; n++) pool.generate();
  });

/** The seqs of all events that the subscription returns, as they arrive. */
function taken(subscription: FeedSubscription): number[] {
  const seqs: number[] = [];
  void (async () => {
    for (let events = await subscription.next(); events.length > 0; events = await subscription.next()) {
      seqs.push(...events.map(({ seq }) => seq));
    }
  })();
  return seqs;
}

const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, n) => first + n);

const unavailable = new DomainError('unavailable', 'out of reach');

describe('a subscription', () => {
  test('returns past events page by page, and then new events, each once and in order', async () => {
    await grow('a', 450);
    const seqs = taken(await feed.subscribe('a', 3));
    await grow('a', 10);
    await pass(100);
    expect(seqs).toEqual(from(4, 460));
    await grow('a', 10);
    await pass(100);
    expect(seqs).toEqual(from(4, 470));
    expect(reader.pages).toBe(3);
  });

  test('to the latest returns the events after its beginning', async () => {
    await grow('a', 5);
    const subscription = await feed.subscribe('a', 'latest');
    expect(subscription.reaches).toBe(5);
    const seqs = taken(subscription);
    await grow('a', 2);
    await pass(100);
    expect(seqs).toEqual([6, 7]);
    expect(reader.pages).toBe(0);
  });

  test('that begins beyond every given seq is refused with the seq from which to begin again', async () => {
    await grow('a', 5);
    const { code, facts } = await refusalFrom(feed.subscribe('a', 6));
    expect([code, facts.fields]).toEqual(['position_unknown', { last_seq: 5, begins_after: 0 }]);
    expect((await feed.subscribe('a', 5)).reaches).toBe(5);
  });

  test('ends when the store goes back to an earlier state, also without a failure', async () => {
    await grow('a', 5);
    await grow('b', 5);
    const [back, ahead] = [await feed.subscribe('a', 5), await feed.subscribe('b', 5)];
    const [ended, others] = [back.next(), taken(ahead)];
    await pass(100);
    jest.spyOn(reader, 'seqsGiven').mockResolvedValue(new Map(Object.entries({ a: 4, b: 5 })));
    await pass(5200);
    expect(await ended).toEqual([]);
    await grow('b', 1);
    await pass(200);
    expect(others).toEqual([6]);
  });

  test('that falls behind the buffer reads pages again', async () => {
    const slow = await feed.subscribe('a', 0);
    const quick = taken(await feed.subscribe('a', 0));
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

  test('to an unknown pool is refused', async () => {
    expect((await refusalFrom(feed.subscribe('c', 0))).code).toBe('pool_not_found');
    await pass(1000);
    expect(reader.polls).toEqual([]);
  });

  test('that ends while `next` waits returns at once', async () => {
    const subscription = await feed.subscribe('a', 'latest');
    const waiting = subscription.next();
    subscription.end();
    expect(await waiting).toEqual([]);
    expect(await subscription.next()).toEqual([]);
  });
});

describe('a poll', () => {
  test('serves all subscriptions of all pools with one read', async () => {
    await grow('a', 2);
    const subscriptions = await Promise.all(
      ['a', 'a', 'b', 'b', 'b'].map((poolName) => feed.subscribe(poolName, 'latest')),
    );
    const next = Promise.all(subscriptions.map((subscription) => subscription.next()));
    await grow('a', 1);
    await grow('b', 1);
    await pass(100);
    const events: (readonly OwnedEvent[])[] = await next;
    expect(events.map(([event]) => `${event!.pool} ${event!.seq}`)).toEqual(['a 3', 'a 3', 'b 1', 'b 1', 'b 1']);
    // The same object, so that work on it is shared.
    expect(events[1]![0]).toBe(events[0]![0]);
    await pass(900);
    expect(reader.polls.map((poll) => [...poll.keys()])).toEqual(Array(reader.polls.length).fill(POOLS));
    expect(reader.polls.length).toBeLessThanOrEqual(11);
    expect(reader.pages).toBe(0);
  });

  test('happens only while there are subscriptions', async () => {
    const subscription = await feed.subscribe('a', 'latest');
    await pass(1000);
    expect(reader.polls.length).toBeGreaterThanOrEqual(9);
    subscription.end();
    const polls = reader.polls.length;
    await pass(10_000);
    expect(reader.polls.length).toBe(polls);
    const seqs = taken(await feed.subscribe('b', 'latest'));
    await grow('b', 1);
    await pass(100);
    expect(seqs).toEqual([1]);
    expect([...reader.polls.at(-1)!.keys()]).toEqual(['b']);
  });

  test('reports the time since the store recorded the events', async () => {
    await feed.subscribe('a', 'latest');
    await grow('a', 1);
    now += 250_000;
    await pass(100);
    expect(delays).toEqual([0.25]);
  });
});

describe('a pool whose events cannot be read in time', () => {
  test('is asked for fewer and fewer of them until they arrive, each once and in order', async () => {
    const seqs = taken(await feed.subscribe('a', 'latest'));
    [reader.heavy, reader.mostOfHeavy] = ['a', 3];
    await grow('a', 20);
    await pass(15_000);
    expect(seqs).toEqual(from(1, 20));
    expect(failures).toEqual([unavailable]);
  });

  test('delays the new events of no other pool', async () => {
    const heavy = taken(await feed.subscribe('a', 'latest'));
    const other = taken(await feed.subscribe('b', 'latest'));
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
    reader.polls = [];
    await pass(300);
    expect(reader.polls.map((poll) => [...poll.keys()])).toContainEqual(POOLS);
  });
});

describe('an unreachable store', () => {
  test('delays events, loses and repeats none, and is reported once', async () => {
    await grow('a', 300);
    reader.trouble = unavailable;
    const far = taken(await feed.subscribe('a', 0));
    const near = taken(await feed.subscribe('a', 'latest'));
    await grow('a', 5);
    await pass(3500);
    expect([far, near]).toEqual([[], []]);
    expect(failures).toEqual([unavailable]);
    expect(reader.polls.length).toBeLessThan(6);
    await grow('a', 5);
    reader.trouble = null;
    await pass(1000);
    expect(far).toEqual(from(1, 310));
    expect(near).toEqual(from(301, 310));
  });

  test('is reported again when it was reachable in between', async () => {
    await feed.subscribe('a', 'latest');
    reader.trouble = unavailable;
    await pass(1000);
    reader.trouble = null;
    await pass(2000);
    reader.trouble = unavailable;
    await pass(1000);
    expect(failures).toHaveLength(2);
  });

  test('does not prevent a subscription from ending', async () => {
    await grow('a', 1);
    const subscription = await feed.subscribe('a', 0);
    reader.trouble = unavailable;
    const waiting = subscription.next();
    await pass(0);
    expect(reader.pages).toBe(1);
    subscription.end();
    expect(await waiting).toEqual([]);
  });

  test.each([new TypeError('a bug'), new DomainError('pool_not_found', 'a bug')])(
    'does not hide a bug: `next` rejects with it',
    async (bug) => {
      await grow('a', 1);
      const subscription = await feed.subscribe('a', 0);
      reader.trouble = bug;
      await expect(subscription.next()).rejects.toBe(bug);
    },
  );
});

test('many subscriptions that begin far back read two pages at a time', async () => {
  await grow('a', 300);
  let open = (): void => undefined;
  reader.pagesWait = new Promise((resolve) => (open = resolve));
  const subscriptions = await Promise.all(Array.from({ length: 10 }, (_, after) => feed.subscribe('a', after)));
  const seqs = subscriptions.map(taken);
  await pass(0);
  expect(reader.pages).toBe(2);
  open();
  await pass(0);
  expect(seqs).toEqual(subscriptions.map((_, after) => from(after + 1, 300)));
  expect(reader.mostPagesInHand).toBe(2);
});

test('subscriptions that begin at the same position share the pages of the past', async () => {
  await grow('a', 500);
  const subscriptions = await Promise.all(Array.from({ length: 10 }, () => feed.subscribe('a', 0)));
  const seqs = subscriptions.map(taken);
  await pass(0);
  expect(seqs).toEqual(subscriptions.map(() => from(1, 500)));
  expect(reader.pages).toBe(3);
});

test('a subscription reads a page of the past when it is the turn of its key', async () => {
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
  const seqs = taken(await fair.subscribe('a', 0, undefined, 'k'));
  await pass(0);
  expect(reader.pages).toBe(0);
  for (; seqs.length < 300; await pass(0)) turns.shift()?.();
  expect(seqs).toEqual(from(1, 300));
  await fair.close();
});

test('a closed feed ends present and future subscriptions', async () => {
  const subscription = await feed.subscribe('a', 'latest');
  const waiting = subscription.next();
  await feed.close();
  expect(await waiting).toEqual([]);
  expect(await (await feed.subscribe('a', 0)).next()).toEqual([]);
});

import { allocate, generate, release, type Command } from './command.js';
import { CommandQueue, DEFAULT_LIMITS } from './command-queue.js';
import { DomainError } from '../kernel/domain-error.js';
import type { Needs } from './needs.js';
import { NOBODY, type Batch, type Observer } from './observer.js';
import { NOW, elastic, fixed, refusalFrom, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import type { Grant, TokenPool } from '../pool/token-pool.js';

type Decision<T> = (pool: TokenPool) => T;

const MARKED = user(666);

/** The repository in memory, which counts its transactions, can be held up, and fails when told to. */
class TroubledRepository extends InMemoryTokenPoolRepository {
  readonly transactions = new Map<string, number>();
  mostInFlight = 0;
  /** Thrown by every transaction. */
  trouble: Error | null = null;
  /** Thrown by a transaction that grants something to the marked user. */
  markedTrouble: Error | null = null;
  readonly #gates = new Map<string, Promise<void>>();
  readonly #inFlight = new Map<string, number>();

  /** Transactions of the pool wait until the returned function is called. */
  holdUp(poolName: string): () => void {
    let open = (): void => undefined;
    this.#gates.set(poolName, new Promise((resolve) => (open = resolve)));
    return open;
  }

  override async change<T>(poolName: string, needs: Needs, decide: Decision<T>): Promise<T> {
    this.#count(poolName, 1);
    try {
      await this.#gates.get(poolName);
      if (this.trouble) throw this.trouble;
      return await super.change(poolName, needs, (pool) => {
        const result = decide(pool);
        if (this.markedTrouble && pool.events.some(({ lease }) => lease?.userId === MARKED)) throw this.markedTrouble;
        return result;
      });
    } finally {
      this.#count(poolName, -1);
    }
  }

  #count(poolName: string, change: 1 | -1): void {
    const inFlight = (this.#inFlight.get(poolName) ?? 0) + change;
    this.#inFlight.set(poolName, inFlight);
    this.mostInFlight = Math.max(this.mostInFlight, inFlight);
    if (change === 1) this.transactions.set(poolName, (this.transactions.get(poolName) ?? 0) + 1);
  }
}

let repository: TroubledRepository;
let queue: CommandQueue;

beforeEach(async () => {
  repository = new TroubledRepository(() => NOW);
  queue = new CommandQueue(repository);
  await repository.create(fixed({ size: 3 }), (pool) => pool.fill(3));
  await repository.create(elastic({ size: 3 }), () => undefined);
});

const times = <T>(n: number, make: (place: number) => T): T[] => Array.from({ length: n }, (_, place) => make(place));
const ask = (userId = user(1)): Command<Grant> => allocate({ userId });
const submitted = (n: number): Promise<Grant>[] => times(n, () => queue.submit('fixed', ask()));
const transactions = (): number => repository.transactions.get('fixed') ?? 0;
/** One turn of the event loop: whatever the queue was about to begin has begun. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const events = (): string[] => repository.look('fixed').events.map(({ event }) => event);

describe('callers who hang up', () => {
  const lost = { code: 'unavailable' };

  test('get nothing, neither those whose transaction waits for its lock nor those who wait behind it', async () => {
    let isGone = false;
    const open = repository.holdUp('fixed');
    const gone = times(3, () => allocate({ userId: user(1) }, undefined, () => isGone));
    const first = refusalFrom(queue.submit('fixed', gone[0]!));
    await turn();
    const behind = gone.slice(1).map((command) => refusalFrom(queue.submit('fixed', command)));
    const other = queue.submit('fixed', ask(user(2)));
    isGone = true;
    open();
    expect(await Promise.all([first, ...behind])).toMatchObject([lost, lost, lost]);
    expect(await other).toMatchObject({ userId: user(2), fence: 1 });
    expect(events().filter((event) => event === 'activated')).toHaveLength(1);
  });

  test('cost no transaction', async () => {
    const command = generate(undefined, () => true);
    expect(await refusalFrom(queue.submit('elastic', command))).toMatchObject(lost);
    expect(repository.transactions.get('elastic') ?? 0).toBe(0);
  });
});

describe('commands of one pool', () => {
  test('that come in the same turn go together into one transaction', async () => {
    await Promise.all(submitted(3));
    expect(transactions()).toBe(1);
  });

  test('that come while a transaction is under way go together into the next', async () => {
    const open = repository.holdUp('fixed');
    const first = queue.submit('fixed', ask());
    await turn();
    expect(transactions()).toBe(1);
    const others = times(50, () => refusalFrom(queue.submit('fixed', generate())));
    await turn();
    expect(transactions()).toBe(1);
    open();
    await Promise.all([first, ...others]);
    expect(transactions()).toBe(2);
  });

  test('have one transaction in flight at a time', async () => {
    const grants = times(40, async (place) => {
      for (let i = 0; i < place % 4; i++) await turn();
      return queue.submit('fixed', ask());
    });
    await Promise.all(grants);
    expect(repository.mostInFlight).toBe(1);
    expect(transactions()).toBeGreaterThan(1);
  });

  test('are answered each with its own answer', async () => {
    const grants = await Promise.all(times(3, (n) => queue.submit('fixed', ask(user(n)))));
    expect(grants.map(({ userId }) => userId)).toEqual([0, 1, 2].map(user));
    expect(new Set(grants.map(({ tokenId }) => tokenId)).size).toBe(3);
  });

  test('are refused each for itself', async () => {
    const grant = await queue.submit('fixed', ask());
    const [made, stale, over, granted] = await Promise.all([
      refusalFrom(queue.submit('fixed', generate())),
      refusalFrom(queue.submit('fixed', release(grant.tokenId, { fence: 99 }))),
      queue.submit('fixed', release(grant.tokenId, {})),
      queue.submit('fixed', ask()),
    ]);
    expect([made.code, stale.code, over, granted.fence]).toEqual(['pool_is_fixed', 'stale_lease', undefined, 2]);
    expect(transactions()).toBe(2);
  });

  test('go into several transactions when they are more than a batch may hold', async () => {
    queue = new CommandQueue(repository, { ...DEFAULT_LIMITS, batch: 2 });
    await Promise.all(submitted(3));
    expect(transactions()).toBe(2);
  });
});

describe('more callers at once than the 3 tokens', () => {
  test('are all answered, 24 of them, and nobody is evicted by the batch that he came with', async () => {
    const grants = await Promise.all(submitted(24));
    expect(grants.map(({ fence }) => fence)).toEqual(times(24, (place) => place + 1));
    expect(grants.map(({ evicted }) => evicted?.fence ?? null)).toEqual([
      ...[null, null, null],
      ...times(21, (place) => place + 1),
    ]);
    expect(transactions()).toBe(8);
  });

  test('and put off come before whoever asked later', async () => {
    const open = repository.holdUp('fixed');
    const early = submitted(6);
    await turn();
    const late = submitted(3);
    open();
    const fences = (await Promise.all([...early, ...late])).map(({ fence }) => fence);
    expect(fences).toEqual(times(9, (place) => place + 1));
  });
});

describe('different pools', () => {
  test('do not wait for each other', async () => {
    const open = repository.holdUp('fixed');
    let isAnswered = false;
    const slow = queue.submit('fixed', ask()).then(() => (isAnswered = true));
    await queue.submit('elastic', generate());
    await queue.submit('elastic', ask());
    expect(isAnswered).toBe(false);
    open();
    await slow;
  });

  test('do not share their answers', async () => {
    const [granted, refused] = await Promise.all([
      queue.submit('fixed', ask()),
      refusalFrom(queue.submit('elastic', ask())),
    ]);
    expect(granted.fence).toBe(1);
    expect(refused.code).toBe('pool_exhausted');
  });
});

describe('a queue that is full', () => {
  test('refuses one more, says when to ask again, and changes nothing for it', async () => {
    queue = new CommandQueue(repository, { ...DEFAULT_LIMITS, waiting: 2 });
    const open = repository.holdUp('fixed');
    const inFlight = queue.submit('fixed', ask());
    await turn();
    const waiting = submitted(2);
    const refusal = await refusalFrom(queue.submit('fixed', ask(MARKED)));
    expect(refusal).toMatchObject({ code: 'unavailable', facts: { retryAfterSeconds: 1 } });
    open();
    await Promise.all([inFlight, ...waiting]);
    expect(repository.look('fixed').events.some(({ lease }) => lease?.userId === MARKED)).toBe(false);
    expect(events().filter((event) => event === 'activated')).toHaveLength(3);
  });

  test('is full for one pool only, and has room again once it is served', async () => {
    queue = new CommandQueue(repository, { ...DEFAULT_LIMITS, waiting: 1 });
    const served = queue.submit('fixed', ask());
    const elsewhere = queue.submit('elastic', generate());
    expect((await refusalFrom(queue.submit('fixed', ask()))).code).toBe('unavailable');
    await Promise.all([served, elsewhere]);
    for (let i = 0; i < 5; i++) await queue.submit('fixed', ask());
    expect(repository.look('fixed').state.lastFence).toBe(6);
  });
});

describe('a command that has waited for too long', () => {
  test('is refused instead of decided, and changes nothing', async () => {
    const patienceMs = 200;
    queue = new CommandQueue(repository, { ...DEFAULT_LIMITS, patienceMs });
    const open = repository.holdUp('fixed');
    const inFlight = queue.submit('fixed', ask());
    await turn();
    const refusal = refusalFrom(queue.submit('fixed', ask(MARKED)));
    const since = performance.now();
    while (performance.now() - since <= patienceMs) await turn();
    open();
    expect((await inFlight).fence).toBe(1);
    expect(await refusal).toMatchObject({ code: 'unavailable', facts: { retryAfterSeconds: 1 } });
    expect(repository.look('fixed').state.lastFence).toBe(1);
    expect(transactions()).toBe(1);
  });

  test('does not make the queue deaf', async () => {
    const hasty = new CommandQueue(repository, { ...DEFAULT_LIMITS, patienceMs: -1 });
    const refusals = await Promise.all(times(3, () => refusalFrom(hasty.submit('fixed', ask()))));
    expect(refusals.map(({ code }) => code)).toEqual(Array(3).fill('unavailable'));
    expect((await refusalFrom(hasty.submit('fixed', ask()))).code).toBe('unavailable');
    expect(transactions()).toBe(0);
  });
});

describe('a transaction that fails for no reason of the domain', () => {
  const bug = new Error('value too long for the column');

  const outcomes = async (users: string[]): Promise<unknown[]> => {
    const all = await Promise.allSettled(users.map((userId) => queue.submit('fixed', ask(userId))));
    return all.map((one) => (one.status === 'fulfilled' ? one.value.fence : (one.reason as unknown)));
  };

  test('fails only for whoever is to blame', async () => {
    repository.markedTrouble = bug;
    expect(await outcomes([user(1), MARKED, user(2)])).toEqual([1, bug, 2]);
    const granted = repository.look('fixed').events.filter(({ event }) => event === 'activated');
    expect(granted.map(({ lease }) => lease?.userId)).toEqual([user(1), user(2)]);
  });

  test('is tried once for all and once for each, not more', async () => {
    repository.markedTrouble = bug;
    await outcomes([user(1), MARKED, user(2), user(3)]);
    expect(transactions()).toBe(5);
  });

  test('fails once when it had a single command', async () => {
    repository.markedTrouble = bug;
    expect(await outcomes([MARKED])).toEqual([bug]);
    expect(transactions()).toBe(1);
  });

  test('leaves the queue serving', async () => {
    repository.markedTrouble = bug;
    await outcomes([MARKED, user(1)]);
    await outcomes([MARKED]);
    expect(await outcomes([user(2)])).toEqual([2]);
  });
});

describe('a database that cannot be reached', () => {
  const unavailable = new DomainError('unavailable', 'the database cannot be reached');

  test('fails the whole batch once, without trying each command again', async () => {
    repository.trouble = unavailable;
    const refusals = await Promise.all(submitted(10).map(refusalFrom));
    expect(refusals).toEqual(Array(10).fill(unavailable));
    expect(transactions()).toBe(1);
  });

  test('is forgotten once it can be reached again', async () => {
    repository.trouble = unavailable;
    await refusalFrom(queue.submit('fixed', ask()));
    repository.trouble = null;
    expect((await queue.submit('fixed', ask())).fence).toBe(1);
  });
});

describe('a pool that does not exist', () => {
  test('is told to every caller, and found by the next one once it is made', async () => {
    const refusals = await Promise.all(times(3, () => refusalFrom(queue.submit('new', ask()))));
    expect(refusals.map(({ code }) => code)).toEqual(Array(3).fill('pool_not_found'));
    await repository.create({ ...fixed({ size: 1 }), name: 'new' }, (pool) => pool.fill(1));
    expect((await queue.submit('new', ask())).fence).toBe(1);
  });

  test('does not stay behind: a full lane of it is empty again afterwards', async () => {
    queue = new CommandQueue(repository, { ...DEFAULT_LIMITS, waiting: 2 });
    for (let i = 0; i < 3; i++) {
      const refusals = await Promise.all(times(2, () => refusalFrom(queue.submit('nowhere', ask()))));
      expect(refusals.map(({ code }) => code)).toEqual(['pool_not_found', 'pool_not_found']);
    }
  });
});

describe('an observer', () => {
  let decided: Batch[];
  let failed: Batch[];
  let observer: Observer;
  const kindsOf = ({ commands }: Batch): string[] => commands.map(({ command }) => command.kind);

  beforeEach(() => {
    [decided, failed] = [[], []];
    observer = { ...NOBODY, decided: (batch) => decided.push(batch), failed: (batch) => failed.push(batch) };
    queue = new CommandQueue(repository, DEFAULT_LIMITS, observer);
  });

  test('is told how long a batch waited, for its lock and for the writing, before its callers are answered', async () => {
    const open = repository.holdUp('fixed');
    const both = Promise.all([queue.submit('fixed', ask()), queue.submit('fixed', ask())]);
    await turn();
    const asked = performance.now();
    while (performance.now() - asked < 2) await turn();
    open();
    await both.then(() => expect(decided.map(kindsOf)).toEqual([['allocate', 'allocate']]));
    const { phases, commands } = decided[0]!;
    const { began, locked, decided: written, ended, tries } = phases!;
    for (const { since } of commands) expect(since).toBeLessThanOrEqual(began);
    expect(locked! - began).toBeGreaterThan(2);
    expect(written).toBeGreaterThanOrEqual(locked!);
    expect(ended).toBeGreaterThanOrEqual(written!);
    expect(tries).toBe(1);
    expect(failed).toEqual([]);
  });

  test('is told that a transaction failed before it had its lock', async () => {
    repository.trouble = new DomainError('unavailable', 'the database cannot be reached');
    await refusalFrom(queue.submit('fixed', ask()));
    expect(failed.map(kindsOf)).toEqual([['allocate']]);
    expect(failed[0]!.phases).toMatchObject({ locked: null, tries: 0 });
    expect(failed[0]!.phases!.ended).toBeGreaterThanOrEqual(failed[0]!.phases!.began);
    expect(decided).toEqual([]);
  });

  test('is told of commands for which no transaction was begun in time', async () => {
    queue = new CommandQueue(repository, { ...DEFAULT_LIMITS, patienceMs: -1 }, observer);
    await refusalFrom(queue.submit('fixed', ask()));
    expect(failed.map(({ phases }) => phases)).toEqual([null]);
  });
});

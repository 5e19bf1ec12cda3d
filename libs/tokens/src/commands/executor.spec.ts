import { allocate, changePolicy, deleteToken, fill, generate, Next, release, type Command } from './command.js';
import { DEFAULT_LIMITS, Executor } from './executor.js';
import { DomainError } from '../kernel/domain-error.js';
import { InvariantViolation } from '../kernel/invariant-violation.js';
import type { LoadSpec } from './load-spec.js';
import type { TransactionReport } from './observer.js';
import type { PoolPolicy } from '../pool/pool-policy.js';
import { NOW, elastic, fixed, refusalFrom, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import type { Grant } from '../pool/requests.js';
import { TokenPool } from '../pool/token-pool.js';

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
  /** Each decision is made twice, the first time for nothing: as after a COMMIT that got lost. */
  isDecidedTwice = false;
  readonly #gates = new Map<string, Promise<void>>();
  readonly #inFlight = new Map<string, number>();

  /** Transactions of the pool wait until the returned function is called. */
  holdUp(poolName: string): () => void {
    let open = (): void => undefined;
    this.#gates.set(poolName, new Promise((resolve) => (open = resolve)));
    return open;
  }

  override change<T>(poolName: string, loads: LoadSpec, decide: Decision<T>): Promise<T> {
    return this.#troubled(poolName, decide, (decide) => super.change(poolName, loads, decide));
  }

  override changeIfIdle<T>(poolName: string, loads: LoadSpec, decide: Decision<T>): Promise<T | undefined> {
    return this.#troubled(poolName, decide, (decide) => super.changeIfIdle(poolName, loads, decide));
  }

  override create<T>(policy: PoolPolicy, decide: Decision<T>): Promise<T> {
    return this.#troubled(policy.name, decide, (decide) => super.create(policy, decide));
  }

  async #troubled<T, R>(
    poolName: string,
    decide: Decision<T>,
    transact: (decide: Decision<T>) => Promise<R>,
  ): Promise<R> {
    this.#count(poolName, 1);
    try {
      await this.#gates.get(poolName);
      if (this.trouble) throw this.trouble;
      return await transact((pool) => {
        if (this.isDecidedTwice)
          decide(TokenPool.restore({ state: pool.state, now: NOW, tokens: [], nextExpiryAt: null }));
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
let executor: Executor;

beforeEach(async () => {
  repository = new TroubledRepository(() => NOW);
  executor = new Executor(repository);
  await repository.create(fixed({ size: 3 }), (pool) => pool.fill(3));
  await repository.create(elastic({ size: 3 }), () => undefined);
  repository.transactions.clear();
});

const times = <T>(n: number, make: (place: number) => T): T[] => Array.from({ length: n }, (_, place) => make(place));
const ask = (userId = user(1)): Command<Grant> => allocate({ userId });
const submitted = (n: number): Promise<Grant>[] => times(n, () => executor.submit('fixed', ask()));
const transactions = (): number => repository.transactions.get('fixed') ?? 0;
/** One turn of the event loop: whatever the executor was about to begin has begun. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const events = (): string[] => repository.look('fixed').events.map(({ event }) => event);

describe('callers who hang up', () => {
  const lost = { code: 'unavailable' };

  test('get nothing, neither those whose transaction waits for its lock nor those who wait behind it', async () => {
    let isGone = false;
    const open = repository.holdUp('fixed');
    const gone = times(3, () => allocate({ userId: user(1) }, undefined, () => isGone));
    const first = refusalFrom(executor.submit('fixed', gone[0]!));
    await turn();
    const behind = gone.slice(1).map((command) => refusalFrom(executor.submit('fixed', command)));
    const other = executor.submit('fixed', ask(user(2)));
    isGone = true;
    open();
    expect(await Promise.all([first, ...behind])).toMatchObject([lost, lost, lost]);
    expect(await other).toMatchObject({ userId: user(2), fence: 1 });
    expect(events().filter((event) => event === 'activated')).toHaveLength(1);
  });

  test('cost no transaction', async () => {
    const command = generate(undefined, () => true);
    expect(await refusalFrom(executor.submit('elastic', command))).toMatchObject(lost);
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
    const first = executor.submit('fixed', ask());
    await turn();
    expect(transactions()).toBe(1);
    const others = times(50, () => refusalFrom(executor.submit('fixed', generate())));
    await turn();
    expect(transactions()).toBe(1);
    open();
    await Promise.all([first, ...others]);
    expect(transactions()).toBe(2);
  });

  test('have one transaction in flight at a time', async () => {
    const grants = times(40, async (place) => {
      for (let i = 0; i < place % 4; i++) await turn();
      return executor.submit('fixed', ask());
    });
    await Promise.all(grants);
    expect(repository.mostInFlight).toBe(1);
    expect(transactions()).toBeGreaterThan(1);
  });

  test('are answered each with its own answer', async () => {
    const grants = await Promise.all(times(3, (n) => executor.submit('fixed', ask(user(n)))));
    expect(grants.map(({ userId }) => userId)).toEqual([0, 1, 2].map(user));
    expect(new Set(grants.map(({ tokenId }) => tokenId)).size).toBe(3);
  });

  test('are refused each for itself', async () => {
    const grant = await executor.submit('fixed', ask());
    const [made, stale, over, granted] = await Promise.all([
      refusalFrom(executor.submit('fixed', generate())),
      refusalFrom(executor.submit('fixed', release(grant.tokenId, { fence: 99 }))),
      executor.submit('fixed', release(grant.tokenId, {})),
      executor.submit('fixed', ask()),
    ]);
    expect([made.code, stale.code, over, granted.fence]).toEqual(['pool_is_fixed', 'stale_lease', 'available', 2]);
    expect(transactions()).toBe(2);
  });

  test('go into several transactions when they are more than a batch may hold', async () => {
    executor = new Executor(repository, { ...DEFAULT_LIMITS, batch: 2 });
    await Promise.all(submitted(3));
    expect(transactions()).toBe(2);
  });
});

describe('more callers at once than the 3 tokens', () => {
  test('all 24 get an answer, and no batch evicts its own grants', async () => {
    const grants = await Promise.all(submitted(24));
    expect(grants.map(({ fence }) => fence)).toEqual(times(24, (place) => place + 1));
    expect(grants.map(({ evicted }) => evicted?.fence ?? null)).toEqual([
      ...[null, null, null],
      ...times(21, (place) => place + 1),
    ]);
    expect(transactions()).toBe(8);
  });

  test('and deferred come before those who asked later', async () => {
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
    const slow = executor.submit('fixed', ask()).then(() => (isAnswered = true));
    await executor.submit('elastic', generate());
    await executor.submit('elastic', ask());
    expect(isAnswered).toBe(false);
    open();
    await slow;
  });

  test('do not share their answers', async () => {
    const [granted, refused] = await Promise.all([
      executor.submit('fixed', ask()),
      refusalFrom(executor.submit('elastic', ask())),
    ]);
    expect(granted.fence).toBe(1);
    expect(refused.code).toBe('pool_exhausted');
  });
});

describe('a lane that is full', () => {
  test('refuses one more, says when to ask again, and changes nothing for it', async () => {
    executor = new Executor(repository, { ...DEFAULT_LIMITS, waiting: 2 });
    const open = repository.holdUp('fixed');
    const inFlight = executor.submit('fixed', ask());
    await turn();
    const waiting = submitted(2);
    const refusal = await refusalFrom(executor.submit('fixed', ask(MARKED)));
    expect(refusal).toMatchObject({ code: 'unavailable', facts: { retryAfterSeconds: 1 } });
    open();
    await Promise.all([inFlight, ...waiting]);
    expect(repository.look('fixed').events.some(({ lease }) => lease?.userId === MARKED)).toBe(false);
    expect(events().filter((event) => event === 'activated')).toHaveLength(3);
  });

  test('is full for one pool only, and has room again once it is served', async () => {
    executor = new Executor(repository, { ...DEFAULT_LIMITS, waiting: 1 });
    const served = executor.submit('fixed', ask());
    const elsewhere = executor.submit('elastic', generate());
    expect((await refusalFrom(executor.submit('fixed', ask()))).code).toBe('unavailable');
    await Promise.all([served, elsewhere]);
    for (let i = 0; i < 5; i++) await executor.submit('fixed', ask());
    expect(repository.look('fixed').state.lastFence).toBe(6);
  });
});

describe('a command that has waited for too long', () => {
  test('is refused instead of decided, and changes nothing', async () => {
    const patienceMs = 200;
    executor = new Executor(repository, { ...DEFAULT_LIMITS, patienceMs });
    const open = repository.holdUp('fixed');
    const inFlight = executor.submit('fixed', ask());
    await turn();
    const refusal = refusalFrom(executor.submit('fixed', ask(MARKED)));
    const since = performance.now();
    while (performance.now() - since <= patienceMs) await turn();
    open();
    expect((await inFlight).fence).toBe(1);
    expect(await refusal).toMatchObject({ code: 'unavailable', facts: { retryAfterSeconds: 1 } });
    expect(repository.look('fixed').state.lastFence).toBe(1);
    expect(transactions()).toBe(1);
  });

  test('is refused while the transaction before it is still under way, and those behind it are served', async () => {
    executor = new Executor(repository, { ...DEFAULT_LIMITS, patienceMs: 300 });
    const open = repository.holdUp('fixed');
    const inFlight = executor.submit('fixed', ask());
    await turn();
    const refused = refusalFrom(executor.submit('fixed', { ...ask(MARKED), isExclusive: true }));
    expect(await refused).toMatchObject({ code: 'unavailable', facts: { retryAfterSeconds: 1 } });
    const behind = executor.submit('fixed', ask(user(2)));
    open();
    expect([(await inFlight).fence, (await behind).fence]).toEqual([1, 2]);
    expect(transactions()).toBe(2);
  });

  test('does not make the executor deaf', async () => {
    const hasty = new Executor(repository, { ...DEFAULT_LIMITS, patienceMs: -1 });
    const refusals = await Promise.all(times(3, () => refusalFrom(hasty.submit('fixed', ask()))));
    expect(refusals.map(({ code }) => code)).toEqual(Array(3).fill('unavailable'));
    expect((await refusalFrom(hasty.submit('fixed', ask()))).code).toBe('unavailable');
    expect(transactions()).toBe(0);
  });
});

describe('a transaction that fails for no reason of the domain', () => {
  const bug = new Error('value too long for the column');

  const outcomes = async (users: string[]): Promise<unknown[]> => {
    const all = await Promise.allSettled(users.map((userId) => executor.submit('fixed', ask(userId))));
    return all.map((one) => (one.status === 'fulfilled' ? one.value.fence : (one.reason as unknown)));
  };

  test('fails only for the command to blame', async () => {
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

  test('leaves the executor serving', async () => {
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
    await refusalFrom(executor.submit('fixed', ask()));
    repository.trouble = null;
    expect((await executor.submit('fixed', ask())).fence).toBe(1);
  });
});

describe('a pool that does not exist', () => {
  test('is told to every caller, and found by the next one once it is made', async () => {
    const refusals = await Promise.all(times(3, () => refusalFrom(executor.submit('new', ask()))));
    expect(refusals.map(({ code }) => code)).toEqual(Array(3).fill('pool_not_found'));
    await repository.create({ ...fixed({ size: 1 }), name: 'new' }, (pool) => pool.fill(1));
    expect((await executor.submit('new', ask())).fence).toBe(1);
  });

  test('does not stay behind: a full lane of it is empty again afterwards', async () => {
    executor = new Executor(repository, { ...DEFAULT_LIMITS, waiting: 2 });
    for (let i = 0; i < 3; i++) {
      const refusals = await Promise.all(times(2, () => refusalFrom(executor.submit('nowhere', ask()))));
      expect(refusals.map(({ code }) => code)).toEqual(['pool_not_found', 'pool_not_found']);
    }
  });
});

describe('exclusive commands', () => {
  const count = (answer = 'counted'): Command<string> => ({
    ...fill(null),
    decide: (pool) => `${answer} ${pool.state.lastFence}`,
  });

  test('keep their place among the others, each with a transaction of its own', async () => {
    const answers = await Promise.all([
      executor.submit('fixed', ask()),
      executor.submit('fixed', ask()),
      executor.submit('fixed', count()),
      executor.submit('fixed', count()),
      executor.submit('fixed', ask()),
    ]);
    expect(answers).toMatchObject([{ fence: 1 }, { fence: 2 }, 'counted 2', 'counted 2', { fence: 3 }]);
    expect(transactions()).toBe(4);
  });

  test('of whatever kind never have a transaction beside another one of the pool', async () => {
    const open = repository.holdUp('fixed');
    const all = [
      executor.submit('fixed', ask()),
      executor.submit('fixed', changePolicy({ ttlSeconds: 7 }, null)),
      executor.create(fixed({ size: 3 }), fill(null)),
      executor.submit('fixed', count()),
      executor.submit('fixed', ask()),
    ];
    const outcomes = Promise.allSettled(all);
    for (let i = 0; i < 5; i++) await turn();
    expect(transactions()).toBe(1);
    expect(await executor.tryRun('fixed', count())).toBeUndefined();
    open();
    expect((await outcomes).map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    ]);
    expect([transactions(), repository.mostInFlight]).toEqual([5, 1]);
  });

  test('that fail fail alone', async () => {
    repository.markedTrouble = new Error('broken');
    const marked: Command<Grant> = { ...ask(MARKED), isExclusive: true };
    const outcomes = [executor.submit('fixed', marked), executor.submit('fixed', count())];
    expect(await Promise.allSettled(outcomes)).toMatchObject([
      { reason: { message: 'broken' } },
      { value: 'counted 0' },
    ]);
  });

  test('that need several transactions let those who wait have their turn between them', async () => {
    const twice = (so: string): Command<string> => ({
      ...count(),
      decide: ({ state }) => (so === '' ? new Next(twice(`${state.lastFence}`)) : `${so} then ${state.lastFence}`),
    });
    const both = executor.submit('fixed', twice(''));
    await turn();
    await executor.submit('fixed', ask());
    expect(await both).toBe('0 then 1');
  });

  test('whose first part is committed do not say that nothing was changed', async () => {
    const command: Command<never> = {
      ...fill(null),
      decide: () => {
        repository.trouble = new DomainError('unavailable', 'nothing was changed', { retryAfterSeconds: 1 });
        return new Next(command);
      },
    };
    const refusal = await refusalFrom(executor.submit('fixed', command));
    expect(refusal).toMatchObject({ code: 'unavailable', facts: { retryAfterSeconds: 1 } });
    expect(refusal.message).toContain('whether the rest is done is unknown');
  });
});

describe('a command that waits for nobody', () => {
  const count: Command<number> = { ...fill(null), decide: ({ state }) => state.tokenCount };

  test('is executed where the pool is idle, again and again', async () => {
    for (let i = 0; i < 3; i++) expect(await executor.tryRun('fixed', count)).toBe(3);
    expect(transactions()).toBe(3);
  });

  test('leaves alone a pool that another process has locked, or that does not exist', async () => {
    const holding = new Executor(repository).submit('fixed', ask());
    await turn();
    expect(await executor.tryRun('fixed', count)).toBeUndefined();
    expect(await executor.tryRun('nowhere', count)).toBeUndefined();
    await holding;
    expect(await executor.tryRun('fixed', count)).toBe(3);
  });
});

describe('making a pool', () => {
  const policy = { ...fixed({ size: 2 }), name: 'new' };

  test('executes its command in the same transaction', async () => {
    await executor.create(policy, fill(null));
    expect(repository.look('new').tokens.size).toBe(2);
    expect(repository.transactions.get('new')).toBe(1);
    expect((await refusalFrom(executor.create(policy, fill(null)))).code).toBe('pool_exists');
  });

  test('makes none when the command is refused', async () => {
    const refusal = await refusalFrom(executor.create(policy, changePolicy({ size: 0 }, null)));
    expect(refusal.code).toBe('invalid_request');
    expect(repository.look('new')).toBeUndefined();
  });
});

describe('an observer', () => {
  let reports: TransactionReport[];
  const short = ({ outcome, commands, ...report }: TransactionReport): string =>
    [
      ...[outcome, ...commands.map(({ command }) => command.kind)],
      ...('pool' in report ? report.pool.events.map(({ seq, event }) => `${seq} ${event}`) : []),
    ].join(', ');
  const told = (): string[] => reports.map(short);

  beforeEach(() => {
    reports = [];
    executor = new Executor(repository, DEFAULT_LIMITS, [{ observe: (report) => reports.push(report) }]);
  });

  test('is told how long a batch waited, for its lock and for the writing, before its callers are answered', async () => {
    const open = repository.holdUp('fixed');
    const both = Promise.all([executor.submit('fixed', ask()), executor.submit('fixed', ask())]);
    await turn();
    const asked = performance.now();
    while (performance.now() - asked < 2) await turn();
    open();
    await both.then(() => expect(told()).toEqual(['committed, allocate, allocate, 4 activated, 5 activated']));
    const { phases, commands } = reports[0]!;
    const { began, locked, decided: written, ended, tries } = phases!;
    for (const { since } of commands) expect(since).toBeLessThanOrEqual(began);
    expect(locked! - began).toBeGreaterThan(2);
    expect(written).toBeGreaterThanOrEqual(locked!);
    expect(ended).toBeGreaterThanOrEqual(written!);
    expect(tries).toBe(1);
  });

  test('is told of each transaction once, with the commands that it decided', async () => {
    await Promise.all(submitted(4));
    await executor.create({ ...fixed({ size: 1 }), name: 'new' }, fill(null));
    expect(told().map((one) => one.replace(/, \d.*/, ''))).toEqual([
      'committed, allocate, allocate, allocate',
      'committed, allocate',
      'committed, fill',
    ]);
  });

  test('is told of a transaction that was tried twice once, as it was committed', async () => {
    repository.isDecidedTwice = true;
    await executor.submit('elastic', generate());
    expect(told()).toEqual(['committed, generate, 1 generated']);
    expect(reports[0]).toMatchObject({ phases: { tries: 2 }, pool: { state: { tokenCount: 1 } } });
    expect(reports[0]).toHaveProperty('pool.events.0.tokenId', [...repository.look('elastic').tokens.keys()][0]);
  });

  test('is told of a transaction that failed before it had its lock', async () => {
    repository.trouble = new DomainError('unavailable', 'the database cannot be reached');
    await refusalFrom(executor.submit('fixed', ask()));
    expect(told()).toEqual(['failed, allocate']);
    const { phases } = reports[0]!;
    expect(phases).toMatchObject({ locked: null, tries: 0 });
    expect(phases!.ended).toBeGreaterThanOrEqual(phases!.began);
  });

  test('is told of what the store refused, for all and then for the one to blame', async () => {
    repository.markedTrouble = new InvariantViolation(new Error('tokens_status_and_lease_agree'));
    await Promise.allSettled([MARKED, user(1)].map((userId) => executor.submit('fixed', ask(userId))));
    expect(told()).toEqual(['violated, allocate, allocate', 'violated, allocate', 'committed, allocate, 4 activated']);
  });

  test('is told of commands for which no transaction was begun in time', async () => {
    executor = new Executor(repository, { ...DEFAULT_LIMITS, patienceMs: -1 }, [
      { observe: (report) => reports.push(report) },
    ]);
    await refusalFrom(executor.submit('fixed', ask()));
    expect(reports.map(({ outcome, phases }) => [outcome, phases])).toEqual([['not begun', null]]);
  });

  test('is told the codes with which callers were refused, whether by the pool, its store or for want of time', async () => {
    const refusals = (): unknown => reports.map((report) => report.refusals);
    await Promise.allSettled([
      executor.submit('elastic', deleteToken('gone', false)),
      executor.submit('elastic', allocate({ userId: user(1) })),
      executor.submit('elastic', generate()),
    ]);
    expect(refusals()).toEqual([['token_deleted']]);
    repository.trouble = new DomainError('unavailable', 'the database cannot be reached');
    await Promise.allSettled([executor.submit('fixed', ask()), executor.submit('fixed', ask())]);
    await refusalFrom(executor.submit('fixed', fill(null)));
    executor = new Executor(repository, { ...DEFAULT_LIMITS, patienceMs: -1 }, [
      { observe: (report) => reports.push(report) },
    ]);
    await refusalFrom(executor.submit('fixed', ask()));
    expect(refusals()).toEqual([['token_deleted'], ['unavailable', 'unavailable'], [], ['unavailable']]);
  });

  test('is told nothing of a pool that was left alone', async () => {
    expect(await executor.tryRun('nowhere', fill(null))).toBeUndefined();
    expect(reports).toEqual([]);
  });
});

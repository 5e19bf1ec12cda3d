import { deletePool } from './command.js';
import { Executor } from './executor.js';
import { DEFAULT_POOL, ELASTIC_POOL, openPool, type FirstPool } from './first-start.js';
import { loadSpec } from './load-spec.js';
import { NOW, refusalFrom, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import { InMemoryPoolReader } from '../testing/in-memory-pool-reader.js';
import { InMemoryTokenReader } from '../testing/in-memory-token-reader.js';
import { TokenPoolService } from './token-pool-service.js';

const clock = (): number => NOW;
let repository: InMemoryTokenPoolRepository;

beforeEach(() => {
  repository = new InMemoryTokenPoolRepository(clock);
});

/** Each process has a service of its own. */
const start = (first: FirstPool): Promise<void> => {
  const pools = new InMemoryPoolReader(repository);
  return openPool(
    new TokenPoolService(new Executor(repository), new InMemoryTokenReader(repository), pools),
    pools,
    first,
  );
};

const sized = (size: number): FirstPool => ({ name: DEFAULT_POOL, kind: 'fixed', policy: { size }, growTo: size });
const stored = (name = DEFAULT_POOL) => repository.look(name);
const tokenIds = (): string[] => [...stored().tokens.keys()];

test('the first start makes a fixed pool with its tokens', async () => {
  await start(sized(5));
  expect(stored().state).toMatchObject({ tokenCount: 5, lastSeq: 5, policy: { kind: 'fixed', size: 5 } });
});

test('the first start makes an elastic pool without tokens', async () => {
  await start({ name: ELASTIC_POOL, kind: 'elastic', policy: { size: 4, idleTtlSeconds: 9 } });
  expect(stored(ELASTIC_POOL).state).toMatchObject({ tokenCount: 0, policy: { size: 4, idleTtlSeconds: 9 } });
});

test('a later start keeps the tokens, the leases and the policy', async () => {
  await start(sized(5));
  await repository.change(DEFAULT_POOL, loadSpec({ free: 1 }), (pool) => pool.allocate({ userId: user(1) }));
  const before = structuredClone({ state: stored().state, tokens: stored().tokens, events: stored().events });
  await start({ ...sized(5), policy: { size: 5, ttlSeconds: 1 } });
  expect({ state: stored().state, tokens: stored().tokens, events: stored().events }).toEqual(before);
});

test('a start with a larger size adds tokens and keeps the others', async () => {
  await start(sized(3));
  const before = tokenIds();
  await start(sized(5));
  expect(tokenIds().slice(0, 3)).toEqual(before);
  expect(stored().state).toMatchObject({ tokenCount: 5, policy: { size: 5 } });
});

test('a start with a smaller size is refused, and says so', async () => {
  await start(sized(5));
  const refusal = await refusalFrom(start(sized(3)));
  expect(refusal.code).toBe('invalid_request');
  expect(refusal.message).toContain('present size of 5');
  expect(stored().state).toMatchObject({ tokenCount: 5, policy: { size: 5 } });
});

test('a start that names no size to grow to accepts whatever the pool has', async () => {
  await start(sized(5));
  await start({ name: DEFAULT_POOL, kind: 'fixed', policy: { size: 2 } });
  expect(stored().state).toMatchObject({ tokenCount: 5, policy: { size: 5 } });
});

test('a start goes on with a filling that was interrupted', async () => {
  await start(sized(3));
  await repository.change(DEFAULT_POOL, loadSpec({}), (pool) => pool.changePolicy({ size: 6 }));
  expect(tokenIds()).toHaveLength(3);
  await start(sized(6));
  expect(tokenIds()).toHaveLength(6);
});

test('a start leaves a deleted pool deleted', async () => {
  await start(sized(3));
  await new Executor(repository).submit(DEFAULT_POOL, deletePool(false, null));
  await start(sized(3));
  expect(stored().state).toMatchObject({ life: 'deleted', tokenCount: 0 });
});

test('many processes that start at once make one pool, filled once', async () => {
  await Promise.all(Array.from({ length: 8 }, () => start(sized(50))));
  expect(stored().state).toMatchObject({ tokenCount: 50, lastSeq: 50 });
});

test('a start with a policy that breaks a rule is refused and makes nothing', async () => {
  expect((await refusalFrom(start(sized(0)))).code).toBe('invalid_request');
  expect(stored()).toBeUndefined();
});

// What a batch asks to be loaded has to be enough: each pool here is larger than what is loaded of it.

import { decideBatch } from './batch.js';
import { allocate, deleteToken, generate, release, type Command } from './command.js';
import { together } from './load-spec.js';
import type { PoolPolicy } from '../pool/pool-policy.js';
import { NOW, SECOND, elastic, fixed, user } from '../testing/given.js';
import { InMemoryTokenPoolRepository } from '../testing/in-memory-token-pool-repository.js';
import type { Grant } from '../pool/requests.js';
import type { Token } from '../pool/token.js';

let now = NOW;
let repository: InMemoryTokenPoolRepository;

beforeEach(() => {
  now = NOW;
  repository = new InMemoryTokenPoolRepository(() => now);
});

const wait = (seconds: number): void => {
  now += seconds * SECOND;
};

const make = (policy: PoolPolicy): Promise<number> => repository.create(policy, (pool) => pool.fill(1000));

/** One transaction; a refusal is answered by its code. */
const decide = async (poolName: string, ...commands: Command<unknown>[]): Promise<unknown[]> => {
  const loads = together(commands.map((command) => command.loads));
  const outcomes = await repository.change(poolName, loads, (pool) => decideBatch(pool, commands));
  return outcomes.map((outcome) =>
    outcome === 'deferred' ? outcome : 'error' in outcome ? outcome.error.code : outcome.value,
  );
};

const times = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make);
const ask = (ttlSeconds?: number): Command<Grant> => allocate({ userId: user(1), ttlSeconds });
const grantsOf = async (poolName: string, n: number): Promise<Grant[]> =>
  (await decide(poolName, ...times(n, () => ask()))) as Grant[];
const generateOne = async (poolName: string): Promise<string> =>
  ((await decide(poolName, generate())) as { id: string }[])[0]!.id;

describe('idle tokens that no sweep has deleted yet', () => {
  const evicting = elastic({ size: 100, ttlSeconds: 900, idleTtlSeconds: 300, onExhausted: 'evict_oldest' });

  test('are handed out like any other, the one that is free for the longest first', async () => {
    await make(elastic({ size: 3, idleTtlSeconds: 300 }));
    const older = await generateOne('elastic');
    wait(200);
    const fresh = await generateOne('elastic');
    wait(101);
    expect((await grantsOf('elastic', 2)).map(({ tokenId }) => tokenId)).toEqual([older, fresh]);
  });

  test('keep a batch from evicting anybody until all of them are handed out', async () => {
    await make(evicting);
    await decide('elastic', ...times(91, () => generate()));
    await grantsOf('elastic', 1);
    wait(300);
    const grants = await grantsOf('elastic', 91);
    expect(grants.map(({ evicted }) => evicted?.fence ?? null)).toEqual([...times(90, () => null), 1]);
  });

  test('that make room for a new one do not take the place of tokens that the batch needs', async () => {
    await make({ ...evicting, size: 6 });
    for (let i = 0; i < 4; i++) await generateOne('elastic');
    await grantsOf('elastic', 1);
    wait(200);
    for (let i = 0; i < 2; i++) await generateOne('elastic');
    wait(101);
    const [made, ...grants] = (await decide('elastic', generate(), ask(), ask())) as [Token, Grant, Grant];
    // Two tokens at least are free for longer than the one that is made.
    expect(grants.map(({ tokenId, evicted }) => [tokenId === made.id, evicted])).toEqual([
      [false, null],
      [false, null],
    ]);
  });

  test('make room for as many new ones', async () => {
    await make(elastic({ size: 70, idleTtlSeconds: 300 }));
    await decide('elastic', ...times(70, () => generate()));
    wait(300);
    const made = await decide('elastic', ...times(71, () => generate()));
    expect(made.filter((value) => typeof value === 'object')).toHaveLength(70);
    expect(made.at(-1)).toBe('pool_limit_reached');
  });
});

describe('overdue leases', () => {
  test('are handed out by deadline when there are more than are loaded', async () => {
    await make(fixed({ size: 200, ttlSeconds: 900 }));
    const ttls = times(200, () => 0).map((_, place) => 1 + ((place * 37) % 200));
    const grants = (await decide('fixed', ...ttls.map(ask))) as Grant[];
    wait(300);
    const inOrder = [...grants].sort((a, b) => a.expiresAt - b.expiresAt).map(({ tokenId }) => tokenId);
    expect((await grantsOf('fixed', 3)).map(({ tokenId }) => tokenId)).toEqual(inOrder.slice(0, 3));
  });

  test('that ended at one instant are handed out in the order of their ids, as free tokens are', async () => {
    await make(fixed({ size: 200 }));
    await grantsOf('fixed', 200);
    wait(300);
    const inOrder = [...repository.look('fixed').tokens.keys()].sort();
    expect((await grantsOf('fixed', 3)).map(({ tokenId }) => tokenId)).toEqual(inOrder.slice(0, 3));
  });

  test('are written down by the requests of a busy pool, fifty a batch beyond what it takes', async () => {
    await make(fixed({ size: 120 }));
    await grantsOf('fixed', 120);
    wait(300);
    await grantsOf('fixed', 1);
    const expired = repository.look('fixed').events.filter(({ event }) => event === 'expired');
    expect(expired.length).toBeGreaterThanOrEqual(51);
  });
});

describe('a batch that names tokens and asks for others', () => {
  test('finds another free token when the ones free for the longest are deleted by it', async () => {
    await make(elastic({ size: 5, idleTtlSeconds: null }));
    const ids: string[] = [];
    for (let i = 0; i < 5; i++, wait(1)) ids.push(await generateOne('elastic'));
    const [grant] = await decide('elastic', ask(), ...ids.slice(0, 4).map((id) => deleteToken(id, false)));
    expect(grant).toMatchObject({ tokenId: ids[4] });
  });

  test('finds the oldest lease when the ones before it are deleted by it', async () => {
    await make(elastic({ size: 5, ttlSeconds: 900, idleTtlSeconds: null, onExhausted: 'evict_oldest' }));
    for (let i = 0; i < 5; i++) await generateOne('elastic');
    const held = await grantsOf('elastic', 5);
    const [grant] = await decide(
      'elastic',
      ask(),
      ...held.slice(0, 3).map(({ tokenId }) => deleteToken(tokenId, true)),
    );
    expect(grant).toMatchObject({ evicted: { fence: 4 } });
  });

  test('evicts the oldest lease of the pool, not the one that is named', async () => {
    await make(fixed({ size: 20 }));
    const held = await grantsOf('fixed', 20);
    const youngest = held[19]!;
    const [grant] = await decide('fixed', ask(), release(youngest.tokenId, { fence: 999 }));
    expect(grant).toMatchObject({ evicted: { fence: 1 } });
  });

  test('takes all that it releases, then all that are free, then the oldest leases', async () => {
    await make(fixed({ size: 8 }));
    const held = await grantsOf('fixed', 6);
    const releases = [3, 4].map((place) => release(held[place]!.tokenId, {}));
    const grants = (await decide('fixed', ...releases, ...times(6, () => ask()))).slice(2) as Grant[];
    expect(grants.map(({ evicted }) => evicted?.fence ?? null)).toEqual([null, null, null, null, 1, 2]);
  });
});

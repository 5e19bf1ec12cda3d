import { decideBatch, type Outcome } from './batch.js';
import { allocate, deleteToken, generate, keepAlive, release, type Command } from './command.js';
import { DomainError } from '../kernel/domain-error.js';
import { elastic, fixed, freeToken, heldToken, poolOf, tokenId, user } from '../testing/given.js';
import type { Grant } from '../pool/requests.js';
import type { TokenPool } from '../pool/token-pool.js';

const ask = (n: number): Command<Grant> => allocate({ userId: user(n) });
const NOBODY = user(1000);

/** A refusal's code, a grant's user, or what else was answered. */
const short = (outcome: Outcome | undefined): unknown => {
  if (outcome === undefined || outcome === 'deferred') return outcome;
  if ('error' in outcome) return outcome.error.code;
  return (outcome.value as Partial<Grant> | undefined)?.userId ?? outcome.value;
};

const kinds = ({ events }: TokenPool): string[] =>
  events.map(({ event, lease }) => (lease ? `${event} ${lease.fence}` : event));

describe('the order inside of a batch', () => {
  const lasting = elastic({ size: 5, idleTtlSeconds: null });

  test('is release, keep-alive, delete, generate, allocate, whatever the order of arrival', () => {
    const pool = poolOf(lasting, [heldToken(1, 1), heldToken(2, 2), heldToken(3, 3)]);
    decideBatch(pool, [
      ask(9),
      generate(),
      deleteToken(tokenId(3), true),
      keepAlive(tokenId(2), { userId: user(2) }),
      release(tokenId(1), {}),
    ]);
    expect(kinds(pool)).toEqual(['released 1', 'renewed 2', 'released 3', 'deleted', 'generated', 'activated 4']);
  });

  test('among commands of one kind is that of arrival', () => {
    const pool = poolOf(fixed(), [freeToken(1, 3), freeToken(2, 2), freeToken(3, 1)]);
    const outcomes = decideBatch(pool, [ask(7), ask(8), ask(9)]);
    expect(outcomes).toMatchObject([7, 8, 9].map((n, place) => ({ value: { userId: user(n), fence: place + 1 } })));
  });

  test('evicts nobody for a token that is just coming back', () => {
    const pool = poolOf(fixed(), [heldToken(1, 1), heldToken(2, 2)]);
    const [granted] = decideBatch(pool, [ask(9), release(tokenId(2), {})]);
    expect(granted).toMatchObject({ value: { tokenId: tokenId(2), evicted: null } });
  });

  test('keeps a lease alive for its holder although it goes to a stranger next', () => {
    const pool = poolOf(fixed({ renewable: true }), [heldToken(1, 1)]);
    const outcomes = decideBatch(pool, [ask(9), keepAlive(tokenId(1), { userId: user(1) })]);
    expect(outcomes).toMatchObject([{ value: { evicted: { fence: 1 } } }, { value: { fence: 1 } }]);
    expect(kinds(pool)).toEqual(['renewed 1', 'released 1', 'activated 2']);
  });
});

describe('the answers of a batch', () => {
  test('are in the order of arrival', () => {
    const pool = poolOf(fixed(), [heldToken(1, 1), freeToken(2)]);
    const outcomes = decideBatch(pool, [
      ask(7),
      release(tokenId(1), { userId: NOBODY }),
      ask(8),
      release(tokenId(1), {}),
    ]);
    expect(outcomes.map(short)).toEqual([user(7), 'stale_lease', user(8), 'available']);
  });

  test('of no command are none', () => {
    expect(decideBatch(poolOf(fixed(), []), [])).toEqual([]);
  });
});

describe('a command that is refused', () => {
  test('does not touch its neighbours', () => {
    const policy = elastic({ size: 2, idleTtlSeconds: null });
    const tokens = () => [heldToken(1, 1), freeToken(2)];
    const refused = [
      release(tokenId(1), { userId: NOBODY }),
      keepAlive(tokenId(2), { userId: NOBODY }),
      deleteToken(tokenId(1), false),
      generate(),
    ];
    const [alone, among] = [poolOf(policy, tokens()), poolOf(policy, tokens())];
    decideBatch(alone, [ask(9)]);
    const outcomes = decideBatch(among, [...refused, ask(9), ...refused]);
    expect(outcomes.map(short)).toEqual([
      'stale_lease',
      'token_not_active',
      'token_in_use',
      'pool_limit_reached',
      user(9),
      'stale_lease',
      'token_not_active',
      'token_in_use',
      'pool_limit_reached',
    ]);
    expect(kinds(among)).toEqual(kinds(alone));
    expect(among.state).toEqual(alone.state);
  });

  test('does not stop those behind it', () => {
    const pool = poolOf(fixed({ onExhausted: 'reject' }), [freeToken(1), heldToken(2, 1)]);
    const outcomes = decideBatch(pool, [release(tokenId(9), {}), ask(7), release(tokenId(2), {}), ask(8)]);
    expect(outcomes.map(short)).toEqual(['token_deleted', user(7), 'available', user(8)]);
  });

  test('at its last step has done none of the others: state, events, answers and policy are as before', () => {
    const fair = { maxPerUser: 2, onExhausted: 'evict_oldest', evict: 'over_share_first' } as const;
    const policy = elastic({ size: 5, idleTtlSeconds: null, ...fair });
    const tokens = () => [heldToken(1, 1), heldToken(2, 2), freeToken(3)];
    const several: Command<never> = {
      ...ask(7),
      decide: (pool) => {
        pool.release(tokenId(1), {});
        pool.allocate({ userId: user(7) });
        pool.generate();
        pool.delete(tokenId(2), true);
        pool.changePolicy({ ttlSeconds: 7 });
        const name = { useCase: 'several', key: 'k' };
        pool.idempotencyRecords.add(name, { key: 'k', fingerprint: 'f', onReplay: () => undefined }, 'done');
        throw new DomainError('pool_exhausted', 'there are too few');
      },
    };
    const askers = { users: [7, 8, 9].map(user) };
    const [alone, among] = [poolOf(policy, tokens(), askers), poolOf(policy, tokens(), askers)];
    expect(decideBatch(among, [several]).map(short)).toEqual(['pool_exhausted']);
    expect(among).toMatchObject({ state: alone.state, events: [], idempotencyRecords: { added: [] } });
    expect([...among.changed, ...among.generated, ...among.deleted]).toEqual([]);
    const others = [ask(7), several, ask(8), ask(9)];
    expect(decideBatch(among, others).map(short)).toEqual([user(7), 'pool_exhausted', user(8), user(9)]);
    decideBatch(alone, [ask(7), ask(8), ask(9)]);
    expect(kinds(among)).toEqual(kinds(alone));
    expect(among.state).toEqual(alone.state);
  });

  test('by a failure that is none of the domain fails the whole batch', () => {
    const bug: Command<never> = {
      ...release(tokenId(1), {}),
      decide: () => {
        throw new TypeError('a bug');
      },
    };
    expect(() => decideBatch(poolOf(fixed(), [freeToken(1)]), [ask(7), bug])).toThrow('a bug');
  });
});

describe('more callers than tokens', () => {
  const callers = Array.from({ length: 24 }, (_, n) => ask(n));

  test('are deferred as soon as each token is granted once, so that no grant is evicted by its own batch', () => {
    const pool = poolOf(fixed({ size: 3 }), [heldToken(1, 1), heldToken(2, 2), freeToken(3)]);
    const outcomes = decideBatch(pool, callers);
    expect(outcomes.map(short)).toEqual([user(0), user(1), user(2), ...Array<string>(21).fill('deferred')]);
    expect(kinds(pool)).toEqual(['activated 3', 'released 1', 'activated 4', 'released 2', 'activated 5']);
  });

  test('are all refused, none deferred, where nothing can be granted', () => {
    const full = poolOf(fixed({ size: 2, onExhausted: 'reject' }), [heldToken(1, 1), heldToken(2, 2)]);
    expect(new Set(decideBatch(full, callers).map(short))).toEqual(new Set(['pool_exhausted']));
    const empty = poolOf(elastic({ onExhausted: 'evict_oldest' }), []);
    expect(new Set(decideBatch(empty, callers).map(short))).toEqual(new Set(['pool_exhausted']));
  });

  test('are deferred only where the batch has granted as many as there are tokens, not where it has made more', () => {
    const pool = poolOf(elastic({ size: 2, idleTtlSeconds: null }), [freeToken(1)]);
    expect(
      decideBatch(pool, [ask(1), ask(2), ask(3), generate()])
        .map(short)
        .slice(0, 3),
    ).toEqual([user(1), user(2), 'deferred']);
  });

  test('leave the other commands of their batch alone', () => {
    const pool = poolOf(fixed({ size: 1 }), [heldToken(1, 1)]);
    const outcomes = decideBatch(pool, [ask(1), ask(2), release(tokenId(1), {})]);
    expect(outcomes.map(short)).toEqual([user(1), 'deferred', 'available']);
  });
});

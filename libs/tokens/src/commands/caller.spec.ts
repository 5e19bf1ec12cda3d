import { allocate, keepAlive, release } from './command.js';
import { decideBatch } from './batch.js';
import type { Caller } from '../kernel/caller.js';
import { fixed, freeToken, heldToken, poolOf, refusalOf, tokenId, user } from '../testing/given.js';

const holder: Caller = { keyId: 'holder', requestId: 'request-1', pools: null, mayOperate: false };
const stranger: Caller = { ...holder, keyId: 'stranger' };
const operator: Caller = { ...stranger, keyId: 'operator', mayOperate: true };

/** Token 1, held by `holder`. */
function held(policy = fixed({ size: 1, renewable: true })) {
  const pool = poolOf(policy, [freeToken(1)]);
  pool.caller = holder;
  return { pool, lease: pool.allocate({ userId: user(1) }) };
}

test('a lease belongs to the key that took it, and the event names key and request', () => {
  const { pool, lease } = held();
  expect(lease.keyId).toBe('holder');
  expect(pool.events).toMatchObject([{ event: 'activated', actor: 'holder', requestId: 'request-1' }]);
});

test('the caller that evicts a lease is the actor of its end; the lease stays that of its key', () => {
  const { pool } = held();
  pool.caller = operator;
  pool.allocate({ userId: user(2) });
  expect(pool.events[1]).toMatchObject({ reason: 'lru_eviction', actor: 'operator', lease: { keyId: 'holder' } });
});

test('without a key the actor is `open`; what the clock decides, and the service itself, is `system`', () => {
  const pool = poolOf(fixed({ size: 3 }), [heldToken(1, 1, -5), freeToken(2)]);
  pool.fill(1);
  const commands = [allocate({ userId: user(3) })];
  decideBatch(pool, commands);
  expect(pool.events.map(({ event, actor, requestId }) => [event, actor, requestId])).toEqual([
    ['generated', 'system', null],
    ['expired', 'system', null],
    ['activated', 'open', null],
  ]);
});

test('each command of a batch acts for its own caller', () => {
  const pool = poolOf(fixed({ size: 2 }), [freeToken(1), freeToken(2)]);
  decideBatch(pool, [allocate({ userId: user(1) }, holder), allocate({ userId: user(2) }, stranger)]);
  expect(pool.events.map(({ actor }) => actor)).toEqual(['holder', 'stranger']);
});

test.each([
  ['by nothing', () => ({})],
  ['by its handle', ({ leaseId }: { leaseId: string }) => ({ leaseId })],
  ['by its user', () => ({ userId: user(1) })],
])("another key's lease, claimed %s, is refused as if there were none", (_, claimOf) => {
  const { pool, lease } = held();
  const free = held();
  free.pool.release(tokenId(1), {});
  for (const command of [release, keepAlive]) {
    const claim = claimOf(lease);
    pool.caller = free.pool.caller = stranger;
    const foreign = refusalOf(() => command(tokenId(1), claim).decide(pool));
    const unknown = refusalOf(() => command(tokenId(1), claim).decide(free.pool));
    expect([foreign.code, foreign.message]).toEqual([unknown.code, unknown.message]);
  }
  expect(pool.events).toHaveLength(1);
});

test('a key that may operate ends and renews the leases of others', () => {
  const { pool } = held();
  pool.caller = operator;
  pool.keepAlive(tokenId(1), { userId: user(1) });
  pool.release(tokenId(1), {});
  expect(pool.events.slice(1).map(({ event, actor }) => [event, actor])).toEqual([
    ['renewed', 'operator'],
    ['released', 'operator'],
  ]);
});

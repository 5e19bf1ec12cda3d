// The exam of the line: in memory, and on PostgreSQL. Each scenario ends with the auditor.

import {
  ANYBODY,
  sweep,
  toIso,
  type Caller,
  type DomainError,
  type LineService,
  type OpenGrant,
  type OwnedTicket,
  type PlaceRequest,
  type PolicyChange,
  type PoolKind,
} from '@app/tokens';
import { inMemory, onPostgres, type Candidate } from '../support/candidate.js';
import { audit, wholeFeed } from '../support/service.js';

const user = (n: number): string => `c0ffee00-0000-4000-8000-${String(n).padStart(12, '0')}`;
const key = (keyId: string): Caller => ({ keyId, requestId: null, pools: null, mayOperate: false });

const code = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: DomainError) => error.code,
  );

describe.each<[string, () => Promise<Candidate>]>([
  ['in memory', inMemory],
  ['of PostgreSQL', onPostgres],
])('the line %s', (_name, start) => {
  let candidate: Candidate;
  let line: LineService;
  let pool: string;
  let pools = 0;

  beforeAll(async () => {
    candidate = await start();
    ({ line } = candidate);
  });
  afterAll(() => candidate.close());
  afterEach(async () => expect(await audit(candidate.readers, pool)).toEqual([]));

  /** A pool of two tokens, whose leases last for 60 seconds and cannot be renewed. */
  const open = async (policy: PolicyChange = {}, kind: PoolKind = 'fixed'): Promise<void> => {
    pool = `pool-${++pools}`;
    const defaults = { size: 2, ttlSeconds: 60, onExhausted: 'reject' as const, maxWaiting: 10 };
    await candidate.service.createPool(pool, kind, { ...defaults, ...policy });
  };
  const take = (n: number): Promise<OpenGrant> => candidate.service.allocate(pool, { userId: user(n) });
  const queue = (n: number, request: Partial<PlaceRequest> = {}, caller = ANYBODY): Promise<OwnedTicket> =>
    line.queue(pool, { userId: user(n), count: 1, ...request }, { caller });
  const claim = (ticket: { id: string }, caller = ANYBODY) => line.claim(pool, ticket.id, 0, { caller });
  const ticket = (of: { id: string }): Promise<OwnedTicket> => candidate.readers.lines.ticket(of.id);
  const release = ({ tokenId, leaseId }: OpenGrant): Promise<unknown> =>
    candidate.service.release(tokenId, { leaseId });
  const states = async (tickets: readonly { id: string }[]): Promise<string[]> =>
    (await Promise.all(tickets.map(ticket))).map(({ status, end_reason }) => end_reason ?? status);
  const serve = () => sweep(candidate.repository, candidate.executor);
  const events = async (): Promise<string[]> =>
    (await wholeFeed(candidate.readers.feed, pool))
      .filter(({ event }) => event !== 'generated')
      .map(({ event, reason }) => (reason === null ? event : `${event} ${reason}`));

  test('offers a token that is given back to the first, and passes nobody', async () => {
    await open();
    const held = [await take(1), await take(2)];
    const [a, b] = [await queue(3), await queue(4)];
    expect([a, b].map(({ status, position, waiting }) => [status, position, waiting])).toEqual([
      ['waiting', 1, 1],
      ['waiting', 2, 2],
    ]);
    await release(held[0]!);
    expect(await states([a, b])).toEqual(['offered', 'waiting']);
    expect(await code(take(5))).toBe('pool_exhausted');
    const grants = await claim(a);
    expect(grants).toMatchObject([{ userId: user(3), tokenId: held[0]!.tokenId, evicted: null }]);
    expect(await claim(a)).toEqual(grants);
    expect((await ticket(b)).position).toBe(1);
    await release(held[1]!);
    expect(await states([a, b])).toEqual(['granted', 'offered']);
    expect((await events()).slice(2)).toEqual([
      'queued',
      'queued',
      'released released_by_client',
      'activated offered',
      'renewed claimed',
      'released released_by_client',
      'activated offered',
    ]);
  });

  test('tells a refused caller the position and the promise that it would have', async () => {
    await open({ size: 1 });
    const { expiresAt } = await take(1);
    const refused = (await take(2).catch((error: DomainError) => error)) as DomainError;
    expect(refused.facts.fields).toEqual({ position_if_queued: 1, not_later_than_if_queued: toIso(expiresAt) });
    const { not_later_than } = await queue(2);
    expect(not_later_than).toBe(toIso(expiresAt));
    const next = (await take(3).catch((error: DomainError) => error)) as DomainError;
    expect(next.facts.fields).toEqual({
      position_if_queued: 2,
      not_later_than_if_queued: toIso(expiresAt + 70_000_000),
    });
  });

  test('offers at once what is free, and counts the time of the lease from the claim', async () => {
    await open();
    const mine = await queue(1);
    expect(mine).toMatchObject({ status: 'offered', position: null, waiting: 0 });
    await candidate.advance(9);
    const [grant] = (await claim(mine))!;
    expect(grant!.expiresAt - grant!.activatedAt).toBeGreaterThanOrEqual(69_000_000);
  });

  test('ends an offer that nobody claims, and offers the token to the next', async () => {
    await open({ size: 1 });
    const held = await take(1);
    const [a, b] = [await queue(2), await queue(3, {})];
    await release(held);
    await candidate.advance(11);
    expect(await states([a, b])).toEqual(['unclaimed', 'waiting']);
    await serve();
    expect(await states([a, b])).toEqual(['unclaimed', 'offered']);
    expect(await code(claim(a))).toBe('ticket_ended');
    expect((await events()).slice(4)).toEqual(['activated offered', 'expired unclaimed', 'activated offered']);
  });

  test.each(['given back', 'broken by a token that is deleted'])(
    'serves as many as an offer of several tokens that is %s had',
    async (how) => {
      await open({ size: 80, maxWaiting: 100 }, 'elastic');
      for (let n = 0; n < 80; n++) await candidate.service.generate(pool);
      const all = await queue(1, { count: 80 });
      const [first] = await candidate.readers.tokens
        .tokens({ poolName: pool, status: 'all', limit: 1 })
        .then(({ tokens }) => tokens);
      const others = await Promise.all(Array.from({ length: 80 }, (_, n) => queue(2 + n)));
      expect(await states([all, ...others])).toEqual(['offered', ...others.map(() => 'waiting')]);
      if (how === 'given back') await line.cancel(all.id, undefined);
      else await candidate.service.delete(first!.id, true);
      const served = (await states(others)).filter((state) => state === 'offered');
      expect(served).toHaveLength(how === 'given back' ? 80 : 79);
    },
  );

  test('ends the place of somebody who shows no sign of life, and counts claims as one', async () => {
    await open({ size: 1 });
    await take(1);
    const [a, b] = [await queue(2), await queue(3)];
    await candidate.advance(20);
    expect(await claim(b)).toBeNull();
    await candidate.advance(15);
    expect(await states([a, b])).toEqual(['patience', 'waiting']);
    expect(await ticket(b)).toMatchObject({ position: 1, waiting: 1 });
    expect(await code(claim(a))).toBe('ticket_ended');
    await serve();
    expect((await events()).slice(1)).toEqual(['queued', 'queued', 'left patience']);
  });

  test('keeps tokens together for somebody who wants several, all or none', async () => {
    await open({ size: 3 });
    const held = [await take(1), await take(2), await take(3)];
    const [three, one] = [await queue(4, { count: 3 }), await queue(5)];
    await release(held[0]!);
    await release(held[1]!);
    expect(await states([three, one])).toEqual(['waiting', 'waiting']);
    await release(held[2]!);
    expect(await states([three, one])).toEqual(['offered', 'waiting']);
    const grants = (await claim(three))!;
    expect(new Set(grants.map(({ tokenId }) => tokenId)).size).toBe(3);
    await release(grants[0]!);
    expect(await states([one])).toEqual(['offered']);
    expect(await code(queue(6, { count: 4 }))).toBe('unsatisfiable');
  });

  test('ends all leases of an offer for several when one of them is ended', async () => {
    await open();
    const both = await queue(1, { count: 2 });
    const { tokens } = await candidate.readers.tokens.tokens({ poolName: pool, status: 'active', limit: 10 });
    await candidate.service.release(tokens[0]!.id, { force: true });
    expect(await states([both])).toEqual(['revoked']);
    expect((await candidate.readers.pools.pool(pool)).counts.active).toBe(0);
  });

  test('grants several tokens at once without waiting, or none', async () => {
    await open();
    const request = { userId: user(1), count: 2 };
    expect(await line.allocate(pool, request, undefined)).toMatchObject({ grants: [{}, {}] });
    expect(await code(line.allocate(pool, { ...request, count: 1 }, undefined))).toBe('pool_exhausted');
    expect(await line.allocate(pool, { ...request, count: 1 }, 0)).toHaveProperty('ticketId');
  });

  test('lets a token pass to somebody behind who wants it, where the first wants another', async () => {
    await open({ size: 10, releaseAuthority: 'anyone' }, 'listed');
    const things = ['de', 'fr'].map((country) => ({ name: country, attributes: { country } }));
    await candidate.service.importThings(pool, things, false);
    const held = [await take(1), await take(2)];
    const [de, fr, any] = [
      await queue(3, { select: { country: 'de' } }),
      await queue(4, { select: { country: 'fr' } }),
      await queue(5),
    ];
    const french = held.find(({ name }) => name === 'fr')!;
    await release(french);
    expect(await states([de, fr, any])).toEqual(['waiting', 'offered', 'waiting']);
    await release(held.find(({ name }) => name === 'de')!);
    expect(await states([de, fr, any])).toEqual(['offered', 'offered', 'waiting']);
    await line.cancel(fr.id, undefined);
    expect(await states([any])).toEqual(['offered']);
    expect(await code(queue(6, { select: { country: 'it' } }))).toBe('unsatisfiable');
  });

  test('gives a place back, and what it is offered', async () => {
    await open({ size: 1 });
    const held = await take(1);
    const [a, b, c] = [await queue(2), await queue(3), await queue(4)];
    await line.cancel(b.id, 'no longer');
    await release(held);
    await line.cancel(a.id, undefined);
    expect(await states([a, b, c])).toEqual(['released_by_client', 'cancelled', 'offered']);
    expect(await code(line.cancel(b.id, undefined))).toBe('ticket_ended');
  });

  test('says that an operator has removed a place, or what it was offered', async () => {
    await open({ size: 1 });
    const held = await take(1);
    const [a, b] = [await queue(2, {}, key('ci')), await queue(3, {}, key('ci'))];
    const operator = { ...key('admin'), mayOperate: true };
    await line.cancel(b.id, 'stuck', { caller: operator });
    await release(held);
    await line.cancel(a.id, undefined, { caller: operator });
    expect(await states([a, b])).toEqual(['revoked', 'cleared']);
    expect(await code(line.cancel(a.id, undefined, { caller: key('other') }))).toBe('ticket_not_found');
  });

  test('limits the line, the places of a user, and leases and places together', async () => {
    await open({ size: 1, maxWaiting: 2, maxPerUser: 2 });
    await take(1);
    await queue(1);
    expect(await code(queue(1))).toBe('quota_exceeded');
    await queue(2);
    expect(await code(queue(3))).toBe('line_full');
    await open({ maxPerUser: 2, maxWaitingPerUser: 5 });
    await take(1);
    await take(2);
    await queue(1);
    expect(await code(queue(1))).toBe('quota_exceeded');
    expect(await code(queue(3, { count: 2 }))).toBe('ok');
    expect(await code(queue(3))).toBe('quota_exceeded');
  });

  test('lets nobody wait without a line', async () => {
    await open({ maxWaiting: 0 });
    expect(await code(queue(1))).toBe('line_full');
    await take(1);
    await take(2);
    expect(await code(line.allocate(pool, { userId: user(3), count: 1 }, 5))).toBe('pool_exhausted');
  });

  test('shows a ticket of another key as if there were none', async () => {
    await open();
    const mine = await queue(1, {}, key('ann'));
    expect(await code(claim(mine, key('ben')))).toBe('ticket_not_found');
    expect(await code(claim(mine, key('ann')))).toBe('ok');
    expect(await code(line.claim(pool, user(1), 0))).toBe('ticket_not_found');
  });

  test('keeps places while the pool is paused, promises nothing, and goes on when it is opened', async () => {
    await open({ size: 1 });
    const held = await take(1);
    const waiting = await queue(2);
    await candidate.service.changePool(pool, { status: 'paused' });
    expect(await code(queue(3))).toBe('pool_paused');
    expect(await ticket(waiting)).toMatchObject({ status: 'waiting', not_later_than: null });
    await release(held);
    expect(await states([waiting])).toEqual(['waiting']);
    await candidate.service.changePool(pool, { status: 'open' });
    expect(await states([waiting])).toEqual(['offered']);
    expect((await events()).filter((event) => event === 'promised')).toHaveLength(1);
  });

  test('records a later promise where an operator takes a token away', async () => {
    await open({ renewable: false }, 'listed');
    await candidate.service.importThings(pool, [{ name: 'a' }, { name: 'b' }], false);
    const [a] = [await take(1)];
    await candidate.advance(5);
    const b = await take(2);
    const waiting = await queue(3);
    expect(waiting.not_later_than).toBe(toIso(a.expiresAt));
    await candidate.service.deleteWhenFree(a.tokenId);
    expect((await ticket(waiting)).not_later_than).toBe(toIso(b.expiresAt));
    await candidate.service.deleteWhenFree(b.tokenId);
    expect((await ticket(waiting)).not_later_than).toBeNull();
  });

  test('promises nothing where leases have no hard end, and keeps a hard end that was fixed', async () => {
    await open({ size: 1, renewable: true, maxLifetimeSeconds: 100 });
    const held = await take(1);
    const waiting = await queue(2);
    expect(waiting.not_later_than).toBe(toIso(held.activatedAt + 100_000_000));
    await candidate.service.changePool(pool, { maxLifetimeSeconds: null });
    await candidate.advance(50);
    const { expiresAt } = await candidate.service.keepAlive(held.tokenId, { leaseId: held.leaseId });
    expect(expiresAt).toBe(held.activatedAt + 100_000_000);
    // The place before this one may keep the token for ever.
    await queue(3);
    expect((await queue(4)).not_later_than).toBeNull();
  });

  test('evicts for the first in the line as soon as a lease is not protected', async () => {
    await open({ size: 1, onExhausted: 'evict_oldest', protectSeconds: 20 });
    const held = await take(1);
    const waiting = await queue(2);
    expect(waiting.not_later_than).toBe(toIso(held.expiresAt));
    await candidate.advance(21);
    await serve();
    expect(await states([waiting])).toEqual(['offered']);
    expect(await code(take(3))).toBe('pool_exhausted');
    expect((await events()).slice(2)).toEqual(['released lru_eviction', 'activated offered']);
  });

  test('leaves idle tokens alone while somebody waits', async () => {
    await open({ size: 3, idleTtlSeconds: 5 }, 'elastic');
    await candidate.service.generate(pool);
    const waiting = await queue(1, { count: 2 });
    await candidate.advance(10);
    await serve();
    await candidate.service.generate(pool);
    expect(await states([waiting])).toEqual(['offered']);
  });

  test('says why there is nothing for somebody who does not wait', async () => {
    const detail = (work: Promise<unknown>): Promise<string> => work.then(String, ({ message }: Error) => message);
    await open({ size: 1, onExhausted: 'evict_oldest' });
    const offered = await queue(1);
    expect(await detail(take(2))).toBe(
      `no token of pool ${pool} is free, and the pool evicts no lease that is offered, nor one whose token goes with it`,
    );
    await claim(offered);
    expect(await detail(line.cancel(offered.id, undefined))).toBe(
      `ticket ${offered.id} was granted, so there is no place to give back: release its lease`,
    );
    await open();
    const [held] = [await take(1), await take(2)];
    await queue(3, { count: 2 });
    await release(held);
    expect(await detail(take(4))).toBe(
      `no token of pool ${pool} is free for anybody who does not wait in line, and the pool does not evict`,
    );
    await open({ maxWaiting: 0 });
    expect(await detail(queue(1))).toBe(`nobody may wait for pool ${pool}: its max_waiting is 0`);
  });

  test('names each pool in which somebody waits to the sweep, after which a process knows when to serve it', async () => {
    await open({ size: 1 });
    await take(1);
    expect(await candidate.repository.poolsToSweep()).not.toContain(pool);
    await queue(2);
    expect(await candidate.repository.poolsToSweep()).toContain(pool);
  });

  test('clears the line of a pool that is deleted', async () => {
    await open({ size: 1 });
    const offered = await queue(1);
    const waiting = await queue(2);
    await candidate.service.deletePool(pool, true);
    expect(await states([offered, waiting])).toEqual(['pool_deleted', 'cleared']);
    await candidate.service.createPool(pool, 'fixed', { size: 1, maxWaiting: 1 });
    await queue(3);
  });

  test('shows the line in order, page by page', async () => {
    await open({ size: 1, maxWaiting: 10 });
    const offered = await queue(1);
    const others = [await queue(2), await queue(3), await queue(4)];
    const { lines } = candidate.readers;
    const first = await lines.line(pool, { limit: 2 });
    const rest = await lines.line(pool, { limit: 2, cursor: first.next_cursor! });
    expect([...first.tickets, ...rest.tickets].map(({ id, position }) => [id, position])).toEqual([
      [offered.id, null],
      ...others.map(({ id }, at) => [id, at + 1]),
    ]);
    expect(rest.next_cursor).toBeNull();
    expect((await lines.ages()).find((one) => one.pool === pool)?.waiting).toBe(3);
    expect(await code(lines.line('nowhere', { limit: 1 }))).toBe('pool_not_found');
  });

  test('answers an idempotent request with the same ticket', async () => {
    await open({ size: 1 });
    await take(1);
    const idempotency = { key: 'k', fingerprint: 'f', onReplay: () => undefined };
    const request = { userId: user(2), count: 1 };
    const first = await line.queue(pool, request, { idempotency });
    expect((await line.queue(pool, request, { idempotency })).id).toBe(first.id);
    const waiting = { ...request, userId: user(3) };
    const second = await line.allocate(pool, waiting, 5, { idempotency });
    expect(await line.allocate(pool, waiting, 5, { idempotency })).toEqual(second);
  });

  test('deletes tickets that are over after a day', async () => {
    await open();
    const mine = await queue(1);
    await claim(mine);
    await candidate.advance(24 * 3600 + 120);
    await serve();
    expect(await code(ticket(mine))).toBe('ticket_not_found');
  });

  test('serves in order who polls from far behind, when more tokens can be evicted than a transaction serves', async () => {
    await open({
      size: 60,
      maxWaiting: 100,
      onExhausted: 'evict_oldest',
      ttlSeconds: 600,
      protectSeconds: 30,
      patienceSeconds: 1000,
    });
    await Promise.all(Array.from({ length: 60 }, (_, n) => take(n)));
    const tickets = await Promise.all(Array.from({ length: 60 }, (_, n) => queue(n + 100)));
    await candidate.advance(31);
    await claim(tickets[57]!);
    expect((await states(tickets)).indexOf('waiting')).toBeGreaterThan(40);
    await serve();
    expect(await states(tickets)).toEqual(tickets.map(() => 'offered'));
  });

  test('serves many who wait in the order of their places', async () => {
    await open({ size: 3, maxWaiting: 100, patienceSeconds: 10_000 });
    await Promise.all([1, 2, 3].map(take));
    const tickets = await Promise.all(Array.from({ length: 40 }, (_, n) => queue(n + 4)));
    const order: string[] = [];
    for (let served = 0; served < 40;) {
      await candidate.advance(61);
      await serve();
      for (const one of tickets) {
        if (order.includes(one.id) || (await ticket(one)).status !== 'offered') continue;
        order.push(one.id);
        served++;
        await claim(one);
      }
    }
    expect(order).toEqual(tickets.map(({ id }) => id));
  });

  test.each([1, 2, 3, 4])('passes nobody when leases end after the reading %i of the clock', async (readings) => {
    await open({ size: 4, maxWaiting: 100, patienceSeconds: 1000 });
    await Promise.all([1, 2, 3, 4].map(take));
    const tickets = [await queue(5), await queue(6), await queue(7), await queue(8)];
    await candidate.advanceAfter(readings, 61);
    await claim(tickets[3]!);
    await serve();
    expect(await states(tickets)).toEqual(tickets.map(() => 'offered'));
    await candidate.advanceAfter(0, 0);
    await candidate.advance(70);
  });
});

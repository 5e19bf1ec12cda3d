// Listed pools: what is put in, changed, selected and taken out. Both implementations of the ports sit this exam.

import { randomBytes } from 'node:crypto';
import {
  DomainError,
  SecretBox,
  sweep,
  TokenPoolService,
  type Idempotency,
  type PlainThing,
  type PolicyChange,
  type Selector,
} from '@app/tokens';
import { inMemory, onPostgres, type Candidate } from '../support/candidate.js';
import { audit, wholeFeed } from '../support/service.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';
const BEN = 'c0ffee00-0000-4000-8000-000000000002';
const SECRETS = new SecretBox([randomBytes(32)]);

describe.each<[string, (secrets: SecretBox) => Promise<Candidate>]>([
  ['in memory', inMemory],
  ['in PostgreSQL', onPostgres],
])('things %s', (_name, start) => {
  let candidate: Candidate;
  let service: TokenPoolService;
  let pool: string;
  let pools = 0;

  beforeAll(async () => {
    candidate = await start(SECRETS);
    ({ service } = candidate);
  });
  afterEach(async () => expect(await audit(candidate.readers, pool)).toEqual([]));
  afterAll(() => candidate.close());

  const newPool = async (given: PolicyChange = {}): Promise<void> => {
    pool = `pool-${++pools}`;
    await service.createPool(pool, 'listed', given);
  };
  const put = (things: readonly PlainThing[], deletesMissing = false) =>
    service.importThings(pool, things, deletesMissing);
  const take = (select?: Selector, userId = ANN, ttlSeconds?: number) =>
    service.allocate(pool, { userId, select, ttlSeconds });
  const refusal = async (work: Promise<unknown>): Promise<DomainError> => {
    const error: unknown = await work.then(
      (value) => new Error(`it was done: ${JSON.stringify(value)}`),
      (reason: unknown) => reason,
    );
    if (!(error instanceof DomainError)) throw error;
    return error;
  };
  const code = async (work: Promise<unknown>): Promise<string> => (await refusal(work)).code;
  const feed = () => wholeFeed(candidate.readers.feed, pool);
  /** The events since a seq, in short. */
  const events = async (after = 0): Promise<unknown[]> =>
    (await feed())
      .filter(({ seq }) => seq > after)
      .map(({ event, reason, metadata }) => {
        const given = Object.entries(metadata).filter(([key]) => key !== 'user_id' && key !== 'reason');
        return [event, reason, Object.fromEntries(given)];
      });
  const lastSeq = async (): Promise<number> => (await candidate.readers.pools.pool(pool)).last_seq;

  const A = { name: 'a', attributes: { country: 'de', os: 14, sim: true } };
  const B = { name: 'b', attributes: { country: 'de', os: 15 } };
  const C = { name: 'c', attributes: { country: 'at', os: 15, sim: false } };

  test('are put in once, changed where they differ, and the same list twice changes nothing', async () => {
    await newPool();
    expect(await put([A, B])).toEqual({ added: 2, changed: 0, unchanged: 0, deleted: 0, draining: 0 });
    const seq = await lastSeq();
    expect(await put([B, A])).toEqual({ added: 0, changed: 0, unchanged: 2, deleted: 0, draining: 0 });
    expect(await put([{ name: 'a' }])).toMatchObject({ unchanged: 1 });
    expect(await lastSeq()).toBe(seq);
    expect(await put([A, { ...B, attributes: { os: 16 } }, C])).toMatchObject({ added: 1, changed: 1, unchanged: 1 });
    expect(await events()).toEqual([
      ['generated', null, A],
      ['generated', null, B],
      ['described', null, { before: { attributes: B.attributes }, after: { attributes: { os: 16 } } }],
      ['generated', null, C],
    ]);
  });

  test('are granted longest free first, with name and attributes', async () => {
    await newPool();
    await put([A]);
    await candidate.advance(1);
    await put([B]);
    expect(await take()).toMatchObject(A);
    expect(await take()).toMatchObject({ ...B, evicted: null, secret: null });
    expect(await code(take())).toBe('pool_exhausted');
  });

  test('are selected by values, by lists of values, and by what they do not have', async () => {
    await newPool();
    await put([A, B, C]);
    const named = async (select: Selector): Promise<string> => {
      const { name, tokenId, leaseId } = await take(select);
      await service.release(tokenId, { leaseId });
      return name as string;
    };
    expect(await named({ country: 'at' })).toBe('c');
    expect(await named({ country: 'de', os: [15, 16] })).toBe('b');
    expect(await named({ sim: null })).toBe('b');
    expect(await named({ sim: false })).toBe('c');
    expect(await named({ os: 14, sim: true })).toBe('a');
    const nothing: Selector[] = [{ country: 'fr' }, { os: '14' }, { sim: true, country: ['x', 'y'] }, { brand: 'x' }];
    for (const none of nothing) {
      expect(await code(take(none))).toBe('unsatisfiable');
    }
  });

  test('that are selected and held are refused until a matching lease ends', async () => {
    await newPool({ renewable: false });
    await put([A, B, C]);
    await take({ os: 15 }, ANN, 50);
    await take({ os: 15 }, ANN, 20);
    const { code, facts } = await refusal(take({ os: 15 }));
    expect([code, facts.retryAfterSeconds]).toEqual(['pool_exhausted', 20]);
    await candidate.advance(21);
    expect(await take({ os: 15 })).toMatchObject({ userId: ANN, fence: 3 });
  });

  test('that are asked for by name or id are never taken from their holder', async () => {
    await newPool({ onExhausted: 'evict_oldest', renewable: false });
    await put([A, B]);
    const held = await service.allocate(pool, { userId: ANN, name: 'b', ttlSeconds: 30 });
    expect(held).toMatchObject(B);
    const { code: why, facts } = await refusal(service.allocate(pool, { userId: BEN, name: 'b' }));
    expect([why, facts.retryAfterSeconds]).toEqual(['token_in_use', 30]);
    expect(await code(service.allocate(pool, { userId: BEN, tokenId: held.tokenId }))).toBe('token_in_use');
    expect(await code(service.allocate(pool, { userId: BEN, name: 'x' }))).toBe('token_not_found');
    await candidate.advance(31);
    expect(await service.allocate(pool, { userId: BEN, tokenId: held.tokenId })).toMatchObject({ ...B, userId: BEN });
  });

  test('a full pool that evicts ends the oldest lease of those that match', async () => {
    await newPool({ onExhausted: 'evict_oldest' });
    await put([A, B, C]);
    for (const name of ['c', 'b', 'a']) await service.allocate(pool, { userId: ANN, name });
    const seq = await lastSeq();
    const granted = await take({ country: 'de' }, BEN);
    expect(granted).toMatchObject({ ...B, evicted: { fence: 2 } });
    expect(await events(seq)).toEqual([
      ['released', 'selected_eviction', { select: { country: 'de' } }],
      ['activated', 'allocated_after_eviction', {}],
    ]);
    expect(await code(take({ country: 'fr' }))).toBe('unsatisfiable');
  });

  test('several callers at once who match one thing are granted it one after the other', async () => {
    await newPool({ onExhausted: 'evict_oldest' });
    await put([A, B, C]);
    const grants = await Promise.all(Array.from({ length: 5 }, () => take({ country: 'at' })));
    expect(grants.map(({ name }) => name)).toEqual(Array(5).fill('c'));
    expect(grants.filter(({ evicted }) => evicted)).toHaveLength(4);
  });

  test('a caller who selects and one who does not get different things at once', async () => {
    await newPool();
    await put([A, B, C]);
    const grants = await Promise.all([take(), take({ country: 'de' }), take({ country: 'de' })]);
    expect(grants.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
  });

  test('a caller who does not select evicts the oldest lease, whatever those who select take at once', async () => {
    await newPool({ onExhausted: 'evict_oldest' });
    await put([A, B, C]);
    for (const name of ['a', 'b']) await service.allocate(pool, { userId: ANN, name });
    const [plain, selected] = await Promise.all([take(undefined, BEN), take({ country: 'at' }, BEN)]);
    expect(selected).toMatchObject({ ...C, evicted: null });
    expect(plain).toMatchObject({ ...A, evicted: { fence: 1 } });
  });

  test('the oldest lease goes in every mixture of callers who select and callers who do not', async () => {
    await newPool({ onExhausted: 'evict_oldest' });
    const countries = ['at', 'ch', 'de'];
    await put(Array.from({ length: 9 }, (_, n) => ({ name: `n${n}`, attributes: { country: countries[n % 3]! } })));
    let seed = 7;
    const some = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    // The auditor judges each eviction.
    for (let round = 0; round < 60; round++) {
      const callers = Array.from({ length: 1 + some(5) }, () =>
        take(some(2) === 0 ? undefined : { country: countries[some(3)]! }),
      );
      const grants = await Promise.all(callers);
      const back = grants.filter(() => some(3) === 0);
      await Promise.all(
        back.map(({ tokenId, leaseId }) => service.release(tokenId, { leaseId }).catch((error: unknown) => error)),
      );
    }
  });

  test('are found far behind the first free ones, and among many that match', async () => {
    await newPool();
    const many = Array.from({ length: 400 }, (_, n) => ({ name: `n${n}`, attributes: { group: n % 4, number: n } }));
    await put(many);
    expect(await take({ number: 399 })).toMatchObject({ name: 'n399' });
    const grants = await Promise.all(Array.from({ length: 99 }, () => take({ group: 3 })));
    expect(new Set(grants.map(({ tokenId }) => tokenId)).size).toBe(99);
    expect(await code(take({ group: 3 }))).toBe('pool_exhausted');
    expect(await take({ group: [2, 3] })).toMatchObject({ attributes: { group: 2 } });
  });

  test('that are free far behind the first ones are found before a lease is ended', async () => {
    await newPool({ onExhausted: 'evict_oldest' });
    await put(Array.from({ length: 20 }, (_, n) => ({ name: `hot${n}`, attributes: { hot: true } })));
    for (let n = 0; n < 20; n++) await service.allocate(pool, { userId: ANN, name: `hot${n}` });
    await put(Array.from({ length: 300 }, (_, n) => ({ name: `n${n}` })));
    await candidate.advance(1);
    await put([{ name: 'last', attributes: { hot: true } }]);
    expect(await take({ hot: true })).toMatchObject({ name: 'last', evicted: null });
    expect(await take({ hot: true })).toMatchObject({ name: 'hot0', evicted: { fence: 1 } });
  });

  test('that come into a selection are found, however often it was asked for before', async () => {
    await newPool({ onExhausted: 'evict_oldest' });
    const [at, de] = [{ country: 'at' }, { country: 'de' }];
    const names = ['old', 'free', 'de1', 'de2'];
    await put(names.map((name) => ({ name, attributes: name.startsWith('de') ? de : at })));
    const { tokenId: old } = await service.allocate(pool, { userId: ANN, name: 'old' });
    const { tokens } = await candidate.readers.tokens.tokens({ poolName: pool, status: 'available', limit: 10 });
    const free = tokens.find(({ name }) => name === 'free')!.id;
    for (let fence = 2; fence <= 9; fence++) expect(await take(de)).toMatchObject({ fence });
    await service.changeThing(free, { attributes: de });
    expect(await take(de)).toMatchObject({ name: 'free', evicted: null });
    await service.changeThing(old, { attributes: de });
    expect(await take(de)).toMatchObject({ name: 'old', evicted: { fence: 1 } });
    expect(await take(de)).toMatchObject({ evicted: { fence: 8 } });
  });

  test('that were about to go and stay are evicted in their turn', async () => {
    await newPool({ onExhausted: 'evict_oldest' });
    const things = ['a', 'b', 'c'].map((name) => ({ name, attributes: { country: 'de' } }));
    await put(things);
    for (const { name } of things) await service.allocate(pool, { userId: ANN, name });
    await put(things.slice(1), true);
    for (const fence of [2, 3, 4]) expect(await take({ country: 'de' })).toMatchObject({ evicted: { fence } });
    await put(things);
    for (const fence of [1, 5, 6]) expect(await take({ country: 'de' })).toMatchObject({ evicted: { fence } });
  });

  test('are renamed and described while they are held', async () => {
    await newPool();
    await put([A, B]);
    const { tokenId } = await service.allocate(pool, { userId: ANN, name: 'a' });
    const seq = await lastSeq();
    await service.changeThing(tokenId, { name: 'z', attributes: {} });
    await service.changeThing(tokenId, { name: 'z' });
    expect(await code(service.changeThing(tokenId, { name: 'b' }))).toBe('token_exists');
    expect(await code(service.addThing(pool, { name: 'z' }))).toBe('token_exists');
    expect(await events(seq)).toEqual([['described', null, { before: A, after: { name: 'z', attributes: {} } }]]);
    expect(await put([A])).toMatchObject({ added: 1 });
  });

  test('that are missing in a list are deleted, held ones at the end of their leases', async () => {
    await newPool({ renewable: false });
    await put([A, B, C]);
    const held = await service.allocate(pool, { userId: ANN, name: 'a' });
    const late = await service.allocate(pool, { userId: ANN, name: 'b', ttlSeconds: 10 });
    const seq = await lastSeq();
    expect(await put([], true)).toEqual({ added: 0, changed: 0, unchanged: 0, deleted: 1, draining: 2 });
    expect(await put([], true)).toEqual({ added: 0, changed: 0, unchanged: 0, deleted: 0, draining: 2 });
    await service.release(held.tokenId, { leaseId: held.leaseId });
    await candidate.advance(11);
    await sweep(candidate.repository, candidate.executor);
    expect(await events(seq)).toEqual([
      ['described', null, { before: { draining: false }, after: { draining: true } }],
      ['described', null, { before: { draining: false }, after: { draining: true } }],
      ['deleted', 'removed', {}],
      ['released', 'released_by_client', {}],
      ['deleted', 'removed', {}],
      ['expired', 'ttl_expired', {}],
      ['deleted', 'removed', {}],
    ]);
    expect((await candidate.readers.pools.pool(pool)).counts).toEqual({ total: 0, available: 0, active: 0 });
    expect(await code(service.release(late.tokenId, { leaseId: late.leaseId }))).toBe('token_deleted');
  });

  test('that come back in a list before the end of their lease stay', async () => {
    await newPool();
    await put([A]);
    const { tokenId, leaseId } = await take();
    expect(await service.deleteWhenFree(tokenId)).toBe(false);
    expect(await put([A])).toMatchObject({ changed: 1 });
    await service.release(tokenId, { leaseId });
    expect(await take()).toMatchObject({ tokenId });
    expect(await service.deleteWhenFree(tokenId)).toBe(false);
    await service.delete(tokenId, true);
    expect(await code(take())).toBe('pool_exhausted');
  });

  test('a thing that is about to go is not evicted for another', async () => {
    await newPool({ onExhausted: 'evict_oldest' });
    await put([A, B]);
    const { tokenId } = await service.allocate(pool, { userId: ANN, name: 'a' });
    await service.allocate(pool, { userId: ANN, name: 'b' });
    await service.deleteWhenFree(tokenId);
    expect(await take()).toMatchObject({ name: 'b' });
    expect(await code(take({ os: 14 }))).toBe('pool_exhausted');
  });

  test('are all put in or none', async () => {
    await newPool({ size: 2 });
    expect(await code(put([A, B, C]))).toBe('pool_limit_reached');
    expect(await lastSeq()).toBe(0);
    await put([A, B]);
    expect(await put([C], true)).toMatchObject({ added: 1, deleted: 2 });
    expect(await code(service.generate(pool))).toBe('invalid_request');
  });

  test('are only in listed pools', async () => {
    pool = `pool-${++pools}`;
    await service.createPool(pool, 'fixed', { size: 2 });
    expect(await code(put([A]))).toBe('pool_not_listed');
    expect(await code(service.addThing(pool, A))).toBe('pool_not_listed');
    expect(await code(take({ country: 'de' }))).toBe('unsatisfiable');
    expect(await code(service.allocate(pool, { userId: ANN, name: 'a' }))).toBe('token_not_found');
    const { tokenId } = await take({ country: null });
    expect(await code(service.allocate(pool, { userId: ANN, tokenId }))).toBe('token_in_use');
    expect(await code(service.changeThing(tokenId, { attributes: {} }))).toBe('pool_not_listed');
  });

  describe('secrets', () => {
    const PIN = 'pin-that-nobody-else-sees';
    const keyed = (key: string): Idempotency => ({ key, fingerprint: 'the same', onReplay: () => undefined });

    test('go to the holder, to a replay while the lease is open, and nowhere else', async () => {
      await newPool();
      await put([{ ...A, secret: { pin: PIN } }]);
      const idempotency = keyed('k');
      const first = await service.allocate(pool, { userId: ANN }, { idempotency });
      expect(first.secret).toEqual({ pin: PIN });
      expect((await service.allocate(pool, { userId: ANN }, { idempotency })).secret).toEqual({ pin: PIN });
      const { secret } = await candidate.readers.tokens.verify({ leaseId: first.leaseId }, null);
      expect(service.openSecret(pool, first.tokenId, secret)).toEqual({ pin: PIN });
      const byToken = { tokenId: first.tokenId, fence: first.fence };
      expect((await candidate.readers.tokens.verify(byToken, null)).secret).toBeNull();
      await service.release(first.tokenId, { leaseId: first.leaseId });
      expect(await service.allocate(pool, { userId: ANN }, { idempotency })).toMatchObject({ fence: 1, secret: null });
      expect(JSON.stringify(await feed())).not.toContain(PIN);
    });

    test('are changed and removed, of which the audit tells no more', async () => {
      await newPool();
      await put([{ ...A, secret: { pin: PIN, more: 1 } }]);
      const seq = await lastSeq();
      expect(await put([{ ...A, secret: { more: 1, pin: PIN } }])).toMatchObject({ unchanged: 1 });
      expect(await put([{ ...A, secret: { pin: 'other' } }])).toMatchObject({ changed: 1 });
      const { tokenId, secret } = await take();
      expect(secret).toEqual({ pin: 'other' });
      await service.changeThing(tokenId, { secret: null });
      expect((await events(seq)).filter((event) => (event as unknown[])[0] === 'described')).toEqual([
        ['described', null, { before: {}, after: {}, secret: 'changed' }],
        ['described', null, { before: {}, after: {}, secret: 'changed' }],
      ]);
    });

    test('that no key opens are not granted, and nothing is changed', async () => {
      await newPool();
      await put([{ ...A, secret: { pin: PIN } }]);
      const seq = await lastSeq();
      const other = new TokenPoolService(
        candidate.executor,
        candidate.readers.tokens,
        candidate.readers.pools,
        new SecretBox([randomBytes(32)]),
      );
      expect(await code(other.allocate(pool, { userId: ANN }))).toBe('unavailable');
      const without = new TokenPoolService(candidate.executor, candidate.readers.tokens, candidate.readers.pools);
      expect(
        await code(Promise.resolve().then(() => without.importThings(pool, [{ name: 'x', secret: {} }], false))),
      ).toBe('secrets_off');
      expect(await lastSeq()).toBe(seq);
    });
  });
});

// What is shown: judged by the store's clock, in the promised order, page by page. Every implementation of the readers' ports
// sits the exam; what only PostgreSQL has follows it.

import { randomBytes } from 'node:crypto';
import {
  ANYBODY,
  asStored,
  auditPool,
  Executor,
  DomainError,
  loadSpec,
  sweep,
  toIso,
  type TokenPoolService,
  type Caller,
  type LeaseName,
  type LeaseQuery,
  type PlainThing,
  SecretBox,
  type StoredEventView,
  type TokenPoolRepository,
} from '@app/tokens';
import { Client } from 'pg';
import { newLeaseId } from '../../libs/tokens/src/pool/lease-id.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { inMemory, onPostgres, type Candidate } from '../support/candidate.js';
import { audit, type Readers } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';
const BEN = 'c0ffee00-0000-4000-8000-000000000002';
const NOBODY = 'c0ffee00-0000-4000-8000-000000000003';
const SECRETS = new SecretBox([randomBytes(32)]);

const code = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.then(
    () => 'no error',
    (reason: unknown) => reason,
  );
  return error instanceof DomainError ? error.code : String(error);
};

describe.each<[string, (secrets: SecretBox) => Promise<Candidate>]>([
  ['in memory', inMemory],
  ['of PostgreSQL', onPostgres],
])('the readers %s', (_name, start) => {
  let candidate: Candidate;
  let service: TokenPoolService;
  let repository: TokenPoolRepository;
  let readers: Readers;
  let pools = 0;
  let pool: string;

  beforeAll(async () => {
    candidate = await start(SECRETS);
    ({ service, repository, readers } = candidate);
  });
  afterAll(() => candidate.close());
  beforeEach(async () => {
    pool = `pool-${++pools}`;
    await service.createPool(pool, 'fixed', { size: 5, ttlSeconds: 60 });
  });

  const allocate = (userId = ANN, ttlSeconds?: number) => service.allocate(pool, { userId, ttlSeconds });

  async function everyPage(status: 'all' | 'available' | 'active', limit: number): Promise<string[]> {
    const ids: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await readers.tokens.tokens({ poolName: pool, status, limit, cursor });
      expect(page.tokens.length).toBeLessThanOrEqual(limit);
      ids.push(...page.tokens.map(({ id }) => id));
      if (page.next_cursor === null) return ids;
      cursor = page.next_cursor;
    }
  }

  test('active tokens are listed by lease, the oldest first, whatever the size of the page', async () => {
    const grants = [];
    for (let i = 0; i < 5; i++) grants.push((await allocate()).tokenId);
    for (const limit of [1, 2, 4, 5, 100]) expect(await everyPage('active', limit)).toEqual(grants);
  });

  test('available tokens are listed in the order in which they are handed out, overdue ones in their place', async () => {
    const grants = [];
    for (const ttl of [60, 10, 40, 20, 60]) grants.push((await allocate(ANN, ttl)).tokenId);
    await candidate.advance(30);
    await service.release(grants[4]!, {});
    await candidate.advance(15);
    const line = [grants[1], grants[3], grants[4], grants[2]];
    for (const limit of [1, 3, 100]) expect(await everyPage('available', limit)).toEqual(line);
    const next = [];
    for (let i = 0; i < 4; i++) next.push((await allocate()).tokenId);
    expect(next).toEqual(line);
  });

  test('all tokens are listed once, page by page, and a full last page has no next one', async () => {
    await allocate();
    const whole = await everyPage('all', 100);
    expect(new Set(whole).size).toBe(5);
    for (const limit of [1, 2, 5]) expect(await everyPage('all', limit)).toEqual(whole);
  });

  test('held tokens of a pool above its size are draining, until it has its size', async () => {
    const drainingOf = async (): Promise<unknown[]> => {
      const { tokens } = await readers.tokens.tokens({ poolName: pool, status: 'active', limit: 10 });
      const shown = await Promise.all(tokens.map(({ id }) => readers.tokens.token(id)));
      expect(shown.map(({ draining }) => draining)).toEqual(tokens.map(({ draining }) => draining));
      return tokens.map(({ fence, draining }) => [fence, draining]);
    };
    for (let i = 0; i < 3; i++) await allocate();
    expect(await drainingOf()).toEqual([1, 2, 3].map((fence) => [fence, false]));
    const shrunk = await service.changePool(pool, { size: 2 });
    expect(shrunk).toMatchObject({ size: 2, counts: { total: 3, available: 0, active: 3 } });
    expect(await drainingOf()).toEqual([1, 2, 3].map((fence) => [fence, true]));
    const { tokens: oldest } = await readers.tokens.tokens({ poolName: pool, status: 'active', limit: 1 });
    const { id } = oldest[0]!;
    await service.release(id, {});
    expect(await drainingOf()).toEqual([2, 3].map((fence) => [fence, false]));
    expect(await code(readers.tokens.token(id))).toBe('token_deleted');
    expect((await readers.pools.pool(pool)).counts).toEqual({ total: 2, available: 0, active: 2 });
  });

  test('a pool that is being deleted is not shown from the first moment on, and its events are', async () => {
    const { tokenId } = await allocate();
    await repository.change(pool, loadSpec({}), (pool) => pool.beginDeletion(true));
    for (const isToBeDone of [true, false]) {
      expect(await code(readers.pools.pool(pool))).toBe('pool_deleted');
      expect((await readers.pools.pools()).map(({ name }) => name)).not.toContain(pool);
      expect(await readers.pools.pools(new Set([pool]))).toEqual([]);
      expect((await readers.pools.leaseAges()).map((ages) => ages.pool)).not.toContain(pool);
      expect(await readers.pools.names()).toContain(pool);
      for (const status of ['all', 'active', 'available'] as const) {
        expect(await code(readers.tokens.tokens({ poolName: pool, status, limit: 9 }))).toBe('pool_deleted');
      }
      expect(await code(readers.tokens.token(tokenId))).toBe('token_deleted');
      expect((await readers.tokens.events(tokenId, { limit: 9 })).events.length).toBeGreaterThan(1);
      expect((await readers.feed.page(pool, 0, 100)).events.length).toBeGreaterThan(5);
      if (isToBeDone) await repository.change(pool, loadSpec({ free: 9, oldest: 9 }), (pool) => pool.deleteRest(9));
    }
    expect((await readers.tokens.history(tokenId, { limit: 9 })).history).toMatchObject([
      { end_reason: 'pool_deleted' },
    ]);
  });

  test('a user’s tokens are those that the user holds now', async () => {
    const { tokenId } = await allocate(BEN);
    await allocate(ANN);
    for (const status of ['all', 'active'] as const) {
      const { tokens } = await readers.tokens.tokens({ poolName: pool, status, limit: 10, userId: BEN });
      expect(tokens).toMatchObject([{ id: tokenId, active_user_id: BEN, status: 'active' }]);
    }
    const none = { tokens: [], next_cursor: null };
    expect(await readers.tokens.tokens({ poolName: pool, status: 'available', limit: 10, userId: BEN })).toEqual(none);
    expect(await readers.tokens.tokens({ poolName: pool, status: 'all', limit: 10, userId: NOBODY })).toEqual(none);
    await candidate.advance(61);
    expect(await readers.tokens.tokens({ poolName: pool, status: 'all', limit: 10, userId: BEN })).toEqual(none);
  });

  test('a holder’s tokens are those that are held under that name now, and taken with that key', async () => {
    const allocateAs = (holder: string, keyId: string) =>
      service.allocate(pool, { userId: ANN, holder, ttlSeconds: 60 }, { caller: { ...ANYBODY, keyId } });
    const { tokenId } = await allocateAs('ci-4711', 'k1');
    await allocateAs('ci-4712', 'k1');
    await allocate(ANN);
    const listed = async (status: 'all' | 'active' | 'available', query: object) =>
      (await readers.tokens.tokens({ poolName: pool, status, limit: 10, ...query })).tokens.map(({ id }) => id);
    for (const status of ['all', 'active'] as const) {
      expect(await listed(status, { holder: 'ci-4711' })).toEqual([tokenId]);
      expect(await listed(status, { holder: 'ci-4711', keyId: 'k2' })).toEqual([]);
      expect(await listed(status, { holder: 'ci-4711', userId: BEN })).toEqual([]);
      expect(await listed(status, { userId: ANN })).toHaveLength(3);
    }
    expect(await listed('available', { holder: 'ci-4711' })).toEqual([]);
    expect(await readers.tokens.token(tokenId)).toMatchObject({
      active_user_id: ANN,
      holder: 'ci-4711',
      current_user: { user_id: ANN, holder: 'ci-4711' },
      history: [{ user_id: ANN, holder: 'ci-4711' }],
    });
    await candidate.advance(60);
    expect(await listed('all', { holder: 'ci-4711' })).toEqual([]);
    expect(await readers.tokens.token(tokenId)).toMatchObject({ holder: null });
    expect(await audit(readers, pool)).toEqual([]);
  });

  describe('the leases of somebody', () => {
    let other: string;
    const take = (poolName: string, holder: string | undefined, keyId: string | null = null, metadata?: object) =>
      service.allocate(
        poolName,
        { userId: ANN, holder, metadata: metadata as Record<string, unknown> | undefined },
        { caller: { ...ANYBODY, keyId } },
      );
    const listed = async (query: Partial<LeaseQuery>) => {
      const found: [string, number][] = [];
      for (let cursor: string | undefined; ;) {
        const whose = { userId: ANN };
        const page = await readers.tokens.leases({ whose, pools: new Set([pool, other]), limit: 2, ...query, cursor });
        found.push(...page.leases.map((lease): [string, number] => [lease.pool, lease.fence]));
        if (page.next_cursor === null) return found;
        cursor = page.next_cursor;
      }
    };

    beforeEach(async () => {
      other = `${pool}-other`;
      await service.createPool(other, 'fixed', { size: 5, ttlSeconds: 60, renewable: true });
    });

    test('are found in all pools, by user and by name, in the order of pools and fences', async () => {
      for (const poolName of [other, pool]) {
        for (const holder of ['ci-1', 'ci-2', undefined]) await take(poolName, holder);
        await service.allocate(poolName, { userId: BEN });
      }
      const all = [pool, other].flatMap((one) => [1, 2, 3].map((fence) => [one, fence]));
      expect(await listed({})).toEqual(all);
      expect(await listed({ limit: 100 })).toEqual(all);
      expect(await listed({ whose: { holder: 'ci-2' } })).toEqual([
        [pool, 2],
        [other, 2],
      ]);
      expect(await listed({ whose: { holder: 'ci-3' } })).toEqual([]);
      expect(await listed({ whose: { userId: NOBODY } })).toEqual([]);
      for (const whose of [{ userId: ANN }, { holder: 'ci-1' }]) {
        expect((await listed({ whose, pools: new Set([other]) })).every(([one]) => one === other)).toBe(true);
        expect(await listed({ whose, pools: new Set() })).toEqual([]);
      }
    });

    test('are those that one key took, if that is asked for', async () => {
      await take(pool, 'ci-1', 'k1');
      await take(pool, 'ci-1', 'k2');
      for (const whose of [{ userId: ANN }, { holder: 'ci-1' }]) {
        expect(await listed({ whose, keyId: 'k2' })).toEqual([[pool, 2]]);
      }
    });

    test('are shown with what was given, and no more from their deadline on', async () => {
      const { tokenId, leaseId } = await take(other, 'ci-1', 'k1', { desk: 7 });
      await candidate.advance(10);
      const { expiresAt, activatedAt } = await service.keepAlive(tokenId, { leaseId });
      const shown = {
        token_id: tokenId,
        name: null,
        pool: other,
        fence: 1,
        holder: 'ci-1',
        user_id: ANN,
        activated_at: toIso(activatedAt),
        expires_at: toIso(expiresAt),
        metadata: { desk: 7 },
        key_id: 'k1',
      };
      for (const whose of [{ userId: ANN }, { holder: 'ci-1' }]) {
        const page = { whose, pools: new Set([other]), limit: 1 };
        expect(await readers.tokens.leases(page)).toEqual({ leases: [shown], next_cursor: null });
      }
      await candidate.advance(60);
      for (const whose of [{ userId: ANN }, { holder: 'ci-1' }]) expect(await listed({ whose })).toEqual([]);
    });

    test('have a cursor that is refused where it is made up, and where this database has not given it', async () => {
      const pools = new Set([pool]);
      const ask = (place: string) => {
        const cursor = Buffer.from(`leases~${place}`).toString('base64url');
        return code(readers.tokens.leases({ whose: { userId: ANN }, pools, limit: 1, cursor }));
      };
      expect(await ask('A~1')).toBe('invalid_request');
      for (const place of [`${pool}~7`, `${other}~0`, 'nowhere~0']) expect(await ask(place)).toBe('position_unknown');
    });

    test('are verified by their handle, and by token and fence, as long as they are open', async () => {
      const { tokenId, leaseId, expiresAt } = await take(pool, 'ci-1', 'k1');
      const names = [{ leaseId }, { tokenId, fence: 1 }];
      const verify = (name: LeaseName, pools: ReadonlySet<string> | null = null) => readers.tokens.verify(name, pools);
      for (const name of names) {
        const { expires_in_ms, ...lease } = await verify(name);
        expect(lease).toEqual({
          ...{ valid: true, token_id: tokenId, name: null, pool, fence: 1, holder: 'ci-1', user_id: ANN },
          ...{ expires_at: toIso(expiresAt), key_id: 'k1', secret: null },
        });
        expect(expires_in_ms).toBeGreaterThan(50_000);
        expect(expires_in_ms).toBeLessThanOrEqual(60_000);
        expect(await verify(name, new Set([pool]))).toMatchObject({ valid: true });
        expect(await verify(name, new Set([other]))).toMatchObject({ valid: false, pool: null, user_id: null });
      }
      const wrong = [
        { leaseId: newLeaseId(1) },
        { leaseId: NOBODY },
        { tokenId, fence: 2 },
        { tokenId: NOBODY, fence: 1 },
      ];
      for (const name of wrong) expect(await verify(name)).toMatchObject({ valid: false, user_id: null });
      await candidate.advance(60);
      expect(await verify({ leaseId })).toMatchObject({ valid: false, token_id: null, fence: null, expires_at: null });
      expect(await verify({ tokenId, fence: 1 })).toMatchObject({ valid: false, token_id: tokenId, fence: 1 });
    });
  });

  describe('a listed pool', () => {
    const PHONE = { name: '+49 30 1', attributes: { country: 'de', os: 14, sim: true }, secret: { pin: 17 } };
    const BARE = { name: 'Schlüssel', attributes: {} };
    let phones: string;
    let ids: string[];
    const put = async (...things: PlainThing[]): Promise<void> => {
      ids = [];
      for (const thing of things) {
        ids.push((await service.addThing(phones, thing)).id);
        // Tokens are granted in the order in which they were made.
        await candidate.advance(1);
      }
    };

    beforeEach(async () => {
      phones = `${pool}-phones`;
      await service.createPool(phones, 'listed', { ttlSeconds: 60 });
    });

    test('shows the name and the attributes of its tokens in every list', async () => {
      await put(PHONE, BARE);
      const shown = [PHONE, BARE].map(({ name, attributes }) => ({ pool: phones, name, attributes }));
      await service.allocate(phones, { userId: ANN });
      for (const [i, id] of ids.entries()) {
        expect(await readers.tokens.token(id)).toMatchObject({ id, ...shown[i] });
        const status = i === 0 ? ('active' as const) : ('available' as const);
        const { tokens } = await readers.tokens.tokens({ poolName: phones, status, limit: 9 });
        expect(tokens).toEqual([{ ...tokens[0], id, ...shown[i] }]);
      }
      const { tokens } = await readers.tokens.tokens({ poolName: phones, status: 'all', limit: 9 });
      expect(new Map(tokens.map(({ id, name }) => [id, name]))).toEqual(
        new Map([PHONE, BARE].map(({ name }, i) => [ids[i]!, name])),
      );
      const leases = await readers.tokens.leases({ whose: { userId: ANN }, pools: new Set([phones]), limit: 9 });
      expect(leases.leases).toMatchObject([{ token_id: ids[0], name: PHONE.name }]);
    });

    test('gives a sealed secret to a verification by the handle of the open lease alone', async () => {
      await put(PHONE, BARE);
      const [phone, bare] = [
        await service.allocate(phones, { userId: ANN }),
        await service.allocate(phones, { userId: ANN }),
      ];
      const named = { valid: true, name: PHONE.name };
      const { secret, ...verified } = await readers.tokens.verify({ leaseId: phone.leaseId }, null);
      expect(verified).toMatchObject(named);
      expect(service.openSecret(phones, phone.tokenId, secret)).toEqual(PHONE.secret);
      const byToken = await readers.tokens.verify({ tokenId: phone.tokenId, fence: phone.fence }, null);
      expect(byToken).toMatchObject({ ...named, secret: null });
      expect(await readers.tokens.verify({ leaseId: bare.leaseId }, null)).toMatchObject({ valid: true, secret: null });
      await candidate.advance(60);
      const over = await readers.tokens.verify({ leaseId: phone.leaseId }, null);
      expect(over).toMatchObject({ valid: false, name: null, secret: null });
    });

    test('is searched by name and by attributes, all of which must match, in every list', async () => {
      const things: PlainThing[] = [
        { name: 'a', attributes: { os: 14, sim: true, country: 'de' } },
        { name: 'b', attributes: { os: '14', sim: 'true', country: 'fr' } },
        { name: 'c', attributes: { os: 15, sim: false, country: 'de', true: 'say "hi" \\ \n' } },
        { name: 'd', attributes: { temperature: -0.5, far: 1e21 } },
      ];
      await put(...things);
      const namesIn = async (status: 'all' | 'active' | 'available', query: object, poolName = phones) => {
        const names: (string | null)[] = [];
        for (let cursor: string | undefined; ;) {
          const page = await readers.tokens.tokens({ poolName, status, limit: 2, cursor, ...query });
          names.push(...page.tokens.map(({ name }) => name));
          if (page.next_cursor === null) return names.sort();
          cursor = page.next_cursor;
        }
      };
      const expectFound = async (query: object, names: string[]): Promise<void> => {
        const found = await Promise.all((['all', 'active', 'available'] as const).map((of) => namesIn(of, query)));
        const held = names.filter((name) => name === 'a');
        expect({ query, found }).toEqual({ query, found: [names, held, names.filter((name) => name !== 'a')] });
      };
      await service.allocate(phones, { userId: ANN });
      await expectFound({}, ['a', 'b', 'c', 'd']);
      await expectFound({ name: 'a' }, ['a']);
      await expectFound({ name: 'c' }, ['c']);
      await expectFound({ name: 'z' }, []);
      await expectFound({ name: 'c', attributes: { country: 'de' } }, ['c']);
      await expectFound({ name: 'c', attributes: { country: 'fr' } }, []);
      const byAttributes: [Record<string, string>, string[]][] = [
        [{ country: 'de' }, ['a', 'c']],
        [{ os: '14' }, ['a', 'b']],
        [{ os: '14', country: 'fr' }, ['b']],
        [{ os: '14.0' }, []],
        [{ sim: 'true' }, ['a', 'b']],
        [{ sim: 'false' }, ['c']],
        [{ true: 'say "hi" \\ \n' }, ['c']],
        [{ temperature: '-0.5' }, ['d']],
        [{ far: '1e+21' }, ['d']],
        [{ far: 'Infinity' }, []],
        [{ country: '" || true || "' }, []],
        [{ nothing: 'undefined' }, []],
        [{}, ['a', 'b', 'c', 'd']],
      ];
      for (const [attributes, names] of byAttributes) await expectFound({ attributes }, names);
      expect(await namesIn('all', { userId: ANN, attributes: { country: 'de' } })).toEqual(['a']);
      expect(await namesIn('all', { userId: BEN, attributes: { country: 'de' } })).toEqual([]);
      for (const query of [{ name: 'a' }, { attributes: { country: 'de' } }]) {
        expect(await namesIn('all', query, pool)).toEqual([]);
      }
      const missing = { poolName: 'nowhere', status: 'all', limit: 1, attributes: { os: '14' } } as const;
      expect(await code(readers.tokens.tokens(missing))).toBe('pool_not_found');
    });

    test('shows a held token as draining that was taken out of it', async () => {
      await put(PHONE, BARE);
      const { tokenId } = await service.allocate(phones, { userId: ANN });
      expect(await service.deleteWhenFree(tokenId)).toBe(false);
      const { tokens } = await readers.tokens.tokens({ poolName: phones, status: 'all', limit: 9 });
      expect(new Map(tokens.map(({ id, draining }) => [id, draining]))).toEqual(
        new Map(ids.map((id) => [id, id === tokenId])),
      );
      expect(await readers.tokens.token(tokenId)).toMatchObject({ draining: true });
    });
  });

  test('a token is shown with what was given with its lease, as long as it is held', async () => {
    const { tokenId } = await service.allocate(pool, { userId: ANN, metadata: { desk: 7 } });
    await allocate(BEN);
    const listed = async (status: 'all' | 'active' | 'available') =>
      (await readers.tokens.tokens({ poolName: pool, status, limit: 9 })).tokens;
    const given = { id: tokenId, name: null, attributes: null, lease_metadata: { desk: 7 } };
    expect(await readers.tokens.token(tokenId)).toMatchObject(given);
    expect(await listed('active')).toMatchObject([given, { lease_metadata: null }]);
    expect((await listed('all')).filter(({ lease_metadata }) => lease_metadata !== null)).toMatchObject([given]);
    await candidate.advance(60);
    expect(await readers.tokens.token(tokenId)).toMatchObject({ lease_metadata: null });
    for (const { lease_metadata } of await listed('available')) expect(lease_metadata).toBeNull();
  });

  test('from its deadline on a lease is over in every answer, before the sweep has seen it and after', async () => {
    const { tokenId, expiresAt } = await allocate();
    const look = async () => ({
      token: await readers.tokens.token(tokenId),
      all: (await readers.tokens.tokens({ poolName: pool, status: 'all', limit: 10 })).tokens,
      active: (await readers.tokens.tokens({ poolName: pool, status: 'active', limit: 10 })).tokens,
      available: (await readers.tokens.tokens({ poolName: pool, status: 'available', limit: 10 })).tokens,
      history: (await readers.tokens.history(tokenId, { limit: 10 })).history,
      counts: (await readers.pools.pool(pool)).counts,
    });
    const held = await look();
    expect(held.token).toMatchObject({
      status: 'active',
      active_user_id: ANN,
      fence: 1,
      current_user: { user_id: ANN },
    });
    expect(held.history).toMatchObject([{ user_id: ANN, fence: 1, ended_at: null, end_reason: null }]);
    expect(held.counts).toEqual({ total: 5, available: 4, active: 1 });
    await candidate.advance(60);
    const unswept = await look();
    expect((await readers.tokens.events(tokenId, { limit: 10 })).events.map(({ event }) => event)).toEqual([
      'activated',
      'generated',
    ]);
    expect(await sweep(repository, new Executor(repository))).toMatchObject({
      events: expect.any(Number) as number,
      failures: [],
    });
    const swept = await look();
    expect((await readers.tokens.events(tokenId, { limit: 1 })).events).toMatchObject([
      { event: 'expired', reason: 'ttl_expired' },
    ]);
    expect(unswept).toEqual(swept);
    expect(swept.token).toMatchObject({ status: 'available', active_user_id: null, fence: null, current_user: null });
    expect(swept.history).toEqual([
      { ...held.history[0], ended_at: expect.stringContaining('Z') as string, end_reason: 'ttl_expired' },
    ]);
    expect(Date.parse(swept.history[0]!.ended_at!)).toBe(Math.floor(expiresAt / 1000));
    expect(swept.counts).toEqual({ total: 5, available: 5, active: 0 });
  });

  test('the history of a token shows each use once, newest first, with how it ended', async () => {
    await service.createPool(`${pool}-one`, 'fixed', { size: 1, ttlSeconds: 60 });
    const ask = (userId: string) => service.allocate(`${pool}-one`, { userId });
    const { tokenId } = await ask(ANN);
    await ask(BEN);
    await service.release(tokenId, { userId: BEN });
    await ask(ANN);
    await service.cleanup(`${pool}-one`);
    await ask(BEN);
    await candidate.advance(60);
    await ask(ANN);
    const { history, next_cursor } = await readers.tokens.history(tokenId, { limit: 10 });
    expect(history.map(({ fence, user_id, end_reason }) => [fence, user_id, end_reason])).toEqual([
      [5, ANN, null],
      [4, BEN, 'ttl_expired'],
      [3, ANN, 'cleanup'],
      [2, BEN, 'released_by_client'],
      [1, ANN, 'lru_eviction'],
    ]);
    expect(next_cursor).toBeNull();
    const second = await readers.tokens.history(tokenId, {
      limit: 2,
      cursor: (await readers.tokens.history(tokenId, { limit: 2 })).next_cursor!,
    });
    expect(second.history).toEqual(history.slice(2, 4));
    expect((await readers.tokens.token(tokenId)).history).toEqual(history);
    expect(await audit(readers, `${pool}-one`)).toEqual([]);
  });

  test('the events of a token come newest first, page by page, with the metadata of its lease', async () => {
    const { tokenId } = await service.allocate(pool, {
      userId: ANN,
      metadata: { ticket: 'A-1', reason: 'mine' },
    });
    await service.release(tokenId, {});
    const first = await readers.tokens.events(tokenId, { limit: 2 });
    expect(first.events).toMatchObject([
      { event: 'released', reason: 'released_by_client', metadata: { user_id: ANN, reason: 'released_by_client' } },
      { event: 'activated', metadata: { ticket: 'A-1', user_id: ANN, reason: 'allocated' } },
    ]);
    const last = await readers.tokens.events(tokenId, { limit: 2, cursor: first.next_cursor! });
    expect(last).toMatchObject({ events: [{ event: 'generated', user_id: null, reason: null }], next_cursor: null });
    expect(JSON.stringify(first)).not.toContain('lease_id');
  });

  test('the feed goes on after any seq, without gaps, and says how far it reaches', async () => {
    for (let i = 0; i < 4; i++) await allocate();
    const page = await readers.feed.page(pool, 3, 4);
    expect(page.events.map(({ seq }) => seq)).toEqual([4, 5, 6, 7]);
    expect(page.last_seq).toBe(9);
    expect(await readers.feed.page(pool, 9, 4)).toEqual({ pool, events: [], last_seq: 9, restores: [] });
    expect(await code(readers.feed.page(pool, 10, 4))).toBe('position_unknown');
  });

  test('the new events of several pools are the first events after a seq of each', async () => {
    const other = `${pool}-other`;
    await service.createPool(other, 'fixed', { size: 3 });
    await allocate();
    await candidate.advance(2);
    const added = await readers.feed.newEvents(
      new Map([
        [other, 1],
        [pool, 5],
        ['nowhere', 0],
        ['default', 1_000_000],
      ]),
      2,
    );
    const [ofPool, ofOther] = [
      (await readers.feed.page(pool, 5, 1)).events,
      (await readers.feed.page(other, 1, 2)).events,
    ];
    expect(added).toEqual([
      { pool, events: ofPool, delay_seconds: expect.any(Number) as number },
      { pool: other, events: ofOther, delay_seconds: expect.any(Number) as number },
    ]);
    for (const { delay_seconds } of added) expect(Math.floor(delay_seconds)).toBe(2);
    expect(await readers.feed.newEvents(new Map([[pool, 6]]), 2)).toEqual([]);
  });

  test('a deleted token is gone, but not its events and its history', async () => {
    const elastic = `${pool}-elastic`;
    await service.createPool(elastic, 'elastic', {});
    const { id } = await service.generate(elastic);
    await service.allocate(elastic, { userId: ANN });
    await service.delete(id, true);
    expect(await code(readers.tokens.token(id))).toBe('token_deleted');
    expect(await readers.tokens.locate(id)).toEqual({ pool: elastic, isDeleted: true });
    expect((await readers.tokens.events(id, { limit: 10 })).events.map(({ event, reason }) => [event, reason])).toEqual(
      [
        ['deleted', 'deleted_by_client'],
        ['released', 'deleted_by_client'],
        ['activated', 'allocated'],
        ['generated', null],
      ],
    );
    expect((await readers.tokens.history(id, { limit: 10 })).history).toMatchObject([
      { user_id: ANN, end_reason: 'deleted_by_client' },
    ]);
    expect((await readers.tokens.tokens({ poolName: elastic, status: 'all', limit: 10 })).tokens).toEqual([]);
  });

  test('what does not exist is said to be unknown', async () => {
    const page = { limit: 1 };
    expect(await code(readers.tokens.token(NOBODY))).toBe('token_not_found');
    expect(await code(readers.tokens.events(NOBODY, page))).toBe('token_not_found');
    expect(await code(readers.tokens.history(NOBODY, page))).toBe('token_not_found');
    expect(await code(readers.pools.pool('nowhere'))).toBe('pool_not_found');
    expect(await code(readers.feed.page('nowhere', 0, 1))).toBe('pool_not_found');
    for (const status of ['all', 'available', 'active'] as const) {
      expect(await code(readers.tokens.tokens({ poolName: 'nowhere', status, limit: 1 }))).toBe('pool_not_found');
    }
  });

  test('a cursor is good for the list that gave it, and for no other', async () => {
    await allocate();
    await allocate();
    const { next_cursor } = await readers.tokens.tokens({ poolName: pool, status: 'active', limit: 1 });
    const list = (status: 'all' | 'available' | 'active', cursor: string) =>
      readers.tokens.tokens({ poolName: pool, status, limit: 1, cursor });
    expect((await list('active', next_cursor!)).tokens).toMatchObject([{ fence: 2 }]);
    for (const bad of ['x', '~', next_cursor!.slice(1), `${next_cursor}=`, `${next_cursor}A`, 'YWN0aXZlfic7']) {
      expect([bad, await code(list('active', bad))]).toEqual([bad, 'invalid_request']);
    }
    expect(await code(list('all', next_cursor!))).toBe('invalid_request');
    expect(await code(list('available', next_cursor!))).toBe('invalid_request');
  });

  test('an ended lease is known by its id, on its own token only', async () => {
    const one = await allocate();
    const two = await allocate();
    await service.release(one.tokenId, {});
    expect(await readers.tokens.endOf(one.tokenId, one.leaseId)).toMatchObject({ end_reason: 'released_by_client' });
    expect(await readers.tokens.endOf(two.tokenId, two.leaseId)).toBeNull();
    expect(await readers.tokens.endOf(two.tokenId, one.leaseId)).toBeNull();
    expect(
      await readers.tokens.endOf(one.tokenId, `${one.leaseId.slice(0, -1)}${one.leaseId.endsWith('0') ? 1 : 0}`),
    ).toBeNull();
    expect(await readers.tokens.endOf(one.tokenId, 'ffffffff-ffff-ffff-ffff-ffffffffffff')).toBeNull();
  });

  test('counts add up in every snapshot while others take and give back', async () => {
    let isDone = false;
    const workers = Promise.all(
      Array.from({ length: 8 }, async (_, worker) => {
        for (let i = 0; i < 30; i++) {
          const { tokenId, leaseId } = await allocate(ANN, 0.001 + (worker % 3) / 100);
          await code(service.release(tokenId, { leaseId }));
        }
      }),
    ).finally(() => (isDone = true));
    for (let looks = 0; !isDone || looks < 5; looks++) {
      // In memory an answer is there at once: the workers must have their turn.
      await new Promise(setImmediate);
      const { counts } = await readers.pools.pool(pool);
      expect(counts.available + counts.active).toBe(counts.total);
      expect(counts.total).toBe(5);
      expect((await readers.tokens.tokens({ poolName: pool, status: 'all', limit: 10 })).tokens).toHaveLength(5);
    }
    await workers;
    await candidate.advance(1);
    await sweep(repository, new Executor(repository));
    expect(await audit(readers, pool)).toEqual([]);
  });

  test('a search finds the events of an actor or a request, and says how far it has looked', async () => {
    const ofKey = (keyId: string, requestId: string): { caller: Caller } => ({
      caller: { keyId, requestId, pools: null, mayOperate: true },
    });
    const { tokenId } = await service.allocate(pool, { userId: ANN }, ofKey('key-a', 'request-1'));
    await service.allocate(pool, { userId: BEN }, ofKey('key-b', 'request-2'));
    await service.release(tokenId, {}, ofKey('key-b', 'request-3'));
    const found = async (filter: { actor?: string; requestId?: string; keyId?: string }, after = 0, limit = 10) => {
      const page = await readers.feed.search(pool, after, limit, filter);
      return [page.events.map(({ seq }) => seq), page.scanned_to, page.last_seq];
    };
    expect(await found({ actor: 'key-b' })).toEqual([[7, 8], 8, 8]);
    expect(await found({ actor: 'key-b' }, 0, 1)).toEqual([[7], 7, 8]);
    expect(await found({ actor: 'key-b' }, 7)).toEqual([[8], 8, 8]);
    expect(await found({ requestId: 'request-1' })).toEqual([[6], 8, 8]);
    // The end of its lease was another key's doing, which it is not told. The tokens were made by the system.
    expect(await found({ keyId: 'key-a' })).toEqual([[1, 2, 3, 4, 5, 6], 8, 8]);
    expect(await found({ keyId: 'key-a', actor: 'key-a' })).toEqual([[6], 8, 8]);
    expect(await code(readers.feed.search(pool, 9, 1, {}))).toBe('position_unknown');
    expect(await code(readers.feed.search('nowhere', 0, 1, {}))).toBe('pool_not_found');
  });

  test('where a feed begins and how many seqs were given is known of the pools that there are', async () => {
    expect(await readers.feed.begins(pool)).toBe(0);
    expect(await readers.feed.begins('nowhere')).toBe(0);
    expect(await readers.feed.seqsGiven([pool, 'nowhere'])).toEqual(new Map([[pool, 5]]));
  });

  test('the ages of leases tell those that run from those that are overdue', async () => {
    await allocate(ANN, 10);
    await candidate.advance(5);
    await allocate(BEN);
    await candidate.advance(8);
    const ages = await readers.pools.leaseAges();
    const { oldest_active_seconds, overdue_seconds, ...rest } = ages.find((of) => of.pool === pool)!;
    expect(Math.floor(oldest_active_seconds)).toBe(8);
    expect(Math.floor(overdue_seconds)).toBe(3);
    expect(rest).toEqual({ pool, overdue: 1, clock_behind_seconds: expect.any(Number) as number });
  });

  test('pools are listed by name, all of them or those that are asked for', async () => {
    const names = (await readers.pools.pools()).map(({ name }) => name);
    expect(names).toContain(pool);
    expect(await readers.pools.pools(new Set([pool, 'nowhere']))).toEqual([await readers.pools.pool(pool)]);
  });

  test('nothing is read for a caller who has hung up', async () => {
    const gone = AbortSignal.abort();
    const { tokenId } = await allocate();
    expect(await code(readers.tokens.until(gone).token(tokenId))).toBe('unavailable');
    expect(await code(readers.pools.until(gone).pool(pool))).toBe('unavailable');
    expect(await code(readers.feed.until(gone).page(pool, 0, 1))).toBe('unavailable');
  });
});

test('a token that 0.1.0 grants has no holder, although 0.1.0 leaves that of the lease before', async () => {
  const database = await createTestDatabase();
  const opened = await openService(database.url);
  const { service, readers } = opened;
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await service.createPool('p', 'fixed', { size: 1 });
  const { tokenId } = await service.allocate('p', { userId: ANN, holder: 'ci-4711' });
  // As a release and a grant of 0.1.0, which know neither column.
  await client.query(`UPDATE tokens SET fence = 2, user_id = '${BEN}' WHERE id = $1`, [tokenId]);
  expect(await readers.tokens.token(tokenId)).toMatchObject({ active_user_id: BEN, holder: null });
  const query = { whose: { holder: 'ci-4711' }, pools: null, limit: 10 };
  expect((await readers.tokens.leases(query)).leases).toEqual([]);
  await service.release(tokenId, { userId: BEN });
  const { events } = await readers.tokens.events(tokenId, { limit: 1 });
  expect(events).toMatchObject([{ event: 'released', user_id: BEN, holder: null }]);
  await client.end();
  await opened.close();
  await database.drop();
});

describe('on PostgreSQL', () => {
  let database: TestDatabase;
  let process: Service;
  let readers: Service['readers'];
  let pools = 0;
  let pool: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    process = await openService(database.url);
    ({ readers } = process);
  });
  afterAll(async () => {
    await process.close();
    await database.drop();
  });
  beforeEach(async () => {
    pool = `pool-${++pools}`;
    await process.service.createPool(pool, 'fixed', { size: 5, ttlSeconds: 60 });
  });

  const allocate = (userId = ANN) => process.service.allocate(pool, { userId });

  test('the audit is told the same events as the feed, after any seq, to the microsecond', async () => {
    await process.service.changePool(pool, { renewable: true });
    const { tokenId } = await allocate();
    await process.service.keepAlive(tokenId, { userId: ANN });
    await process.service.release(tokenId, {});
    await allocate(BEN);
    const { events } = await readers.feed.page(pool, 0, 100);
    const stored = await readers.audit.events(pool, 0, 100);
    expect(stored).toHaveLength(10);
    const ofFeed = ({ seq, token_id, event, user_id, fence, reason, occurred_at, recorded_at }: StoredEventView) => {
      return { seq, token_id, event, user_id, fence, reason, occurred_at, recorded_at };
    };
    expect(stored.map(ofFeed)).toEqual(events.map(asStored).map(ofFeed));
    expect(await readers.audit.events(pool, 5, 2)).toEqual(stored.slice(5, 7));
    expect(await readers.audit.events(pool, 10, 100)).toEqual([]);
  });

  test('the audit of a pool in use raises no false alarm: it goes as far as the tokens it is compared with', async () => {
    let isDone = false;
    const workers = Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let i = 0; i < 30; i++) await allocate();
      }),
    ).finally(() => (isDone = true));
    const seen = new Set<number>();
    for (let looks = 0; !isDone || looks < 5; looks++) {
      const { findings, last_seq } = await auditPool(readers.audit, pool);
      expect(findings).toEqual([]);
      seen.add(last_seq);
    }
    await workers;
    expect(seen.size).toBeGreaterThan(1);
  });

  test('a page ends early where its events are large, and all of them are read page by page', async () => {
    const { tokenId } = await allocate();
    // As a version before has stored them: 4 kB that was sent, 178 kB each that PostgreSQL gives out.
    const client = new Client(database.url);
    await client.connect();
    await client.query(
      `INSERT INTO token_events (pool, seq, id, token_id, event, reason, occurred_at, recorded_at, user_id, fence, lease_id,
         activated_at, expires_at, metadata)
       SELECT e.pool, n, gen_random_uuid(), token_id, event, e.reason, occurred_at, recorded_at, user_id, n, lease_id, activated_at,
         expires_at, ('{"n":[' || repeat('1e308,', 575) || '1e308]}')::jsonb
       FROM token_events e, generate_series(7, 156) n WHERE pool = $1 AND e.event = 'activated'`,
      [pool],
    );
    await client.query('UPDATE pools SET last_seq = 156 WHERE name = $1', [pool]);
    await client.end();

    const read: Record<string, number[]> = { feed: [], stored: [], newEvents: [], search: [], events: [] };
    const largest = Object.fromEntries(Object.keys(read).map((name) => [name, 0]));
    const take = (name: string, page: readonly { readonly seq: number }[]): number => {
      largest[name] = Math.max(largest[name]!, page.length);
      read[name]!.push(...page.map(({ seq }) => seq));
      return page.length;
    };
    const last = (name: string): number => read[name]!.at(-1) ?? 0;
    while (take('feed', (await readers.feed.page(pool, last('feed'), 1000)).events) > 0);
    while (take('stored', await readers.audit.events(pool, last('stored'), 1000)) > 0);
    while (
      take('newEvents', (await readers.feed.newEvents(new Map([[pool, last('newEvents')]]), 1000))[0]?.events ?? []) > 0
    );
    for (let after = 0; after < 156;) {
      const page = await readers.feed.search(pool, after, 1000, { actor: 'open' });
      take('search', page.events);
      after = page.scanned_to!;
    }
    for (let cursor: string | undefined | null; cursor !== null;) {
      const page = await readers.tokens.events(tokenId, { limit: 1000, cursor });
      take('events', page.events);
      cursor = page.next_cursor;
    }
    const all = Array.from({ length: 156 }, (_, n) => n + 1);
    for (const name of ['feed', 'stored', 'newEvents']) expect([name, read[name]]).toEqual([name, all]);
    // The tokens were made by the system.
    expect(read['search']).toEqual(all.slice(5));
    expect(read['events']).toEqual(all.filter((seq) => seq > 5 || read['events']!.includes(seq)).toReversed());
    // Fifty large ones, the one that goes beyond the bound, and the six small ones before them.
    for (const most of Object.values(largest)) expect(most).toBeLessThanOrEqual(57);
  });

  test('an audit ends between two pages when its caller has gone, and takes no page more', async () => {
    await process.service.createPool('long', 'fixed', { size: 3000 });
    const gone = new AbortController();
    const progress: number[] = [];
    const audit = auditPool(readers.audit.until(gone.signal), 'long', (events) => {
      progress.push(events);
      gone.abort();
    });
    expect(await code(audit)).toBe('unavailable');
    expect(progress).toEqual([1000]);
    expect(await code(readers.audit.until(gone.signal).look('long', (stored) => stored))).toBe('unavailable');
  });
});

// The exam of what happens between two users: in memory, and on PostgreSQL. Each scenario ends with the auditor, which
// compares the feed with the tokens, and with counts that add up.

import {
  ANYBODY,
  sweep,
  TOKEN_STATUSES,
  toIso,
  type Caller,
  type DomainError,
  type OpenGrant,
  type PolicyChange,
  type PoolKind,
  type PoolView,
  type ReleaseRequest,
  type TokenStatus,
  type TokenView,
} from '@app/tokens';
import { inMemory, onPostgres, type Candidate } from '../support/candidate.js';
import { allTokens, audit, wholeFeed } from '../support/service.js';

const user = (n: number): string => `c0ffee00-0000-4000-8000-${String(n).padStart(12, '0')}`;
const JANITOR = user(100);
const OPERATOR: Caller = { keyId: 'operator', requestId: 'r', pools: null, mayOperate: true };

const refusal = (work: Promise<unknown>): Promise<DomainError> =>
  work.then(
    (value) => Promise.reject(new Error(`it was done: ${JSON.stringify(value)}`)),
    (error: DomainError) => error,
  );
const code = async (work: Promise<unknown>): Promise<string> => (await refusal(work)).code;

describe.each<[string, () => Promise<Candidate>]>([
  ['in memory', inMemory],
  ['of PostgreSQL', onPostgres],
])('between two users, %s', (_name, start) => {
  let candidate: Candidate;
  let pool: string;
  let pools = 0;

  beforeAll(async () => {
    candidate = await start();
  });
  afterAll(() => candidate.close());
  afterEach(async () => {
    expect(await audit(candidate.readers, pool)).toEqual([]);
    await countsMustAgree();
  });

  /** A pool of two tokens, whose leases last for 60 seconds and cannot be renewed. */
  const open = async (policy: PolicyChange = {}, kind: PoolKind = 'fixed'): Promise<void> => {
    pool = `pool-${++pools}`;
    const defaults = { size: 2, ttlSeconds: 60, onExhausted: 'reject' as const };
    await candidate.service.createPool(pool, kind, { ...defaults, ...policy });
  };
  const take = (n: number): Promise<OpenGrant> => candidate.service.allocate(pool, { userId: user(n) });
  const clean = (): Promise<OpenGrant> => candidate.service.clean(pool, { userId: JANITOR, holder: 'janitor' });
  const release = ({ tokenId, leaseId }: OpenGrant, options: ReleaseRequest = {}) =>
    candidate.service.release(tokenId, { leaseId, ...options });
  const shown = (tokenId: string): Promise<TokenView> => candidate.readers.tokens.token(tokenId);
  const view = (): Promise<PoolView> => candidate.readers.pools.pool(pool);
  const serve = () => sweep(candidate.repository, candidate.executor);
  const idsOf = async (status: TokenStatus | 'all'): Promise<string[]> =>
    (await candidate.readers.tokens.tokens({ poolName: pool, status, limit: 100 })).tokens.map(({ id }) => id);
  const events = async (): Promise<string[]> =>
    (await wholeFeed(candidate.readers.feed, pool))
      .filter(({ event }) => event !== 'generated')
      .map(({ event, reason }) => (reason === null ? event : `${event} ${reason}`));

  /** The counts are those of the list, by status and together. */
  async function countsMustAgree(): Promise<void> {
    const { counts } = await view();
    const tokens = await allTokens(candidate.readers.tokens, pool);
    const counted = TOKEN_STATUSES.map((status) => [status, tokens.filter((one) => one.status === status).length]);
    expect(counts).toEqual({ total: tokens.length, ...Object.fromEntries(counted) });
    for (const status of TOKEN_STATUSES) {
      const ids = tokens.filter((one) => one.status === status).map(({ id }) => id);
      expect([status, (await idsOf(status)).toSorted()]).toEqual([status, ids.toSorted()]);
    }
  }

  describe('a token that cools down', () => {
    test('is granted again when it has rested, and not before', async () => {
      await open({ size: 1, cooldownSeconds: 30 });
      const first = await take(1);
      expect(await release(first)).toBe('cooling');
      const { status, available_at } = await shown(first.tokenId);
      expect(status).toBe('cooling');
      const refused = await refusal(take(2));
      expect(refused.code).toBe('pool_exhausted');
      expect(refused.facts.retryAfterSeconds).toBeLessThanOrEqual(30);
      expect(refused.facts.retryAfterSeconds).toBeGreaterThanOrEqual(29);
      await countsMustAgree();
      await candidate.advance(31);
      expect(await shown(first.tokenId)).toMatchObject({ status: 'available', available_at: null });
      const again = await take(2);
      expect(toIso(again.activatedAt) >= available_at!).toBe(true);
    });

    test('does so after an expiry, whether or not a sweep has seen it', async () => {
      await open({ size: 1, cooldownSeconds: 30 });
      const { tokenId } = await take(1);
      await candidate.advance(70);
      expect(await shown(tokenId)).toMatchObject({ status: 'cooling' });
      await countsMustAgree();
      expect(await code(take(2))).toBe('pool_exhausted');
      await candidate.advance(25);
      expect((await shown(tokenId)).status).toBe('available');
      await countsMustAgree();
      expect((await take(2)).tokenId).toBe(tokenId);
    });

    test('does not after the holder’s own release, where only unclean ends count', async () => {
      await open({ size: 1, cooldownSeconds: 30, cooldownAfter: 'unclean' });
      const first = await take(1);
      expect(await release(first)).toBe('available');
      const { tokenId } = await take(2);
      expect(await candidate.service.release(tokenId, { force: true })).toBe('cooling');
      expect(await code(take(3))).toBe('pool_exhausted');
    });

    test('is not awaited by an eviction: such a pool ends no lease for somebody else', async () => {
      await open({ size: 1, cooldownSeconds: 30, onExhausted: 'evict_oldest' });
      await take(1);
      expect(await code(take(2))).toBe('pool_exhausted');
    });

    test('is in use by name only when it has rested', async () => {
      await open({ size: 1, cooldownSeconds: 30 });
      const { tokenId } = await take(1);
      await candidate.service.release(tokenId, {});
      const refused = await refusal(candidate.service.allocate(pool, { userId: user(2), tokenId }));
      expect([refused.code, refused.facts.retryAfterSeconds]).toEqual(['token_in_use', expect.any(Number)]);
    });

    test('goes last among those that have rested', async () => {
      await open({ cooldownSeconds: 10 });
      const [a, b] = [await take(1), await take(2)];
      await release(b);
      await candidate.advance(1);
      await release(a);
      await candidate.advance(20);
      expect(await idsOf('available')).toEqual([b.tokenId, a.tokenId]);
      expect([(await take(3)).tokenId, (await take(4)).tokenId]).toEqual([b.tokenId, a.tokenId]);
    });
  });

  describe('a token that is cleaned after each use', () => {
    const CLEANED = { afterUse: 'clean', cleanWithinSeconds: 20, maxCleans: 2 } as const;

    test('is dirty until somebody has cleaned it', async () => {
      await open({ size: 1, ...CLEANED });
      const used = await take(1);
      expect(await release(used)).toBe('dirty');
      expect(await code(take(2))).toBe('pool_exhausted');
      const cleaning = await clean();
      expect(cleaning).toMatchObject({ tokenId: used.tokenId, fence: 2, holder: 'janitor' });
      expect(cleaning.expiresAt - cleaning.activatedAt).toBe(20_000_000);
      expect(await shown(used.tokenId)).toMatchObject({ status: 'cleaning', active_user_id: JANITOR, fence: 2 });
      await countsMustAgree();
      expect(await code(clean())).toBe('nothing_dirty');
      expect(await code(take(2))).toBe('pool_exhausted');
      expect(await release(cleaning, { condition: 'ok' })).toBe('available');
      expect((await take(2)).tokenId).toBe(used.tokenId);
      expect(await events()).toEqual([
        'activated allocated',
        'released released_by_client',
        'soiled used',
        'activated cleaning',
        'released released_by_client',
        'cleaned',
        'activated allocated',
      ]);
    });

    test('is dirty after its lease expired, whether or not a sweep has seen it', async () => {
      await open({ size: 1, ...CLEANED });
      const { tokenId } = await take(1);
      await candidate.advance(61);
      expect((await shown(tokenId)).status).toBe('dirty');
      await countsMustAgree();
      expect((await clean()).tokenId).toBe(tokenId);
    });

    test('is dirty again when a cleaning expires, and disabled after so many', async () => {
      await open({ size: 1, ...CLEANED });
      const used = await take(1);
      await release(used);
      await clean();
      await candidate.advance(21);
      expect((await shown(used.tokenId)).status).toBe('dirty');
      await countsMustAgree();
      await clean();
      await candidate.advance(21);
      expect((await shown(used.tokenId)).status).toBe('disabled');
      await countsMustAgree();
      await serve();
      const { status, disabled_reason, disabled_by } = await shown(used.tokenId);
      expect([status, disabled_reason, disabled_by]).toEqual(['disabled', 'not clean after 2 cleanings', 'system']);
      expect(await code(clean())).toBe('nothing_dirty');
      await candidate.service.enable(used.tokenId, 'by hand');
      expect((await shown(used.tokenId)).status).toBe('dirty');
      expect(await release(await clean())).toBe('available');
    });

    test('stays dirty, or is disabled, when who cleans it says so', async () => {
      await open({ ...CLEANED });
      await release(await take(1));
      await release(await take(2));
      const [a, b] = [await clean(), await clean()];
      expect(await release(a, { condition: 'dirty' })).toBe('dirty');
      expect(await release(b, { condition: 'broken', note: 'no network' })).toBe('disabled');
      expect((await shown(b.tokenId)).disabled_reason).toBe('no network');
      expect((await clean()).tokenId).toBe(a.tokenId);
    });

    test('is cleaned in the order in which tokens became dirty', async () => {
      await open({ size: 3, ...CLEANED });
      const [a, b, c] = [await take(1), await take(2), await take(3)];
      for (const one of [c, a, b]) {
        await release(one);
        await candidate.advance(1);
      }
      expect([await clean(), await clean(), await clean()].map(({ tokenId }) => tokenId)).toEqual(
        [c, a, b].map(({ tokenId }) => tokenId),
      );
    });

    test('is given to one janitor each, however many ask at once', async () => {
      await open({ size: 5, ...CLEANED });
      for (const one of await Promise.all([1, 2, 3, 4, 5].map(take))) await release(one);
      const answers = await Promise.allSettled(Array.from({ length: 12 }, clean));
      const cleaned = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.tokenId] : []));
      expect([cleaned.length, new Set(cleaned).size]).toEqual([5, 5]);
    });

    test('keeps a lease that is kept alive within the time of the cleaning', async () => {
      await open({ size: 1, ...CLEANED, renewable: true });
      await release(await take(1));
      const { tokenId, leaseId, expiresAt } = await clean();
      await candidate.advance(5);
      expect((await candidate.service.keepAlive(tokenId, { leaseId })).expiresAt).toBe(expiresAt);
    });

    test('rests while it is dirty', async () => {
      await open({ size: 1, ...CLEANED, cooldownSeconds: 30 });
      await release(await take(1));
      expect(await release(await clean())).toBe('cooling');
      await candidate.advance(31);
      await take(2);
    });

    test('is not dirty when nobody has received its grant', async () => {
      await open({ size: 1, ...CLEANED });
      let takeBack: () => void = () => undefined;
      await candidate.service.allocate(pool, { userId: user(1) }, { ifUndelivered: (back) => (takeBack = back) });
      takeBack();
      expect((await take(2)).fence).toBe(2);
    });

    test('is cleaned in a pool that is paused', async () => {
      await open({ size: 1, ...CLEANED });
      await release(await take(1));
      await candidate.service.changePool(pool, { status: 'paused' });
      await release(await clean());
      expect(await code(take(2))).toBe('pool_paused');
    });

    test('counts with the leases of who cleans', async () => {
      await open({ ...CLEANED, maxPerUser: 1 });
      await release(await take(1));
      await release(await take(2));
      await clean();
      expect(await code(clean())).toBe('quota_exceeded');
    });
  });

  describe('a holder says how the token is', () => {
    test('dirty, also where tokens are not cleaned after use', async () => {
      await open({ size: 1 });
      expect(await release(await take(1), { condition: 'dirty' })).toBe('dirty');
      expect(await release(await clean())).toBe('available');
      expect((await take(2)).fence).toBe(3);
    });

    test('broken, and why', async () => {
      await open({ size: 1 });
      const { tokenId, leaseId } = await take(1);
      const caller = { ...OPERATOR, mayOperate: false };
      const mine = { leaseId, force: false, condition: 'broken', note: 'screen' } as const;
      expect(await candidate.service.release(tokenId, mine)).toBe('disabled');
      expect(await shown(tokenId)).toMatchObject({
        ...{ status: 'disabled', disabled_reason: 'screen', disabled_by: 'open' },
      });
      expect(await code(candidate.service.allocate(pool, { userId: user(2), tokenId }, { caller }))).toBe(
        'token_disabled',
      );
      await candidate.service.enable(tokenId, undefined);
      expect((await shown(tokenId)).status).toBe('available');
    });
  });

  describe('an operator', () => {
    test('takes a free token out of service, and puts it back', async () => {
      await open();
      const [id] = await idsOf('available');
      await candidate.service.disable(id!, 'audit', false, { caller: OPERATOR });
      expect(await shown(id!)).toMatchObject({
        ...{ status: 'disabled', disabled_reason: 'audit', disabled_by: 'operator' },
      });
      await countsMustAgree();
      expect((await take(1)).tokenId).not.toBe(id);
      expect(await code(take(2))).toBe('pool_exhausted');
      await candidate.service.disable(id!, 'audit', false, { caller: OPERATOR });
      await candidate.service.enable(id!, 'done', { caller: OPERATOR });
      await candidate.service.enable(id!, 'done', { caller: OPERATOR });
      expect((await take(2)).tokenId).toBe(id);
      expect(await events()).toEqual([
        'disabled disabled_by_client',
        'activated allocated',
        'enabled',
        'activated allocated',
      ]);
    });

    test('ends the lease of a held one', async () => {
      await open({ size: 1 });
      const { tokenId, leaseId } = await take(1);
      await candidate.service.disable(tokenId, 'recall', false, { caller: OPERATOR });
      expect((await shown(tokenId)).status).toBe('disabled');
      expect(await code(candidate.service.keepAlive(tokenId, { leaseId }))).toBe('lease_ended');
      expect(await events()).toEqual(['activated allocated', 'released revoked', 'disabled disabled_by_client']);
    });

    test('waits for the end of the lease', async () => {
      await open({ size: 1 });
      const used = await take(1);
      await candidate.service.disable(used.tokenId, 'recall', true, { caller: OPERATOR });
      expect(await shown(used.tokenId)).toMatchObject({ status: 'active', disabled_reason: 'recall' });
      await countsMustAgree();
      expect(await release(used)).toBe('disabled');
      await countsMustAgree();
    });

    test('takes that back', async () => {
      await open({ size: 1 });
      const used = await take(1);
      await candidate.service.disable(used.tokenId, 'recall', true);
      await candidate.service.enable(used.tokenId, undefined);
      expect(await release(used)).toBe('available');
    });

    test('makes no lease be evicted for a token that could not be granted', async () => {
      await open({ onExhausted: 'evict_oldest' });
      const [a, b] = [await take(1), await take(2)];
      await candidate.service.disable(a.tokenId, 'recall', true);
      const { tokenId, evicted } = await take(3);
      expect([tokenId, evicted?.userId]).toEqual([b.tokenId, user(2)]);
      await candidate.service.disable(a.tokenId, 'now', false);
      expect((await take(4)).evicted?.userId).toBe(user(3));
    });

    test('deletes a pool with tokens that are dirty, disabled and resting', async () => {
      await open({ size: 3, cooldownSeconds: 100 });
      const [a, b] = [await take(1), await take(2)];
      await release(a);
      await release(b, { condition: 'dirty' });
      await candidate.service.disable((await idsOf('available'))[0]!, 'old', false);
      await countsMustAgree();
      await candidate.service.deletePool(pool, false);
      expect(await code(view())).toBe('pool_deleted');
      await candidate.service.createPool(pool, 'fixed', { size: 1 });
    });

    test('makes a pool smaller whose surplus is out of service', async () => {
      await open({ size: 3 });
      for (const id of await idsOf('available')) await candidate.service.disable(id, 'old', false);
      await candidate.service.changePool(pool, { size: 1 });
      expect((await view()).counts).toMatchObject({ total: 1, disabled: 1 });
    });
  });

  describe('leases that end uncleanly', () => {
    test('disable a token after so many of different users in a row', async () => {
      await open({ size: 1, disableAfterUnclean: 2 });
      const { tokenId } = await take(1);
      await candidate.advance(61);
      await take(1);
      await candidate.advance(61);
      expect((await shown(tokenId)).status).toBe('available');
      await take(2);
      await candidate.advance(61);
      expect((await shown(tokenId)).status).toBe('disabled');
      await countsMustAgree();
      await serve();
      expect(await shown(tokenId)).toMatchObject({
        disabled_reason: '2 leases of different users in a row ended uncleanly',
        disabled_by: 'system',
      });
    });

    test('do not when one of them ends by its own release', async () => {
      await open({ size: 1, disableAfterUnclean: 2 });
      const { tokenId } = await take(1);
      await candidate.advance(61);
      await release(await take(2));
      await take(3);
      await candidate.advance(61);
      expect((await shown(tokenId)).status).toBe('available');
    });
  });

  describe('who waits in line', () => {
    const LINE = { size: 1, maxWaiting: 5, claimSeconds: 10 };
    const queue = (n: number) => candidate.line.queue(pool, { userId: user(n), count: 1 }, { caller: ANYBODY });
    const ticket = (id: string) => candidate.readers.lines.ticket(id);

    test('is promised a token after it has rested, and is offered it then', async () => {
      await open({ ...LINE, cooldownSeconds: 30 });
      const used = await take(1);
      const { id, not_later_than } = await queue(2);
      expect(not_later_than).toBe(toIso(used.expiresAt + 30_000_000));
      await release(used);
      expect((await ticket(id)).status).toBe('waiting');
      await candidate.advance(29);
      await candidate.line.claim(pool, id, 0);
      await candidate.advance(2);
      await serve();
      expect((await ticket(id)).status).toBe('offered');
    });

    test('is promised a token after it was cleaned in time, and nothing where no time is given', async () => {
      await open({ ...LINE, afterUse: 'clean', cleanWithinSeconds: 20 });
      const used = await take(1);
      const { id, not_later_than } = await queue(2);
      expect(not_later_than).toBe(toIso(used.expiresAt + 20_000_000));
      await release(used);
      expect((await ticket(id)).status).toBe('waiting');
      await release(await clean());
      expect((await ticket(id)).status).toBe('offered');
      const unlimited = { ...LINE, afterUse: 'clean' as const };
      await open(unlimited);
      await take(1);
      expect((await queue(2)).not_later_than).toBeNull();
    });

    test('is told when the promise does not hold, because a token is taken out of service', async () => {
      await open({ ...LINE, size: 2 });
      const a = await take(1);
      await candidate.advance(5);
      await take(2);
      const { id, not_later_than } = await queue(3);
      expect(not_later_than).toBe(toIso(a.expiresAt));
      await candidate.service.disable(a.tokenId, 'recall', false);
      const later = (await ticket(id)).not_later_than;
      expect(later! > not_later_than!).toBe(true);
      expect((await events()).slice(-2)).toEqual(['disabled disabled_by_client', 'promised']);
    });

    test('is offered a token that is enabled', async () => {
      await open(LINE);
      const [id] = await idsOf('available');
      await candidate.service.disable(id!, 'audit', false);
      const waiting = await queue(1);
      expect(waiting.status).toBe('waiting');
      await candidate.service.enable(id!, undefined);
      expect((await ticket(waiting.id)).status).toBe('offered');
    });

    test('does not make a token dirty by an offer that nobody claims', async () => {
      await open({ ...LINE, afterUse: 'clean', cleanWithinSeconds: 20, cooldownSeconds: 30 });
      const { id } = await queue(1);
      await candidate.advance(11);
      expect((await ticket(id)).status).toBe('ended');
      await countsMustAgree();
      expect((await take(2)).fence).toBe(2);
    });
  });

  test('a selection finds what is dirty, and is not impossible while its tokens are kept back', async () => {
    await open({ size: 10 }, 'listed');
    for (const [n, country] of ['de', 'fr'].entries())
      await candidate.service.addThing(pool, { name: `thing ${n}`, attributes: { country } });
    const of = (country: string) => candidate.service.allocate(pool, { userId: user(1), select: { country } });
    await release(await of('de'), { condition: 'dirty' });
    await release(await of('fr'), { condition: 'dirty' });
    expect(await code(of('fr'))).toBe('pool_exhausted');
    expect(await code(of('it'))).toBe('unsatisfiable');
    const cleaning = await candidate.service.clean(pool, { userId: JANITOR, select: { country: 'fr' } });
    expect(cleaning.attributes).toEqual({ country: 'fr' });
    expect(await code(candidate.service.clean(pool, { userId: JANITOR, select: { country: 'fr' } }))).toBe(
      'nothing_dirty',
    );
    await release(cleaning);
    expect((await of('fr')).name).toBe('thing 1');
  });
});

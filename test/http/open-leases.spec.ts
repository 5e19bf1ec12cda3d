// What somebody holds over all pools, and whether a lease is still open.

import { randomUUID } from 'node:crypto';
import { startApp, type TestApp } from '../support/app.js';
import { A_TIME, A_UUID, clientOf, expectProblem, type Answer, type Ask, type Json } from './client.js';

let app: TestApp;
let ask: Ask;

beforeAll(async () => {
  app = await startApp({ POOL_SIZE: '3' });
  ask = clientOf(app);
  await ask('POST', '/api/pools', { name: 'seats', kind: 'fixed', size: 3 });
});
afterAll(() => app.close());

let names = 0;
const newName = (): string => `ci-${++names}`;
const take = async (holder: string, pool: string, metadata?: Json): Promise<Json> =>
  (await ask('POST', '/api/tokens/allocate', { holder, pool, metadata })).body;

describe('GET /api/leases', () => {
  test('lists what a holder holds in every pool, by name and by user id, page by page', async () => {
    const holder = newName();
    const metadata = { desk: 7 };
    const grants = [await take(holder, 'default', metadata), await take(holder, 'seats', metadata)];
    const leases = grants.map(({ token_id, pool, fence, user_id, activated_at, expires_at }) => ({
      ...{ token_id, name: null, pool, fence, holder, user_id, activated_at, expires_at, metadata },
    }));
    for (const query of [`holder=${holder}`, `user_id=${grants[0]!.user_id}`]) {
      expect((await ask('GET', `/api/leases?${query}`)).body).toEqual({ leases, next_cursor: null });
      const { body: first } = await ask('GET', `/api/leases?${query}&limit=1`);
      expect(first.leases).toEqual(leases.slice(0, 1));
      const { body: second } = await ask('GET', `/api/leases?${query}&limit=1&cursor=${first.next_cursor}`);
      expect(second).toEqual({ leases: leases.slice(1), next_cursor: null });
    }
  });

  test('is empty for who holds nothing, and asks whose leases are meant', async () => {
    expect((await ask('GET', '/api/leases?holder=nobody')).body).toEqual({ leases: [], next_cursor: null });
    for (const query of ['', `?holder=a&user_id=${randomUUID()}`, '?user_id=me', '?holder=', '?holder=a&limit=1001']) {
      expectProblem(await ask('GET', `/api/leases${query}`), 400, 'invalid_request');
    }
  });
});

describe('POST /api/leases/release', () => {
  const release = (body: Json): Promise<Answer> => ask('POST', '/api/leases/release', body);
  const held = async (holder: string): Promise<Json[]> =>
    (await ask('GET', `/api/leases?holder=${holder}`)).body.leases;

  test('ends what a holder holds in every pool, says why, and leaves others alone', async () => {
    const [holder, other] = [newName(), newName()];
    const grants = [await take(holder, 'default'), await take(holder, 'seats')];
    await take(other, 'seats');
    expect(await release({ holder, note: 'the job was cancelled' })).toMatchObject({
      status: 200,
      body: { released: 2 },
    });
    expect(await held(holder)).toEqual([]);
    expect(await held(other)).toHaveLength(1);
    for (const { token_id, lease_id } of grants) {
      const { body } = await ask('GET', `/api/tokens/${token_id}/events?limit=1`);
      expect(body.events).toMatchObject([{ event: 'released', reason: 'revoked', holder }]);
      expect(body.events[0].metadata).toMatchObject({ note: 'the job was cancelled' });
      const late = await ask('POST', `/api/tokens/${token_id}/release`, { lease_id });
      expectProblem(late, 410, 'lease_ended');
      expect(late.body.end_reason).toBe('revoked');
    }
    expect((await release({ holder })).body).toEqual({ released: 0 });
    expect((await release({ holder: other, pool: 'default' })).body).toEqual({ released: 0 });
    expect((await release({ holder: other, pool: 'seats' })).body).toEqual({ released: 1 });
  });

  test('ends what a user holds, under whatever name', async () => {
    const holder = newName();
    const { user_id } = await take(holder, 'default');
    await ask('POST', '/api/tokens/allocate', { user_id, pool: 'seats' });
    expect((await release({ user_id })).body).toEqual({ released: 2 });
  });

  test('asks whose leases are meant, and for a pool that exists', async () => {
    for (const body of [{}, { pool: 'seats' }, { holder: 'a', user_id: randomUUID() }, { holder: 'a', note: 'b\n' }]) {
      expectProblem(await release(body), 400, 'invalid_request');
    }
    expectProblem(await release({ holder: 'a', pool: 'none' }), 404, 'pool_not_found');
  });
});

describe('POST /api/leases/verify', () => {
  const verify = (body: Json): Promise<Answer> => ask('POST', '/api/leases/verify', body);

  test('says of an open lease whose it is and for how long', async () => {
    const holder = newName();
    const { token_id, lease_id, fence, user_id, expires_at } = await take(holder, 'seats');
    for (const body of [{ lease_id }, { token_id, fence }]) {
      const { status, body: found } = await verify(body);
      expect(status).toBe(200);
      expect(found).toEqual({
        ...{ valid: true, token_id, name: null, pool: 'seats', fence, holder, user_id, expires_at, secret: null },
        expires_in_ms: expect.any(Number) as number,
      });
      expect(found.expires_in_ms).toBeLessThanOrEqual(Date.parse(expires_at as string) - Date.now() + 5000);
    }
  });

  test('is no error for a lease that is over or never was', async () => {
    const { token_id, lease_id, fence } = await take(newName(), 'seats');
    await ask('POST', `/api/tokens/${token_id}/release`, { lease_id });
    const nothing = { name: null, pool: null, holder: null, user_id: null, expires_at: null, expires_in_ms: null };
    const unknown = { valid: false, token_id: null, fence: null, ...nothing };
    expect(await verify({ lease_id })).toMatchObject({ status: 200, body: unknown });
    expect(await verify({ lease_id: randomUUID() })).toMatchObject({ status: 200, body: unknown });
    expect(await verify({ token_id, fence })).toMatchObject({ status: 200, body: { ...unknown, token_id, fence } });
    expect((await verify({ token_id: randomUUID(), fence: 1 })).body).toMatchObject({ valid: false, token_id: A_UUID });
  });

  test('asks for the one name of a lease or the other', async () => {
    const [lease_id, token_id] = [randomUUID(), randomUUID()];
    for (const body of [{}, { token_id }, { fence: 1 }, { lease_id, fence: 1 }, { lease_id, token_id, fence: 1 }]) {
      expectProblem(await verify(body), 400, 'invalid_request');
    }
    expect((await take(newName(), 'default')).expires_at).toEqual(A_TIME);
  });
});

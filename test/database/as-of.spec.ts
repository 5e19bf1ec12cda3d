// The past is shown as it was shown: at random instants of a random history, what is told of an instant later is what the
// reader showed at that instant.

import { Client } from 'pg';
import { DomainError, sweep, type PoolView, type TokenDetailsView } from '@app/tokens';
import { installClock, type MovableClock } from '../support/clock.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { audit } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';

const USERS = ['c0ffee00-0000-4000-8000-000000000001', 'c0ffee00-0000-4000-8000-000000000002'];
const SEED = Number(process.env.MODEL_SEED ?? Date.now() % 1_000_000);

let database: TestDatabase;
let service: Service;
let client: Client;
let clock: MovableClock;

beforeAll(async () => {
  database = await createTestDatabase();
  clock = await installClock(database.url);
  service = await openService(database.url);
  client = new Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await service.close();
  await database.drop();
});

/** mulberry32: the same numbers for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const now = async (): Promise<string> =>
  (
    await client.query<{ now: string }>(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`,
    )
  ).rows[0]!.now;

/** An error's code stands for what would have been shown. */
const shown = async <T>(work: Promise<T>): Promise<T | string> =>
  work.catch((error: unknown) => {
    if (error instanceof DomainError) return error.code;
    throw error;
  });

interface Seen {
  readonly at: string;
  readonly pool: PoolView;
  readonly tokens: ReadonlyMap<string, TokenDetailsView | string>;
}

test(`what was shown at random instants is told of them later (MODEL_SEED=${SEED})`, async () => {
  const next = random(SEED);
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(next() * items.length)];
  await service.service.createPool('p', 'elastic', {
    size: 6,
    ttlSeconds: 30,
    idleTtlSeconds: 120,
    onExhausted: 'evict_oldest',
  });
  const known = new Set<string>();
  const seen: Seen[] = [];
  known.add((await service.service.generate('p')).id);
  for (let step = 0; step < 150; step++) {
    const [token, user] = [pick([...known]), pick(USERS)];
    const dice = next();
    if (dice < 0.15) await service.service.generate('p').then(({ id }) => known.add(id), ignored);
    else if (dice < 0.5)
      await service.service
        .allocate('p', { userId: user!, ttlSeconds: 1 + next() * 40, metadata: { step } })
        .catch(ignored);
    else if (dice < 0.6) await service.service.release(token!, {}).catch(ignored);
    else if (dice < 0.7) await service.service.keepAlive(token!, { userId: user }).catch(ignored);
    else if (dice < 0.75) await service.service.delete(token!, true).catch(ignored);
    else if (dice < 0.77) await service.service.changePool('p', { ttlSeconds: 20 + step, maxPerUser: pick([5, null]) });
    else if (dice < 0.8) await sweep(service.repository, service.executor);
    // Months go by, too.
    else await clock.advance(dice > 0.99 ? 20 * 86_400 : next() * 25);
    await service.partitions.ensure();
    const tokens = new Map<string, TokenDetailsView | string>();
    const before = await now();
    for (const id of known) tokens.set(id, await shown(service.readers.tokens.token(id)));
    const pool = await service.readers.pools.pool('p');
    // A lease may have ended while we looked: what is shown must be of one instant.
    const again = await service.readers.pools.pool('p');
    if (JSON.stringify(again) === JSON.stringify(pool) && (await isQuiet(before)))
      seen.push({ at: before, pool, tokens });
  }
  expect(seen.length).toBeGreaterThan(100);
  expect(await audit(service.readers, 'p')).toEqual([]);
  for (const { at, pool, tokens } of seen) {
    const told = await service.readers.past.pool('p', at);
    expect({ ...told, as_of: undefined }).toEqual({ ...pool, as_of: undefined });
    expect(told.as_of).toBe(at);
    for (const [id, view] of tokens) {
      const then = await shown(service.readers.past.token(id, at));
      if (typeof view === 'string') expect(then).toBe(view);
      else expect(then).toEqual({ ...view, draining: null, as_of: at });
    }
  }
});

const ignored = (error: unknown): void => {
  if (!(error instanceof DomainError)) throw error;
};

/** Whether no lease's deadline has passed since then. */
async function isQuiet(since: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM tokens WHERE status = 'active' AND expires_at > $1 AND expires_at <= clock_timestamp()`,
    [since],
  );
  return rowCount === 0;
}

test('an instant to come, one before the first token, and a token not made yet are told apart', async () => {
  await service.service.createPool('q', 'elastic', { size: 2 });
  const start = await now();
  const { id } = await service.service.generate('q');
  expect(await shown(service.readers.past.pool('q', '2999-01-01T00:00:00Z'))).toBe('invalid_request');
  expect(await shown(service.readers.past.pool('q', start))).toBe('pool_not_found');
  expect(await shown(service.readers.past.pool('nowhere', start))).toBe('pool_not_found');
  await clock.advance(1);
  const between = await now();
  const { id: later } = await service.service.generate('q');
  expect(await shown(service.readers.past.token(later, between))).toBe('token_not_found');
  expect(await service.readers.past.token(id, between)).toMatchObject({
    status: 'available',
    history: [],
    as_of: between,
  });
  expect(await service.readers.past.pool('q', between)).toMatchObject({
    counts: { total: 1, available: 1, active: 0 },
    last_seq: 1,
  });
});

test('a listed pool and its things are told with the policy, the name and the attributes of then', async () => {
  const at: string[] = [];
  const seen: { pool: PoolView; token: unknown }[] = [];
  const { service: pools, readers } = service;
  await pools.createPool('l', 'listed', { ttlSeconds: 3000, maxPerUser: 7 });
  const { id } = await pools.addThing('l', { name: 'one', attributes: { os: 14 } });
  const look = async (): Promise<void> => {
    await clock.advance(1);
    at.push(await now());
    seen.push({ pool: await readers.pools.pool('l'), token: await shown(readers.tokens.token(id)) });
    await clock.advance(1);
  };
  await look();
  await pools.allocate('l', { userId: USERS[0]!, metadata: { desk: 7 } });
  await look();
  await pools.changeThing(id, { name: 'two' });
  await pools.changePool('l', { maxPerUser: null, status: 'paused' });
  await look();
  await pools.changeThing(id, { attributes: { os: '15', sim: true } });
  await pools.changePool('l', { maxPerUser: 3 });
  await look();
  await pools.deleteWhenFree(id);
  await look();
  await pools.deletePool('l', true);
  await clock.advance(1);
  const deleted = await now();
  await clock.advance(1);
  await pools.createPool('l', 'elastic', { size: 3 });
  await pools.changePool('l', { size: 4, maxPerUser: 9 });
  for (const [i, { pool, token }] of seen.entries()) {
    expect(await readers.past.pool('l', at[i]!)).toEqual({ ...pool, as_of: at[i] });
    expect(await readers.past.token(id, at[i]!)).toEqual({ ...(token as object), draining: null, as_of: at[i] });
  }
  const names = seen.map(({ token }) => (token as TokenDetailsView).name);
  expect(names).toEqual(['one', 'one', 'two', 'two', 'two']);
  const counts = { total: 0, available: 0, active: 0 };
  const policy = { kind: 'listed', size: 100_000, max_per_user: 3, status: 'paused' };
  expect(await readers.past.pool('l', deleted)).toMatchObject({ ...policy, counts });
  expect(await readers.past.pool('l', await now())).toMatchObject({ kind: 'elastic', size: 4, max_per_user: 9 });
});

test('where a version without counters wrote, they are counted', async () => {
  await service.service.createPool('r', 'fixed', { size: 3, ttlSeconds: 1000 });
  await service.service.allocate('r', { userId: USERS[0]! });
  const at = await now();
  await client.query(`DO $$ DECLARE part text; BEGIN
    FOR part IN SELECT name FROM event_partitions LOOP
      EXECUTE format('ALTER TABLE %I DISABLE TRIGGER ALL', part);
      EXECUTE format('UPDATE %I SET tokens_after = NULL, leases_after = NULL WHERE pool = ''r''', part);
      EXECUTE format('ALTER TABLE %I ENABLE TRIGGER ALL', part);
    END LOOP; END $$`);
  expect(await service.readers.past.pool('r', at)).toMatchObject({
    counts: { total: 3, available: 2, active: 1 },
    last_seq: 4,
  });
});

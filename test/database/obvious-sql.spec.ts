// Why the pool's lock is a statement of its own (design: "the obvious SQL is wrong"). Two sessions on a full pool,
// in the one order in which it shows; each row of the table was 40 callers at once. Our own 40 callers are in
// token-pool-repository.spec.ts.

import { Client } from 'pg';
import { DomainError, loadSpec } from '@app/tokens';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { audit } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';
import { untilWaiting } from '../support/waiting.js';

const USER = 'c0ffee00-0000-4000-8000-000000000001';
const OLDEST = `SELECT id FROM tokens WHERE pool = 'p' ORDER BY last_activated_at LIMIT 1`;
const TAKE = `UPDATE tokens SET last_activated_at = clock_timestamp() WHERE pool = 'p' AND id = $1`;

let database: TestDatabase;
let service: Service;
let alice: Client;
let bob: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  service = await openService(database.url);
  await service.service.createPool('p', 'fixed', { size: 3 });
  for (let i = 0; i < 3; i++) await service.service.allocate('p', { userId: USER });
  [alice, bob] = [new Client(database.url), new Client(database.url)];
  await Promise.all([alice.connect(), bob.connect()]);
});
afterEach(async () => {
  await Promise.all([alice.end(), bob.end()]);
  await service.close();
  await database.drop();
});

const idOf = async (query: Promise<{ rows: { id: string }[] }>): Promise<string | undefined> =>
  (await query).rows[0]?.id;

/** Alice takes the oldest token while Bob already asks for one; answers what each got. */
async function interleaved(lock: string | null, choose: string): Promise<[string | undefined, string | undefined]> {
  const { pid } = (await bob.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!;
  await alice.query('BEGIN');
  await bob.query('BEGIN');
  if (lock) await alice.query(lock);
  const alices = await idOf(alice.query<{ id: string }>(choose));
  await alice.query(TAKE, [alices]);
  const bobs = (async () => {
    if (lock) await bob.query(lock);
    return idOf(bob.query<{ id: string }>(choose));
  })();
  await untilWaiting(database.url, pid);
  await alice.query('COMMIT');
  const taken = await bobs;
  await bob.query('ROLLBACK');
  return [alices, taken];
}

test('ORDER BY … LIMIT 1 FOR UPDATE hands the token that was just granted to the caller who waited for it', async () => {
  const [alices, bobs] = await interleaved(null, `${OLDEST} FOR UPDATE`);
  expect(bobs).toBe(alices);
});

test('a lock on the pool and the choice in one statement choose from before the wait: the same token again', async () => {
  const [alices, bobs] = await interleaved(
    null,
    `WITH pool AS MATERIALIZED (SELECT name FROM pools WHERE name = 'p' FOR UPDATE)
     SELECT t.id FROM pool, LATERAL (${OLDEST.replace(`'p'`, 'pool.name')}) t`,
  );
  expect(bobs).toBe(alices);
});

test('SKIP LOCKED finds nothing free where the rows are merely locked', async () => {
  await service.service.cleanup('p');
  const free = `SELECT id FROM tokens WHERE pool = 'p' AND status = 'available' FOR UPDATE SKIP LOCKED`;
  await alice.query('BEGIN');
  expect((await alice.query(free)).rowCount).toBe(3);
  expect((await bob.query(free)).rowCount).toBe(0);
  await alice.query('ROLLBACK');
  expect((await bob.query(free)).rowCount).toBe(3);
});

test('the lock in a statement of its own, then the choice in the next, gives everybody a token of their own', async () => {
  const [alices, bobs] = await interleaved(`SELECT FROM pools WHERE name = 'p' FOR NO KEY UPDATE`, OLDEST);
  expect(alices).toBeDefined();
  expect(bobs).toBeDefined();
  expect(bobs).not.toBe(alices);
});

test('and the service does just that: a caller who waits for the lock is granted the next oldest', async () => {
  await alice.query(`BEGIN; SELECT FROM pools WHERE name = 'p' FOR NO KEY UPDATE`);
  const waiting = Promise.all([1, 2].map(() => service.service.allocate('p', { userId: USER })));
  const others = await openService(database.url);
  const elsewhere = others.service.allocate('p', { userId: USER });
  await alice.query('COMMIT');
  const grants = [...(await waiting), await elsewhere];
  expect(new Set(grants.map(({ tokenId }) => tokenId)).size).toBe(3);
  expect(grants.map(({ evicted }) => evicted!.fence).sort()).toEqual([1, 2, 3]);
  expect(await audit(service.readers, 'p')).toEqual([]);
  await others.close();
});

test('a token that vanished from under the audit is refused rather than recorded', async () => {
  const { tokenId } = (await service.readers.tokens.tokens({ poolName: 'p', status: 'active', limit: 1 })).tokens.map(
    ({ id }) => ({ tokenId: id }),
  )[0]!;
  // Nobody may write tokens without the pool's lock. If somebody does, between our look and our write:
  const refused = service.repository.change('p', loadSpec({ tokenIds: [tokenId] }), (pool) => {
    pool.release(tokenId, {});
    Object.assign([...pool.changed][0]!, { id: 'c0ffee00-0000-4000-8000-00000000dead' });
  });
  await expect(refused).rejects.toThrow('the database failed');
  await expect(refused).rejects.not.toBeInstanceOf(DomainError);
  expect(await audit(service.readers, 'p')).toEqual([]);
});

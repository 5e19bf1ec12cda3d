// Tamper evidence: whatever somebody with all rights does to the audit, the auditor names the first event that is not
// what it was.

import { generateKeyPairSync } from 'node:crypto';
import { Client } from 'pg';
import { ANYBODY, auditPool, readCheckpoint, signCheckpoint, sweep, type ChainPoint } from '@app/tokens';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { installClock } from '../support/clock.js';
import { openService, type Service } from '../../tools/harness/service.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';
const METADATA = {
  zebra: 1,
  a: [1.5, -0, 1e21, 1e-7, { z: null, 'ä"\\\n': '\u2028 😀' }],
  '10': 'ten',
  '9': true,
  __proto__x: {},
};

let database: TestDatabase;
let service: Service;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  const clock = await installClock(database.url);
  service = await openService(database.url);
  client = new Client({ connectionString: database.url });
  await client.connect();
  await service.service.createPool('p', 'elastic', { size: 3, ttlSeconds: 60 });
  const caller = { ...ANYBODY, requestId: 'a "request" \n of somebody' };
  for (let i = 0; i < 2; i++) await service.service.generate('p');
  const first = await service.service.allocate('p', { userId: ANN, metadata: METADATA }, { caller });
  await service.service.keepAlive(first.tokenId, { leaseId: first.leaseId });
  await Promise.all([1, 2].map(() => service.service.allocate('p', { userId: ANN }).catch(() => undefined)));
  await service.service.release(first.tokenId, {});
  await clock.advance(600);
  await sweep(service.repository, service.executor);
});
afterAll(async () => {
  await client.end();
  await service.close();
  await database.drop();
});

const findings = async (pool = 'p'): Promise<readonly string[]> =>
  (await auditPool(service.readers.audit, pool)).findings;

/** Everything is as it was afterwards. */
async function tampered(...statements: string[]): Promise<readonly string[]> {
  const tables = ['pools', 'token_events_beginning'];
  for (const table of tables) await client.query(`CREATE TABLE kept_${table} AS TABLE ${table}`);
  await client.query('ALTER TABLE token_events_beginning DISABLE TRIGGER ALL');
  for (const statement of statements) {
    const { rowCount } = await client.query(statement);
    expect(rowCount).toBeGreaterThan(0);
  }
  try {
    return await findings();
  } finally {
    await client.query(`DELETE FROM token_events_beginning; DELETE FROM pools`);
    for (const table of tables)
      await client.query(`INSERT INTO ${table} TABLE kept_${table}; DROP TABLE kept_${table}`);
    await client.query('ALTER TABLE token_events_beginning ENABLE TRIGGER ALL');
  }
}

test('what the service writes is sound, whatever its metadata looks like', async () => {
  expect(await findings()).toEqual([]);
  const events = await service.readers.audit.events('p', 0, 100);
  expect(events.length).toBeGreaterThan(8);
  expect(events.map(({ hash }) => hash)).toEqual(events.map(() => expect.stringMatching(/^[0-9a-f]{64}$/) as string));
  expect(new Set(events.map(({ hash }) => hash)).size).toBe(events.length);
});

describe('one column of one event that is changed', () => {
  const AT = 3;
  test.each([
    ['id', 'gen_random_uuid()'],
    ['token_id', `'${ANN}'`],
    ['event', `'renewed'`],
    ['reason', `'cleanup'`],
    ['occurred_at', `occurred_at - interval '1 microsecond'`],
    ['recorded_at', `recorded_at + interval '1 microsecond'`],
    ['user_id', 'gen_random_uuid()'],
    ['fence', 'fence + 7'],
    ['lease_id', 'gen_random_uuid()'],
    ['activated_at', `activated_at - interval '1 microsecond'`],
    ['expires_at', `expires_at + interval '1 microsecond'`],
    ['metadata', `jsonb_set(metadata, '{a,4,z}', '0')`],
    ['metadata', 'NULL'],
    ['key_id', `'somebody'`],
    ['actor', `'somebody'`],
    ['request_id', 'NULL'],
    ['tokens_after', 'tokens_after + 1'],
    ['leases_after', '0'],
    ['holder', `'somebody'`],
    ['hash', `sha256('x')`],
  ])('%s = %s is found at that event', async (column, value) => {
    const found = await tampered(`UPDATE token_events_beginning SET ${column} = ${value} WHERE seq = ${AT}`);
    expect(found[0]).toMatch(new RegExp(`^seq ${AT} .*hash`));
  });

  test('is every column there is', async () => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'token_events'::regclass AND attnum > 0`,
    );
    const tried =
      'id token_id event reason occurred_at recorded_at user_id fence lease_id activated_at expires_at metadata key_id actor request_id tokens_after leases_after holder hash';
    // The other two say which event it is: see below.
    expect(rows.map(({ name }) => name).sort()).toEqual([...tried.split(' '), 'pool', 'seq'].sort());
  });
});

test.each([
  ['an event that moved to another pool', 4, [`UPDATE token_events_beginning SET pool = 'q' WHERE seq = 3`]],
  ['an event that was removed', 4, [`DELETE FROM token_events_beginning WHERE seq = 3`]],
  [
    'an event that was removed, and the others renumbered',
    3,
    [
      `DELETE FROM token_events_beginning WHERE seq = 3`,
      `UPDATE token_events_beginning SET seq = -seq WHERE seq > 3`,
      `UPDATE token_events_beginning SET seq = -seq - 1 WHERE seq < 0`,
      `UPDATE pools SET last_seq = last_seq - 1, hashed_seq = hashed_seq - 1`,
    ],
  ],
  [
    'two events that were swapped',
    3,
    [
      `UPDATE token_events_beginning SET seq = -seq WHERE seq IN (3, 4)`,
      `UPDATE token_events_beginning SET seq = 7 + seq WHERE seq < 0`,
    ],
  ],
  [
    'an event without its hash that was changed, at the next one',
    4,
    [`UPDATE token_events_beginning SET hash = NULL, reason = NULL WHERE seq = 3`],
  ],
])('%s: seq %i is named', async (_what, seq, statements) => {
  expect((await tampered(...statements))[0]).toMatch(new RegExp(`^seq ${seq} .*hash`));
});

test('a tail that was cut off is missed where the feed now ends, because the pool’s row goes on', async () => {
  const { last_seq } = await service.readers.pools.pool('p');
  const found = await tampered(`DELETE FROM token_events_beginning WHERE seq > ${last_seq - 2}`);
  expect(found[0]).toBe(`seq ${last_seq - 1}: the chain of hashes goes up to seq ${last_seq}, the feed does not`);
});

test('the pool’s row gives away a last event whose hash was computed again', async () => {
  const { last_seq } = await service.readers.pools.pool('p');
  const found = await tampered(`UPDATE pools SET last_hash = sha256('x')`);
  expect(found[0]).toMatch(new RegExp(`^seq ${last_seq} .* not the one that the pool goes on from`));
});

describe('a checkpoint', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const point = async (): Promise<ChainPoint> => {
    const { last_seq: seq, last_hash: hash } = await auditPool(service.readers.audit, 'p');
    return { pool: 'p', seq, hash };
  };
  const against = async (expected: ChainPoint): Promise<readonly string[]> =>
    (await auditPool(service.readers.audit, 'p', undefined, expected)).findings;

  test('is in the chain as long as only new events follow, and not in a history that was rewritten', async () => {
    const text = signCheckpoint({ at: '2026-11-21T09:30:00Z', points: [await point()] }, privateKey);
    const kept = readCheckpoint(text, publicKey).points[0]!;
    await service.service.generate('p');
    expect(await against(kept)).toEqual([]);
    expect((await against({ ...kept, hash: 'a'.repeat(64) }))[0]).toMatch(new RegExp(`^seq ${kept.seq} .*rewritten`));
    expect((await against({ ...kept, seq: kept.seq + 100 }))[0]).toMatch(
      /the checkpoint goes up to seq \d+, the feed does not/,
    );
  });

  test('is refused when it was changed, or signed by somebody else', async () => {
    const text = signCheckpoint({ at: '2026-11-21T09:30:00Z', points: [await point()] }, privateKey);
    expect(() => readCheckpoint(text.replace(/"seq": \d+/, '"seq": 1'), publicKey)).toThrow(/signature/);
    expect(() => readCheckpoint(text, generateKeyPairSync('ed25519').publicKey)).toThrow(/signature/);
    expect(() => readCheckpoint('{}', publicKey)).toThrow(/not a checkpoint/);
  });
});

describe('beside a version without hashes', () => {
  const old = async (pool: string, events: number): Promise<void> => {
    await client.query(
      `WITH p AS (UPDATE pools SET last_seq = last_seq + 2 * $2, last_at = clock_timestamp() WHERE name = $1 RETURNING last_seq, last_at)
       INSERT INTO token_events (pool, seq, id, token_id, event, reason, occurred_at, recorded_at)
       SELECT $1, last_seq - 2 * $2 + n, gen_random_uuid(), md5('old' || (n + 1) / 2)::uuid,
         CASE WHEN n % 2 = 1 THEN 'generated' ELSE 'deleted' END, CASE WHEN n % 2 = 0 THEN 'idle_ttl' END, last_at, last_at
       FROM p, generate_series(1, 2 * $2::int) n`,
      [pool, events],
    );
  };

  test.each([1, 3, 6000])('the next writer adds %i pairs of events without a hash to the chain', async (pairs) => {
    const pool = `beside-${pairs}`;
    await service.service.createPool(pool, 'elastic', { size: 2 });
    await service.service.generate(pool);
    await old(pool, pairs);
    expect(await findings(pool)).toEqual([]);
    await service.service.generate(pool);
    expect(await findings(pool)).toEqual([]);
    const { last_seq, hashed_seq } = await service.readers.audit.look(pool, (stored) => stored);
    expect(hashed_seq).toBe(last_seq);
    // From then on they cannot be changed unnoticed either.
    await client.query('ALTER TABLE token_events_beginning DISABLE TRIGGER ALL');
    await client.query(`UPDATE token_events_beginning SET token_id = gen_random_uuid() WHERE pool = $1 AND seq = 2`, [
      pool,
    ]);
    await client.query('ALTER TABLE token_events_beginning ENABLE TRIGGER ALL');
    expect((await findings(pool))[0]).toMatch(new RegExp(`^seq ${last_seq} .*hash`));
  });
});

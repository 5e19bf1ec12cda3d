// The exam of the port of keys, on PostgreSQL, and what only a database has to prove: no secret in it, and no rotation lost.

import { randomUUID } from 'node:crypto';
import { ApiKeys, KeyRing, SCOPES, type ApiKeyStore, type Bounds, type LiveKey } from '@app/keys';
import { createDataSource, PostgresApiKeyStore } from '@app/postgres';
import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let source: DataSource;
let client: Client;
let store: ApiKeyStore;
let keys: ApiKeys;

beforeAll(async () => {
  database = await createTestDatabase();
  source = await createDataSource(database.url).initialize();
  client = new Client({ connectionString: database.url });
  await client.connect();
  store = new PostgresApiKeyStore(source);
  keys = new ApiKeys(store);
});
afterAll(async () => {
  await client.end();
  await source.destroy();
  await database.drop();
});
beforeEach(() => client.query('DELETE FROM api_keys'));

const REQUEST = { name: 'a "kiosk", {1}', scopes: ['use', 'read'], pools: ['desks', 'seats'] } as const;
const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

test('the database stores what the request asks for, and not the secret', async () => {
  const expires_at = inSeconds(3600);
  const { key, ...view } = await keys.create({ ...REQUEST, expires_at }, null);
  expect(view).toMatchObject({ ...REQUEST, scopes: ['read', 'use'], created_by: null, revoked_at: null });
  expect(Date.parse(view.expires_at!)).toBe(Date.parse(expires_at));
  expect((await store.find(view.id))?.view).toEqual(view);
  const { rows } = await client.query<{ row: string }>('SELECT k::text AS row FROM api_keys k');
  expect(rows[0]?.row).toContain(view.id);
  expect(rows[0]?.row).not.toContain(key.split('_')[2]);
});

test('create refuses a key whose end is past by the clock of the database', async () => {
  await expect(keys.create({ ...REQUEST, expires_at: inSeconds(-1) }, null)).rejects.toMatchObject({
    code: 'invalid_request',
  });
  expect(await store.list({ within: null, limit: 1 })).toEqual({ keys: [], next_cursor: null });
});

test('the clock of the database decides how long a key and its old secret are valid', async () => {
  const { id } = await keys.create(REQUEST, null);
  expect(await store.find(id)).toMatchObject({ goodForMs: Infinity, old: null });
  await keys.rotate(id, 60, null);
  await client.query(`UPDATE api_keys SET expires_at = now() + interval '1 hour'`);
  const stored = await store.find(id);
  expect(stored?.goodForMs).toBeGreaterThan(3_590_000);
  expect(stored?.goodForMs).toBeLessThanOrEqual(3_600_000);
  expect(stored?.old?.goodForMs).toBeGreaterThan(50_000);
  expect(stored?.old?.goodForMs).toBeLessThanOrEqual(60_000);
  await client.query(
    `UPDATE api_keys SET expires_at = now() - interval '1 s', old_secret_until = now() - interval '1 s'`,
  );
  expect(await store.find(id)).toMatchObject({ goodForMs: 0, old: { goodForMs: 0 }, view: { old_secret_until: null } });
  await expect(keys.rotate(id, 60, null)).rejects.toMatchObject({ code: 'key_not_found' });
});

test('two secrets are valid after a rotation, and none after a revocation', async () => {
  const first = await keys.create(REQUEST, null);
  const second = await keys.rotate(first.id, 60, null);
  const good = (key: string): Promise<LiveKey | null> => new KeyRing(store).check(key);
  expect(await good(first.key)).toMatchObject({ id: first.id, pools: new Set(['desks', 'seats']) });
  expect(await good(second.key)).not.toBeNull();
  await keys.revoke(first.id, null);
  expect(await good(first.key)).toBeNull();
  expect(await good(second.key)).toBeNull();
});

test('concurrent rotations happen one after the other: the old secret of each is the new one of another', async () => {
  const { id, key } = await keys.create(REQUEST, null);
  const rotated = await Promise.all(Array.from({ length: 8 }, () => keys.rotate(id, 60, null)));
  const good = await Promise.all([key, ...rotated.map((one) => one.key)].map((one) => new KeyRing(store).check(one)));
  expect(good.filter((one) => one !== null)).toHaveLength(2);
});

test('a change that the process sends again after a lost result has its effect once', async () => {
  const { id } = await keys.create(REQUEST, null);
  const { view, secretHash } = (await store.find(id))!;
  const again = { ...view, secretHash: Buffer.alloc(32, 1), createdBy: null };
  expect(await store.add(again)).toEqual(view);
  const rotated = Buffer.alloc(32, 2);
  await store.rotate(id, { secretHash: rotated, oldGoodForSeconds: 60, by: null });
  await store.rotate(id, { secretHash: rotated, oldGoodForSeconds: 60, by: null });
  expect(await store.find(id)).toMatchObject({ secretHash: rotated, old: { secretHash } });
});

test('list returns, page by page, the keys that may do no more than the one that asks', async () => {
  const within: Bounds = { scopes: ['read', 'use'], pools: new Set(['desks', 'seats']), expires_at: inSeconds(7200) };
  const expires_at = inSeconds(3600);
  const shown = await Promise.all(
    Array.from({ length: 5 }, () => keys.create({ ...REQUEST, name: randomUUID(), expires_at }, null)),
  );
  await keys.create({ ...REQUEST, scopes: SCOPES, expires_at }, null);
  await keys.create({ ...REQUEST, pools: ['desks', 'vault'], expires_at }, null);
  await keys.create({ ...REQUEST, pools: null, expires_at }, null);
  await keys.create(REQUEST, null);
  const ids: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await store.list({ within, limit: 2, cursor });
    ids.push(...page.keys.map(({ id }) => id));
    if (page.next_cursor === null) break;
    cursor = page.next_cursor;
  }
  expect(ids).toEqual(shown.map(({ id }) => id).sort());
  expect((await store.list({ within: null, limit: 100 })).keys).toHaveLength(9);
  await expect(store.list({ within: null, limit: 1, cursor: 'odd' })).rejects.toMatchObject({
    code: 'invalid_request',
  });
});

test('the database stores which key asked for the last rotation and for the first revocation', async () => {
  const issuer: LiveKey = { id: 'issuer000000', scopes: SCOPES, pools: null, expires_at: null };
  const { id } = await keys.create(REQUEST, issuer);
  const rotated = { rotated_by: issuer.id, rotated_at: expect.stringMatching(/^\d{4}-/) as string };
  expect(await keys.rotate(id, 60, issuer)).toMatchObject({ ...rotated, revoked_by: null });
  expect(await keys.revoke(id, issuer)).toMatchObject({ ...rotated, revoked_by: issuer.id });
  expect(await keys.revoke(id, null)).toMatchObject({ revoked_by: issuer.id });
});

test('noteUse stores the use of the given keys, and not twice within seconds', async () => {
  const [one, two] = [await keys.create(REQUEST, null), await keys.create(REQUEST, null)];
  await store.noteUse([one.id, '000000000000']);
  const noted = (await store.find(one.id))?.view.last_used_at;
  expect(noted).toMatch(/^\d{4}-/);
  await store.noteUse([one.id]);
  expect((await store.find(one.id))?.view.last_used_at).toBe(noted);
  expect((await store.find(two.id))?.view.last_used_at).toBeNull();
});

test.each([
  ['without scopes', `UPDATE api_keys SET scopes = '{}'`],
  ['for no pool', `UPDATE api_keys SET pools = '{}'`],
  ['with a secret instead of its hash', `UPDATE api_keys SET secret_hash = 'abc'`],
  ['with an old secret for ever', `UPDATE api_keys SET old_secret_hash = secret_hash`],
])('the table refuses a key %s', async (_what, sql) => {
  await keys.create(REQUEST, null);
  await expect(client.query(sql)).rejects.toThrow(/violates/);
});

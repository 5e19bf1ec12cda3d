// The audit of a listed pool: clean after any number of imports and grants at once, and no stored row differs unseen.

import { Client } from 'pg';
import { auditPool, checkExport, DomainError, exportLines } from '@app/tokens';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openService, type Service } from '../../tools/harness/service.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';
const NAMES = Array.from({ length: 20 }, (_, n) => `n${n}`);
const thingOf = (name: string, place: number) => ({ name, attributes: { group: place % 2, version: 0 } });
const THINGS = NAMES.map(thingOf);

let database: TestDatabase;
let services: Service[];
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  services = await Promise.all([1, 2].map(() => openService(database.url)));
  client = new Client(database.url);
  await client.connect();
  await services[0]!.service.createPool('p', 'listed', {});
});
afterEach(async () => {
  await client.end();
  for (const service of services) await service.close();
  await database.drop();
});

const found = async (): Promise<readonly string[]> => (await auditPool(services[0]!.readers.audit, 'p')).findings;

test('of 200 imports and 200 grants at once by two processes: each name is held once, and nothing is found', async () => {
  const processOf = (n: number) => services[n % 2]!.service;
  // Each list has another half of the things, in another version: they come and go, and change while they are held.
  const imports = Array.from({ length: 200 }, (_, n) =>
    processOf(n).importThings(
      'p',
      THINGS.filter((_thing, place) => (place + n) % 3 > 0).map((thing) => ({
        ...thing,
        attributes: { ...thing.attributes, version: n },
      })),
      n % 4 === 0,
    ),
  );
  const refusals: string[] = [];
  const grants = Array.from({ length: 200 }, (_, n) =>
    processOf(n + 1)
      .allocate('p', n % 3 === 0 ? { userId: ANN, name: NAMES[n % 20]! } : { userId: ANN, select: { group: n % 2 } })
      .catch((error: unknown) => {
        if (!(error instanceof DomainError)) throw error;
        refusals.push(error.code);
        return null;
      }),
  );
  await Promise.all(imports);
  const held = (await Promise.all(grants)).filter((grant) => grant !== null);
  expect(held.length).toBeGreaterThan(0);
  expect(held.length + refusals.length).toBe(200);
  expect(new Set(held.map(({ name }) => name)).size).toBe(held.length);
  for (const code of refusals) {
    expect(['pool_exhausted', 'token_in_use', 'token_not_found', 'unsatisfiable']).toContain(code);
  }
  const { rows } = await client.query<{ name: string }>(`SELECT name FROM things JOIN tokens t ON t.id = token_id
    WHERE t.pool = 'p' AND status = 'active'`);
  expect(rows.map(({ name }) => name).sort()).toEqual(held.map(({ name }) => name).sort());
  expect(await found()).toEqual([]);
});

test('an export of a listed pool proves itself', async () => {
  await services[0]!.service.importThings('p', THINGS, false);
  const { tokenId } = await services[0]!.service.allocate('p', { userId: ANN, name: 'n3' });
  await services[0]!.service.changeThing(tokenId, { name: 'x', attributes: { z: 1, a: 'ü' } });
  let text = '';
  for await (const lines of exportLines(services[0]!.readers.audit, 'p')) text += lines;
  async function* lines(): AsyncGenerator<string> {
    yield* text.trimEnd().split('\n');
    await Promise.resolve();
  }
  expect(await checkExport(lines())).toMatchObject({ findings: [], events: 22 });
  expect(text).toContain('"name":"x"');
});

test('what is stored of a thing and differs from its events is found', async () => {
  await services[0]!.service.importThings('p', THINGS.slice(0, 3), false);
  await services[0]!.service.allocate('p', { userId: ANN, name: 'n2' });
  expect(await found()).toEqual([]);
  await client.query(`UPDATE things SET name = 'other' WHERE name = 'n0'`);
  await client.query(`UPDATE things SET attributes = attributes || '{"group": 7}' WHERE name = 'n1'`);
  await client.query(`UPDATE tokens SET leaving = true WHERE status = 'active'`);
  expect((await found()).map((finding) => finding.replace(/token \S+/, 'token:')).sort()).toEqual([
    'token: attributes are shown as {"group":7,"version":0}, the feed says {"group":1,"version":0}',
    'token: leaving is stored as true, the feed says false',
    'token: name is shown as other, the feed says n0',
  ]);
  await client.query(`DELETE FROM things WHERE name = 'other'`);
  expect(await found()).toContainEqual(expect.stringContaining('name is shown as null, the feed says n0'));
});

test('a pool that is stored as one of another kind is found', async () => {
  await services[0]!.service.importThings('p', THINGS, false);
  await client.query(`UPDATE pools SET kind = 'elastic', thing_count = 0 WHERE name = 'p'`);
  expect(await found()).toContain(`the pool's kind is elastic, and its feed is that of a listed pool`);
});

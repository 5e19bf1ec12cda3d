// The audit as a file: it holds every event, and says of itself whether it is whole and as it was.

import { checkExport, exportLines } from '@app/tokens';
import { createTestDatabase, type TestDatabase } from './support/database.js';
import { openService, wholeFeed, type Service } from './support/service.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';

let database: TestDatabase;
let service: Service;
let lines: string[];

beforeAll(async () => {
  database = await createTestDatabase();
  service = await openService(database.url);
  await service.service.createPool('p', 'fixed', { size: 3 });
  for (let i = 0; i < 7; i++) await service.service.allocate('p', { userId: ANN, metadata: { b: 1, a: i } });
  lines = [];
  for await (const some of exportLines(service.reader, 'p')) lines.push(...some.trimEnd().split('\n'));
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

async function* stream(of: readonly string[]): AsyncGenerator<string> {
  yield* of;
  await Promise.resolve();
}
const findings = async (of: readonly string[]): Promise<readonly string[]> => (await checkExport(stream(of))).findings;

test('has every event in order, and is found to be whole', async () => {
  const feed = await wholeFeed(service.reader, 'p');
  expect(lines).toHaveLength(feed.length + 2);
  expect(lines.slice(1, -1).map((text) => (JSON.parse(text) as { id: string }).id)).toEqual(feed.map(({ id }) => id));
  expect(await checkExport(stream(lines))).toMatchObject({
    pool: 'p',
    events: feed.length,
    last_seq: feed.length,
    findings: [],
  });
});

test.each<[string, (of: string[]) => string[], RegExp]>([
  ['a line is missing', (of) => of.toSpliced(4, 1), /seq 5 follows 3/],
  ['an event was changed', (of) => of.with(5, of[5]!.replace('allocated', 'Allocated')), /seq 5 .*hash/],
  ['two lines are swapped', (of) => of.with(4, of[5]!).with(5, of[4]!), /seq 5 follows 3/],
  ['the end is missing', (of) => of.slice(0, -3), /not whole/],
  ['the last event is missing', (of) => of.toSpliced(-2, 1), /not what the last line says/],
  ['something was added', (of) => [...of, of[3]!], /after the last one/],
])('a file of which %s is found out', async (_what, change, finding) => {
  expect((await findings(change(lines)))[0]).toMatch(finding);
});

test.each([[['x']], [['{}']], [[]]])('what is no export is refused', async (of) => {
  await expect(checkExport(stream(of))).rejects.toThrow(/not an export|empty/);
});

// The audit as a file: it holds every event, and says of itself whether it is whole and as it was.

import { Client } from 'pg';
import { checkExport, compareExport, exportLines } from '@app/tokens';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { wholeFeed } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';

let database: TestDatabase;
let service: Service;
let lines: string[];

async function exported(pool: string): Promise<string[]> {
  const written: string[] = [];
  for await (const some of exportLines(service.readers.audit, pool)) written.push(...some.trimEnd().split('\n'));
  return written;
}

beforeAll(async () => {
  database = await createTestDatabase();
  service = await openService(database.url);
  await service.service.createPool('p', 'fixed', { size: 3 });
  for (let i = 0; i < 7; i++) await service.service.allocate('p', { userId: ANN, metadata: { b: 1, a: i } });
  lines = await exported('p');
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
  const feed = await wholeFeed(service.readers.feed, 'p');
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

describe('beside the database', () => {
  const THERE = { findings: [], lacking: null };
  const compared = async (of: readonly string[]) => compareExport(await checkExport(stream(of)), service.readers.audit);
  let client: Client;

  beforeAll(async () => {
    client = new Client({ connectionString: database.url });
    await client.connect();
    for (const pool of ['beside', 'before']) await service.service.createPool(pool, 'elastic', { size: 9 });
    await service.service.generate('beside');
    await withoutHash('beside');
    await withoutHash('before');
    await client.query(`UPDATE pools SET chained_after = last_seq, hashed_seq = last_seq WHERE name = 'before'`);
  });
  afterAll(() => client.end());

  /** As a version before there were hashes does it. */
  const withoutHash = (pool: string) =>
    client.query(
      `WITH p AS (UPDATE pools SET last_seq = last_seq + 1, token_count = token_count + 1 WHERE name = $1 RETURNING *)
       INSERT INTO token_events (pool, seq, id, token_id, event, occurred_at, recorded_at)
       SELECT name, last_seq, gen_random_uuid(), gen_random_uuid(), 'generated', clock_timestamp(), clock_timestamp() FROM p`,
      [pool],
    );
  const changed = async (pool: string, seq: number) => {
    await client.query('ALTER TABLE token_events_beginning DISABLE TRIGGER ALL');
    await client.query('UPDATE token_events_beginning SET id = gen_random_uuid() WHERE pool = $1 AND seq = $2', [
      pool,
      seq,
    ]);
    await client.query('ALTER TABLE token_events_beginning ENABLE TRIGGER ALL');
  };

  test('its last event is found there, also after the pool has gone on', async () => {
    expect(await compared(lines)).toEqual(THERE);
    const [head, ...others] = lines;
    const elsewhere = [head!.replace('"p"', '"q"'), ...others.map((text) => text.replace('"pool":"p"', '"pool":"q"'))];
    const { findings } = await compared(elsewhere);
    expect(findings).toEqual([expect.stringMatching(/^the database has no event \d+ of pool q$/)]);
  });

  test('what a version without hashes added last is compared from the last hash on', async () => {
    const file = await exported('beside');
    expect(await compared(file)).toEqual(THERE);
    await service.service.generate('beside');
    expect(await compared(file)).toEqual(THERE);
    await changed('beside', 2);
    expect((await compared(file)).findings).toEqual(['an event after seq 1 is another in the database']);
  });

  test('of what is from before there were hashes it is said that nothing could be compared', async () => {
    expect(await compared(await exported('before'))).toEqual({
      findings: [],
      lacking: 'its events are from before there were hashes',
    });
  });
});

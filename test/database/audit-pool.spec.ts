// The audit of a large pool, of one that is in use and of one that nothing is right in: page by page, in one snapshot, and bounded.

import { Client } from 'pg';
import { auditPool, checkExport, exportLines, FINDINGS_KEPT } from '@app/tokens';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { openService, type Service } from '../../tools/harness/service.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';
/** More than a page of them. */
const SIZE = 2500;

let database: TestDatabase;
let service: Service;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  service = await openService(database.url);
  client = new Client(database.url);
  await client.connect();
  await service.service.createPool('p', 'fixed', { size: SIZE });
  await use(3);
});
afterEach(async () => {
  await client.end();
  await service.close();
  await database.drop();
});

/** All at once: a batch or two. */
const use = (times: number): Promise<unknown> =>
  Promise.all(Array.from({ length: times }, () => service.service.allocate('p', { userId: ANN })));

test('of a pool in which nothing is right, the first findings are told and all are counted', async () => {
  await client.query(`UPDATE tokens SET last_activated_at = now() WHERE pool = 'p' AND status = 'available'`);
  await client.query(
    `DELETE FROM tokens WHERE pool = 'p' AND id IN (SELECT id FROM tokens WHERE pool = 'p' LIMIT 100)`,
  );
  const { findings, finding_count, is_sound } = await auditPool(service.readers.audit, 'p');
  expect(is_sound).toBe(false);
  expect(findings).toHaveLength(FINDINGS_KEPT);
  expect(findings[0]).toMatch(/^token \S+: last_activated_at is shown as .*, the feed says null$/);
  const { rows } = await client.query<{ wrong: number }>(
    `SELECT 100 + count(*)::int AS wrong FROM tokens WHERE pool = 'p' AND status = 'available'`,
  );
  expect(finding_count).toBe(rows[0]!.wrong);
});

test('of a feed in which nothing is right, the first findings are told and all are counted', async () => {
  await client.query(
    `ALTER TABLE token_events DISABLE TRIGGER USER;
     UPDATE token_events SET occurred_at = recorded_at + interval '1 s' WHERE pool = 'p' AND event = 'generated'`,
  );
  const { findings, finding_count } = await auditPool(service.readers.audit, 'p');
  expect(findings).toHaveLength(FINDINGS_KEPT);
  expect(findings[0]).toMatch(/hash/);
  // That of the chain is one, whatever follows from it.
  expect(finding_count).toBe(SIZE + 1);
});

test('a token that is missing on any page is found, and no other', async () => {
  const { rows } = await client.query<{ id: string }>(`SELECT id FROM tokens WHERE pool = 'p' ORDER BY id`);
  const missing = [0, 1000, SIZE - 1].map((place) => rows[place]!.id);
  await client.query('DELETE FROM tokens WHERE id = ANY ($1)', [missing]);
  const { findings } = await auditPool(service.readers.audit, 'p');
  expect(findings.toSorted()).toEqual(missing.map((id) => `token ${id} is in the feed, but not shown`).toSorted());
});

test('a pool that is used and grows while it is read is read to where it is by then', async () => {
  const read: number[] = [];
  const report = await auditPool(service.readers.audit, 'p', async (events) => {
    read.push(events);
    // So much that it is read before the tokens are looked at, and then so little that it is read with them.
    if (read.length === 1) await use(1100);
    if (read.length === 4) await service.service.changePool('p', { size: SIZE + 10 });
    if (read.length === 5) await use(300);
  });
  expect(read).toEqual([1000, 2000, SIZE + 3, SIZE + 1003, SIZE + 1103]);
  expect(report).toMatchObject({ findings: [], last_seq: SIZE + 1414, tokens: SIZE + 10, open_leases: 1403 });
});

test('a look at a stored pool begins again when the snapshot is lost', async () => {
  const looks: number[] = [];
  await service.readers.audit.look('p', async ({ tokens }) => {
    const look = looks.push(0) - 1;
    for await (const page of tokens) {
      looks[look]! += page.length;
      if (look > 0) continue;
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'token-pool' AND datname = current_database()`,
      );
    }
  });
  expect(looks).toEqual([1000, SIZE]);
});

describe('where the database is so slow that a page does not come before its statement times out', () => {
  /** Each row that is read takes its time: 1,000 of them more than a statement may, 125 less. On a busy machine it is fewer still. */
  const slow = (table: string): Promise<unknown> =>
    client.query(
      `CREATE FUNCTION slow() RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT pg_sleep(0.004) IS NOT NULL';
       ALTER TABLE ${table} RENAME TO ${table}_at_rest;
       CREATE VIEW ${table} AS SELECT * FROM ${table}_at_rest WHERE slow()`,
    );

  test('the audit asks for smaller pages of events, and reads them all', async () => {
    await service.service.createPool('s', 'fixed', { size: 1100 });
    await slow('token_events');
    const read: number[] = [];
    const report = await auditPool(service.readers.audit, 's', (events) => void read.push(events));
    expect(report).toMatchObject({ findings: [], last_seq: 1100 });
    expect(read[0]).toBeLessThan(1000);
  });

  test('the audit asks for smaller pages of tokens, and reads them all', async () => {
    await service.service.createPool('s', 'fixed', { size: 1100 });
    const { rows } = await client.query<{ id: string }>(
      `SELECT id FROM tokens WHERE pool = 's' ORDER BY id DESC LIMIT 1`,
    );
    const lastId = rows[0]!.id;
    await slow('tokens');
    await client.query('UPDATE tokens_at_rest SET last_activated_at = now() WHERE id = $1', [lastId]);
    expect((await auditPool(service.readers.audit, 's')).findings).toEqual([
      expect.stringContaining(`token ${lastId}: last_activated_at is shown as`),
    ]);
  });

  test('the export asks for smaller pages, and ends with all the events', async () => {
    await service.service.createPool('s', 'fixed', { size: 1100 });
    await slow('token_events');
    const read: number[] = [];
    const lines: string[] = [];
    for await (const some of exportLines(service.readers.audit, 's', (seq) => void read.push(seq))) {
      lines.push(...some.trimEnd().split('\n'));
    }
    expect(read[0]).toBeLessThan(1000);
    expect(await checkExport(stream(lines))).toMatchObject({ findings: [], events: 1100, last_seq: 1100 });
  });
});

async function* stream(of: readonly string[]): AsyncGenerator<string> {
  yield* of;
  await Promise.resolve();
}

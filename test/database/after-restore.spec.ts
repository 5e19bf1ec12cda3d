// A database that is put back to an earlier state: what was given since is lost, and none of its numbers is given again.

import { auditPool, checkExport, compareExport, exportLines } from '@app/tokens';
import { afterRestore, createDataSource, PostgresAuditSource } from '@app/postgres';
import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { TokenPoolClient, type Grant, type TokenEvent, type TokenPoolError } from '../../libs/client/src/index.js';
import { startAppOn, type TestApp } from '../support/app.js';
import { openStream, streamOf } from '../http/stream-reader.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const MARGIN = 1000;

let original: TestDatabase;
/** A copy of the database from before something happened in it. */
let restored: string;
let app: TestApp;

beforeEach(async () => {
  original = await createTestDatabase();
  restored = `${new URL(original.url).pathname.slice(1)}_restored`;
  app = await startAppOn(original.url);
});
afterEach(async () => {
  await app.stop();
  await admin(`DROP DATABASE IF EXISTS ${restored} WITH (FORCE)`);
  await original.drop();
});

async function admin(sql: string): Promise<void> {
  const client = new Client({ connectionString: process.env['TEST_CLUSTER_URL'] });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

const restoredUrl = (): string => {
  const url = new URL(original.url);
  url.pathname = `/${restored}`;
  return url.href;
};

const pool = () => new TokenPoolClient(app.url).pool();
const grants = (count: number): Promise<Grant[]> => Promise.all(Array.from({ length: count }, () => pool().allocate()));

/** The state at this moment is what the restore will bring back. */
async function backedUp(): Promise<void> {
  await app.stop();
  await admin(`CREATE DATABASE ${restored} TEMPLATE ${new URL(original.url).pathname.slice(1)}`);
  app = await startAppOn(original.url);
}

async function onRestored<T>(work: (source: DataSource) => Promise<T>): Promise<T> {
  const source = await createDataSource(restoredUrl()).initialize();
  return work(source).finally(() => source.destroy());
}

const raised = (margin = MARGIN) => onRestored((source) => afterRestore(source, margin));
const audited = () => onRestored((source) => auditPool(new PostgresAuditSource(source), 'default'));

async function feedOf(after = 0): Promise<TokenEvent[]> {
  const events: TokenEvent[] = [];
  for await (const event of pool().feed({ after })) events.push(event);
  return events;
}

async function restoredApp(port = 0): Promise<void> {
  await app.stop();
  app = await startAppOn(restoredUrl(), { PORT: String(port) });
}

test('no fence and no seq that was given after the backup is given again, and the audit accepts the gap', async () => {
  await grants(3);
  await backedUp();
  const lost = await grants(5);
  const lostFeed = await feedOf();
  await raised();
  await restoredApp();

  const later = await grants(4);
  expect(later.map(({ fence }) => fence).sort()).toEqual([1004, 1005, 1006, 1007]);
  expect(Math.max(...lost.map(({ fence }) => fence))).toBeLessThan(1004);
  const feed = await feedOf();
  expect(feed.slice(-4).map(({ seq }) => seq)).toEqual([1104, 1105, 1106, 1107]);
  expect(lostFeed.at(-1)?.seq).toBeLessThan(1104);
  expect(await audited()).toMatchObject({ is_sound: true, findings: [], last_seq: 1107 });
});

test('who follows the feed or the stream goes on over the gap, also from an event that is lost', async () => {
  await grants(2);
  await backedUp();
  await grants(3);
  const lost = (await feedOf()).at(-1) as TokenEvent;
  const [newestLeft, newestLost] = [102, lost.seq];
  await raised();
  await restoredApp();
  const connected = { count: 0, all: (): void => undefined };
  const all = new Promise<void>((resolve) => (connected.all = resolve));
  const watched = [newestLeft - 1, newestLeft, newestLost].map(async (after) => {
    const seqs: number[] = [];
    const onState = (): void => void (++connected.count === 3 && connected.all());
    for await (const { seq } of pool().watch({ after }, { onState })) {
      seqs.push(seq);
      if (seq === 1105) return seqs;
    }
    return seqs;
  });
  await all;
  await grants(3);
  expect(await Promise.all(watched)).toEqual([
    [102, 1103, 1104, 1105],
    [1103, 1104, 1105],
    [1103, 1104, 1105],
  ]);
  expect((await feedOf(newestLeft)).map(({ seq }) => seq)).toEqual([1103, 1104, 1105]);
  expect((await feedOf(newestLost)).map(({ seq }) => seq)).toEqual([1103, 1104, 1105]);
});

test('a reader who knows more than a restored database learns that and begins again; the client does so by itself', async () => {
  await grants(2);
  await backedUp();
  const { cursor } = await pages(await grants(4));
  const newestLost = (await feedOf()).at(-1) as TokenEvent;
  const enough = new Error('enough');
  const seen: number[] = [];
  const begunAgain: unknown[] = [];
  const [leaving, open] = [new AbortController(), { count: 0, again: (): void => undefined }];
  const watching = (async () => {
    const onOtherHistory = ({ problem }: TokenPoolError): void => void begunAgain.push(problem);
    const options = { signal: leaving.signal, onOtherHistory };
    for await (const { seq } of pool().watch({ after: newestLost.seq - 1 }, options)) {
      seen.push(seq);
      open.again();
      if (seq === 102) leaving.abort(enough);
    }
  })();
  watching.catch(() => undefined);
  await new Promise<void>((resolve) => (open.again = resolve));
  await restoredApp(app.port);
  await expect(watching).rejects.toBe(enough);
  expect(begunAgain).toMatchObject([{ error: 'position_unknown', last_seq: 102, begins_after: 0 }]);
  expect(seen).toEqual([newestLost.seq, ...Array.from({ length: 102 }, (_, i) => i + 1)]);
  const lists = [`tokens/active?cursor=${cursor.active}`, `pools/default/events?after=${newestLost.seq}`];
  for (const path of [...lists, `tokens/${newestLost.token_id}/events?cursor=${cursor.events}`]) {
    const answer = await fetch(`${app.url}/api/${path}`);
    expect([answer.status, await answer.json()]).toMatchObject([410, { error: 'position_unknown', last_seq: 102 }]);
  }
});

/** Cursors of lists that end at the newest of these grants. */
async function pages(grants: Grant[]): Promise<{ cursor: { active: string; events: string } }> {
  const newest = grants.toSorted((one, other) => one.fence - other.fence).at(-1)!;
  const get = async (path: string) => (await (await fetch(`${app.url}/api/${path}`)).json()) as { next_cursor: string };
  return {
    cursor: {
      active: (await get('tokens/active?limit=5')).next_cursor,
      events: (await get(`tokens/${newest.token_id}/events?limit=1`)).next_cursor,
    },
  };
}

test('nobody who watches while it is done gets anything twice, however small the gap is', async () => {
  const stream = await openStream(app, streamOf('default', '?after=100'));
  await grants(20);
  await stream.until(() => stream.events.length === 20);
  const source = await createDataSource(original.url).initialize();
  await afterRestore(source, 10);
  await source.destroy();
  await grants(2);
  await stream.until(() => stream.events.at(-1)?.seq === 132);
  stream.leave();
  expect(stream.events.slice(19).map(({ seq }) => seq)).toEqual([120, 131, 132]);
});

test('what reads the whole audit beyond a gap ends, though the pool goes on', async () => {
  const source = await createDataSource(original.url).initialize();
  await afterRestore(source, 1000);
  await grants(1);
  const written = new PostgresAuditSource(source);
  const read = written.events.bind(written);
  written.events = async (...page) => {
    await grants(1);
    return read(...page);
  };
  // The audit, at the event after which the tokens are compared; the export, where the feed ended when it began.
  expect(await auditPool(written, 'default')).toMatchObject({ findings: [], last_seq: 1102 });
  const report = await checkExport(linesOf(exportLines(written, 'default')));
  expect(report).toMatchObject({ findings: [], events: 102, last_seq: 1102 });
  expect(await compareExport(report, written)).toEqual({ findings: [], lacking: null });
  await source.destroy();
});

async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const piece of pieces) yield* piece.trimEnd().split('\n');
}

test('the feed tells the gap to readers who begin before it, and to nobody else', async () => {
  await grants(1);
  await backedUp();
  await raised();
  await restoredApp();
  const read = async (after: number) =>
    (await fetch(`${app.url}/api/pools/default/events?limit=1000&after=${after}`)).json();
  const gap = { after_seq: 101, next_seq: 1102, after_fence: 1, next_fence: 1002, recorded_at: expect.any(String) };
  // The newest event is where it was: nobody waits for one that is not there.
  expect(await read(101)).toEqual({ pool: 'default', events: [], last_seq: 101, restores: [gap] });
  expect(await pool().details()).toMatchObject({ last_seq: 101 });
  await grants(1);
  expect(await read(100)).toMatchObject({ events: [{ seq: 101 }, { seq: 1102 }], last_seq: 1102, restores: [gap] });
  expect(await read(1102)).toEqual({ pool: 'default', events: [], last_seq: 1102, restores: [] });
});

test('done twice it says so, raises the numbers again, and the audit accepts that, too', async () => {
  await grants(1);
  await backedUp();
  const of = (all: { pool: string }[]) => all.find(({ pool }) => pool === 'default');
  expect(of(await raised())).toMatchObject({ after_seq: 101, next_seq: 1102, isAgain: false });
  expect(await audited()).toMatchObject({ is_sound: true });
  expect(of(await raised(7))).toEqual({
    pool: 'default',
    after_seq: 101,
    next_seq: 1109,
    after_fence: 1,
    next_fence: 1009,
    isAgain: true,
  });
  expect(await audited()).toMatchObject({ is_sound: true, findings: [] });
  await restoredApp();
  await grants(1);
  await app.stop();
  expect(of(await raised())).toMatchObject({ after_seq: 1109, after_fence: 1009, isAgain: false });
  expect(await audited()).toMatchObject({ is_sound: true, findings: [] });
});

test('every pool is raised, in one transaction each', async () => {
  await backedUp();
  expect((await raised()).map(({ pool }) => pool)).toEqual(['default', 'elastic']);
  expect(await onRestored((source) => source.query('SELECT DISTINCT last_seq FROM pools ORDER BY 1'))).toEqual([
    { last_seq: '1000' },
    { last_seq: '1100' },
  ]);
});

test('a gap that is not written down stays a finding', async () => {
  await grants(1);
  await backedUp();
  await raised();
  await restoredApp();
  await grants(1);
  await onRestored((source) => source.query('DELETE FROM restores'));
  const { findings } = await audited();
  expect(findings.join()).toMatch(/seq 1102 .*: seq follows 101/);
  expect(findings.join()).toMatch(/fence 1002 follows 1/);
});

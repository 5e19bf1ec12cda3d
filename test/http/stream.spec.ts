// The stream of a pool's events: the feed, live, from any place, from any process, without a gap or a repeat.

import { once } from 'node:events';
import { connect } from 'node:net';
import type { EventView } from '@app/tokens';
import { startApp, startAppOn, type TestApp } from '../support/app.js';
import { clientOf, expectProblem, type Ask, type Json } from './client.js';
import { openStream, streamOf, type StreamReader } from './stream-reader.js';

const ANN = 'c0ffee00-0000-4000-8000-00000000000a';
const BEN = 'c0ffee00-0000-4000-8000-00000000000b';
const LIMIT = 40;

let app: TestApp;
let other: TestApp;
let ask: Ask;
let pool: string;
let pools = 0;
const readers: StreamReader[] = [];

beforeAll(async () => {
  app = await startApp({ STREAM_LIMIT: String(LIMIT) });
  other = await startAppOn(app.databaseUrl);
  ask = clientOf(app);
});
afterAll(async () => {
  await other.close();
  await app.close();
});
beforeEach(async () => {
  pool = `pool-${++pools}`;
  expect((await ask('POST', '/api/pools', { name: pool, kind: 'fixed', size: 2 })).status).toBe(201);
});
afterEach(() => {
  for (const reader of readers.splice(0)) reader.leave();
});

async function read(query = '', lastId?: string, from: TestApp = app): Promise<StreamReader> {
  const reader = await openStream(from, streamOf(pool, query), lastId);
  readers.push(reader);
  return reader;
}

const allocate = async (userId = ANN, by: Ask = ask): Promise<Json> =>
  (await by('POST', '/api/tokens/allocate', { pool, user_id: userId })).body;
const feed = async (after = 0): Promise<EventView[]> =>
  (await ask('GET', `/api/pools/${pool}/events?after=${after}&limit=1000`)).body.events;
const seqs = ({ events }: StreamReader): number[] => events.map(({ seq }) => seq);
const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, n) => first + n);

test('is the feed from its first event on, and goes on with what happens', async () => {
  await allocate();
  const reader = await read();
  expect(reader.status).toBe(200);
  expect(reader.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  });
  await reader.until(() => reader.events.length === 3);
  await allocate();
  await allocate();
  await reader.until(() => reader.events.length === 6);
  expect(reader.events).toEqual(await feed());
  expect(reader.text).toMatch(/^retry: [123]\d{3}\nid: 0\n\nid: 1\ndata: \{.*\}\n\nid: 2\n/);
});

test('goes on after a seq', async () => {
  await allocate();
  const reader = await read('?after=2');
  await allocate();
  await reader.until(() => reader.events.length === 2);
  expect(reader.events).toEqual(await feed(2));
});

test('goes on after the last id that a reader has, whatever the query says', async () => {
  await allocate();
  for (const query of ['?after=0', '?after=latest', '']) {
    const reader = await read(query, '2');
    await reader.until(() => reader.events.length === 1);
    expect(reader.events).toEqual(await feed(2));
  }
});

test('begins with the latest, and says where that is, so that nothing is missed by who comes back', async () => {
  await allocate();
  const reader = await read('?after=latest');
  await reader.until(() => reader.lastId === '3');
  reader.leave();
  await allocate();
  const again = await read('?after=latest', reader.lastId);
  await again.until(() => again.events.length === 1);
  expect(reader.events).toEqual([]);
  expect(again.events).toEqual(await feed(3));
});

test('of one token or one user is what the feed has of it', async () => {
  const { token_id: first } = await allocate(ANN);
  const [ofToken, ofUser, ofBoth] = [
    await read(`?token_id=${first.toUpperCase()}`),
    await read(`?user_id=${ANN}`),
    await read(`?token_id=${first}&user_id=${BEN}`),
  ];
  for (const user of [BEN, ANN, ANN, BEN, BEN, BEN, BEN]) await allocate(user);
  const all = await feed();
  const expected = {
    ofToken: all.filter(({ token_id }) => token_id === first),
    ofUser: all.filter(({ user_id }) => user_id === ANN),
    ofBoth: all.filter(({ token_id, user_id }) => token_id === first && user_id === BEN),
  };
  for (const events of Object.values(expected)) expect(events.length).toBeGreaterThan(1);
  for (const [reader, events] of [
    [ofToken, expected.ofToken],
    [ofUser, expected.ofUser],
    [ofBoth, expected.ofBoth],
  ] as const) {
    await reader.until(() => reader.events.length === events.length);
    expect(reader.events).toEqual(events);
  }
});

test('has every event once and in order for a reader who leaves and comes back, anywhere, while two processes write', async () => {
  const asks = [ask, clientOf(other)];
  let isOver = false;
  const writers = asks.flatMap((by) =>
    Array.from({ length: 3 }, async (_, n) => {
      while (!isOver) await allocate(n === 0 ? ANN : BEN, by);
    }),
  );
  const wanderers = Array.from({ length: 6 }, async (_, n) => {
    const seen: number[] = [];
    for (let visit = n, lastId = '0'; seen.length < 2000; visit++) {
      const reader = await read('', lastId, visit % 2 ? app : other);
      const enough = 1 + ((visit * 97) % 400);
      await reader.until(() => reader.events.length >= enough);
      reader.leave();
      // What was under way is not lost, but comes again: only what has arrived counts.
      seen.push(...seqs(reader));
      lastId = reader.lastId;
    }
    return seen;
  });
  for (const seen of await Promise.all(wanderers)) expect(seen).toEqual(from(1, seen.length));
  isOver = true;
  await Promise.all(writers);
});

test('beyond the limit of the process is refused, until somebody leaves', async () => {
  const open = await Promise.all(from(1, LIMIT).map(() => read('?after=latest')));
  const refused = await ask('GET', streamOf(pool));
  expectProblem(refused, 503, 'unavailable');
  expect(refused.headers.get('retry-after')).toBe('5');
  // Other processes have limits of their own, and other requests none.
  expect((await read('', undefined, other)).status).toBe(200);
  expect((await ask('GET', `/api/pools/${pool}`)).status).toBe(200);
  open[0]!.leave();
  let reader: StreamReader;
  do reader = await read('?after=latest');
  while (reader.status === 503);
  expect(reader.status).toBe(200);
});

test('begins at the beginning for readers that send an empty position as long as they have none', async () => {
  for (const [query, lastId] of [
    ['?after=', undefined],
    ['?lastEventId=', undefined],
    ['', ''],
    ['?after=&lastEventId=', ''],
  ] as const) {
    const reader = await read(query, lastId);
    expect(reader.status).toBe(200);
    await reader.until(() => reader.events.length === 2);
    expect(reader.text).toMatch(/^retry: \d+\nid: 0\n/);
  }
  expect((await ask('GET', `/api/pools/${pool}/events?after=`)).body).toMatchObject({
    events: [{ seq: 1 }, { seq: 2 }],
  });
  for (const list of ['/api/tokens?', '/api/tokens/available?', '/api/tokens/active?'])
    expect((await ask('GET', `${list}pool=${pool}&cursor=`)).body.tokens.length).toBeLessThanOrEqual(2);
});

test('goes on after the id that a reader sends in the query, as it cannot set headers', async () => {
  await allocate();
  const reader = await read('?after=0&lastEventId=2');
  await reader.until(() => reader.events.length === 1);
  expect(reader.events).toEqual(await feed(2));
});

test('a position that the pool has never given is refused, with where to begin anew, by feed, search and stream', async () => {
  const at = (query: string, lastId?: string) =>
    ask('GET', streamOf(pool, query), undefined, lastId === undefined ? {} : { 'last-event-id': lastId });
  for (const refused of [
    await at('?after=3'),
    await at('?after=latest', '3'),
    await at('?lastEventId=9007199254740991'),
    await ask('GET', `/api/pools/${pool}/events?after=3`),
    await ask('GET', `/api/pools/${pool}/events?after=3&actor=open`),
  ]) {
    expectProblem(refused, 410, 'position_unknown');
    expect(refused.body).toMatchObject({
      last_seq: 2,
      begins_after: 0,
      detail: expect.stringMatching(/begin anew with after=0$/),
    });
  }
  expect((await ask('GET', `/api/pools/${pool}/events?after=2`)).body).toMatchObject({ events: [], last_seq: 2 });
});

test('is not begun when something is wrong with the request', async () => {
  expectProblem(await ask('GET', streamOf('nowhere')), 404, 'pool_not_found');
  expectProblem(await ask('GET', streamOf('NOT-A-NAME')), 400, 'invalid_request');
  for (const query of [
    '?after=-1',
    '?after=1.5',
    '?after=now',
    '?after=9007199254740993',
    '?after=1&after=2',
    '?token_id=7',
    '?user_id=me',
    '?limit=5',
  ]) {
    expectProblem(await ask('GET', streamOf(pool, query)), 400, 'invalid_request');
  }
  for (const lastId of ['latest', '-1', 'x', '1, 2']) {
    const refused = await ask('GET', streamOf(pool), undefined, { 'last-event-id': lastId });
    expectProblem(refused, 400, 'invalid_request');
  }
});

test('has a head, which ends', async () => {
  const answer = await ask('HEAD', streamOf(pool));
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect((await ask('HEAD', streamOf('nowhere'))).status).toBe(404);
});

test('is refused behind another answer on one connection, where nobody would notice that its reader is gone', async () => {
  const socket = connect(app.port, '127.0.0.1').setEncoding('utf8');
  const line = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
  let text = '';
  socket.on('data', (more: string) => (text += more));
  socket.write(line('/health/ready') + line(streamOf(pool)));
  while (!/HTTP\/1.1 200 [^]*HTTP\/1.1 400 [^]*pipelined/.test(text)) await once(socket, 'data');
  socket.destroy();
});

test('is told in the metrics', async () => {
  const scrape = async (): Promise<Record<string, number>> => {
    const text = await (await fetch(`${app.url}/metrics`)).text();
    return Object.fromEntries([...text.matchAll(/^(token_pool_stream\S*) (\S+)$/gm)].map(([, k, v]) => [k, Number(v)]));
  };
  let before: Record<string, number>;
  do before = await scrape();
  while (before['token_pool_streams'] !== 0);
  const [reader] = [await read(), await read('?after=latest')];
  await reader.until(() => reader.events.length === 2);
  await allocate();
  await reader.until(() => reader.events.length === 3);
  const during = await scrape();
  const by = (name: string): number => during[name]! - before[name]!;
  expect(during['token_pool_streams']).toBe(2);
  expect(by('token_pool_stream_events_total')).toBe(4);
  expect(by('token_pool_stream_delay_seconds_count')).toBe(1);
  expect(by('token_pool_stream_delay_seconds_sum')).toBeGreaterThan(0);
  expect(during['token_pool_stream_backlog']).toBe(0);
  reader.leave();
  let after: Record<string, number>;
  do after = await scrape();
  while (after['token_pool_streams'] !== 1);
  const left = 'token_pool_streams_ended_total{how="left"}';
  expect(after[left]! - before[left]!).toBe(1);
});

// Streams in trouble: readers that do not read, a process that stops, a database that goes away, and many of them at once.

import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ANYBODY, type FeedSubscription, type OwnedEvent } from '@app/tokens';
import { EventStream, type Ending, type StreamPace } from '../../apps/api/src/stream/event-stream.js';
import { Proxy } from '../../tools/harness/proxy.js';
import { startApp, startAppOn, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { audit } from '../support/service.js';
import { openService, type Service } from '../../tools/harness/service.js';
import { openStream, streamOf, type StreamReader } from './stream-reader.js';

const USER = 'c0ffee00-0000-4000-8000-00000000000a';

const seqs = ({ events }: StreamReader): number[] => events.map(({ seq }) => seq);
const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, n) => first + n);

describe('a process', () => {
  let app: TestApp;
  let direct: Service;
  beforeEach(async () => {
    app = await startApp();
    direct = await openService(app.databaseUrl);
  });
  afterEach(async () => {
    await direct.close();
    await app.close();
  });

  test('that stops ends its streams in order, and another goes on with them', async () => {
    await direct.service.createPool('p', 'fixed', { size: 1000 });
    const other = await startAppOn(app.databaseUrl);
    const readers = await Promise.all(from(1, 20).map(() => openStream(app, streamOf('p'))));
    await Promise.all(readers.map((reader) => reader.until(() => reader.events.length === 1000)));
    const began = performance.now();
    await app.stop();
    expect(performance.now() - began).toBeLessThan(1500);
    expect(new Set(await Promise.all(readers.map(({ over }) => over)))).toEqual(new Set(['ended']));
    await direct.service.allocate('p', { userId: USER });
    const again = await openStream(other, streamOf('p'), readers[0]!.lastId);
    await again.until(() => again.events.length === 1);
    expect(seqs(again)).toEqual([1001]);
    again.leave();
    await other.close();
  });

  test('cuts off a client that does not read instead of keeping everything for it; after it comes back it misses nothing', async () => {
    await direct.service.createPool('p', 'fixed', { size: 60_000 });
    const [slow, slowToo] = [await openStream(app, streamOf('p')), await openStream(app, streamOf('p'))];
    for (const reader of [slow, slowToo]) reader.pause();
    const began = performance.now();
    const metric = async (name: string): Promise<number> => {
      const lines = (await (await fetch(`${app.url}/metrics`)).text()).split('\n');
      return Number(lines.find((line) => line.startsWith(`${name} `))!.split(' ')[1]);
    };
    while ((await metric('token_pool_streams_ended_total{how="cut_off"}')) < 2) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // What the connections hold, and no more.
    expect(await metric('token_pool_stream_events_total')).toBeLessThan(90_000);
    const seconds = (performance.now() - began) / 1000;
    expect(seconds).toBeGreaterThan(9);
    expect(seconds).toBeLessThan(20);
    slow.resume();
    expect(await slow.over).toBe('broken');
    const again = await openStream(app, streamOf('p'), slow.lastId);
    await again.until(() => again.events.at(-1)?.seq === 60_000);
    expect(seqs(slow).length).toBeLessThan(60_000);
    expect([...seqs(slow), ...seqs(again)]).toEqual(from(1, 60_000));
    // One that is in the way when the process stops.
    const stuck = await openStream(app, streamOf('p'));
    stuck.pause();
    for (let sent = -1, before = -2; sent !== before;) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      before = sent;
      sent = await metric('token_pool_stream_events_total');
    }
    expect(await metric('token_pool_stream_backlog')).toBeGreaterThan(0);
    const stopping = performance.now();
    await app.stop();
    expect(performance.now() - stopping).toBeLessThan(2500);
    for (const reader of [again, stuck, slowToo]) reader.leave();
  });
});

describe('a database', () => {
  test.each([
    ['closed', (proxy: Proxy) => proxy.set({ isClosed: true })],
    ['silent', (proxy: Proxy) => proxy.set({ isSilent: true })],
    ['half-open', (proxy: Proxy) => proxy.halfOpen()],
  ])(
    'that is %s for a while delays events, and none is lost or told twice',
    async (mode, breakWay) => {
      const database = await createTestDatabase();
      const proxy = await Proxy.open(database.url);
      const app = await startAppOn(proxy.url);
      const direct = await openService(database.url);
      await direct.service.createPool('p', 'fixed', { size: 300 });
      const near = await openStream(app, streamOf('p', '?after=latest'));
      const far = await openStream(app, streamOf('p'));
      await far.until(() => far.events.length === 300);
      breakWay(proxy);
      for (let n = 0; n < 5; n++) await direct.service.allocate('p', { userId: USER });
      expect((await fetch(`${app.url}/health/ready`)).status).toBe(503);
      // A half-open database is found again by the next connection.
      if (mode !== 'half-open') expect(far.events).toHaveLength(300);
      proxy.heal();
      for (let n = 0; n < 5; n++) await direct.service.allocate('p', { userId: USER });
      await Promise.all([near.until(() => near.events.length === 10), far.until(() => far.events.length === 310)]);
      expect(seqs(near)).toEqual(from(301, 310));
      expect(seqs(far)).toEqual(from(1, 310));
      for (const reader of [near, far]) reader.leave();
      await app.close();
      await direct.close();
      await proxy.close();
      await database.drop();
    },
    60_000,
  );
});

describe('a hundred readers', () => {
  let database: TestDatabase;
  let apps: TestApp[];
  beforeEach(async () => {
    database = await createTestDatabase();
    apps = [await startAppOn(database.url), await startAppOn(database.url)];
  });
  afterEach(async () => {
    for (const app of apps) await app.close();
    await database.drop();
  });

  test('of two processes are told within moments of 500 events a second, which a third one makes', async () => {
    const direct = await openService(database.url);
    await direct.service.createPool('p', 'fixed', { size: 100, ttlSeconds: 3600 });
    await Promise.all(from(1, 100).map(() => direct.service.allocate('p', { userId: USER })));
    const delays: number[] = [];
    const counts = apps.flatMap((app) => from(1, 50).map(() => app)).map((app) => listen(app, delays));
    const readers = await Promise.all(counts);
    const seconds = 4;
    const began = performance.now();
    // Each evicts, and so is two events.
    for (let n = 0; n < seconds * 250; n++) {
      const wait = began + n * 4 - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      void direct.service.allocate('p', { userId: USER, metadata: { at: performance.now() } });
    }
    await Promise.all(readers.map((reader) => reader.until(seconds * 250)));
    for (const reader of readers) reader.leave();
    expect(delays).toHaveLength(100 * seconds * 250);
    delays.sort((a, b) => a - b);
    // 250 ms is the aim on a machine that does nothing else; here client, both processes and other tests share.
    expect(delays[Math.floor(delays.length * 0.99)]).toBeLessThan(3000);
    expect(await audit(direct.readers, 'p')).toEqual([]);
    await direct.close();
  });

  /** Notes for each grant when it was asked for, and does nothing else. */
  async function listen(app: TestApp, delays: number[]) {
    const leaving = new AbortController();
    const { body } = await fetch(new URL(streamOf('p', '?after=latest'), app.url), { signal: leaving.signal });
    let count = 0;
    let wake = (): void => undefined;
    void (async () => {
      const decoder = new TextDecoder();
      let rest = '';
      try {
        for await (const chunk of body!) {
          const now = performance.now();
          const messages = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
          rest = messages.pop()!;
          for (const message of messages) {
            const at = /"at": ?([\d.]+)/.exec(message)?.[1];
            if (at === undefined || !message.includes('"event":"activated"')) continue;
            delays.push(now - Number(at));
            count++;
          }
          wake();
        }
      } catch {
        // it has left
      }
    })();
    return {
      leave: () => leaving.abort(),
      until: async (events: number) => {
        while (count < events) await new Promise<void>((resolve) => (wake = resolve));
      },
    };
  }
});

describe('one stream', () => {
  /** What it is given is pushed by the test. */
  class Given {
    reaches = 7;
    hasEnded = false;
    readonly #lots: OwnedEvent[][] = [];
    #wake = (): void => undefined;

    give(...events: { seq: number; data?: string }[]): void {
      this.#lots.push(events as unknown as OwnedEvent[]);
      this.#wake();
    }

    async next(): Promise<OwnedEvent[]> {
      while (this.#lots.length === 0 && !this.hasEnded) await new Promise<void>((resolve) => (this.#wake = resolve));
      return this.#lots.shift() ?? [];
    }

    end(): void {
      this.hasEnded = true;
      this.#wake();
    }
  }

  async function streamed(
    given: Given,
    pace: Partial<StreamPace>,
    isWanted: (event: OwnedEvent) => boolean = () => true,
  ): Promise<{
    url: string;
    stream: Promise<EventStream>;
    ending: Promise<Ending>;
    sent: number[];
    close: () => void;
  }> {
    const sent: number[] = [];
    let begun: (res: ServerResponse) => void;
    const response = new Promise<ServerResponse>((resolve) => (begun = resolve));
    const server = createServer((_, res) => begun(res)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const stream = response.then(
      (res) =>
        new EventStream(
          res,
          given as unknown as FeedSubscription,
          ANYBODY,
          isWanted,
          (events) => sent.push(events),
          () => Promise.resolve(),
          {
            heartbeatMs: 60_000,
            patienceMs: 60_000,
            bytesAtOnce: 1000,
            ...pace,
          },
        ),
    );
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { url, stream, ending: stream.then((one) => one.run()), sent, close: () => void server.close() };
  }

  test('shows that it is alive, and how far its reader is, though the filter let nothing through', async () => {
    const given = new Given();
    const { url, ending, close } = await streamed(given, { heartbeatMs: 10 }, ({ seq }) => seq === 9);
    const answer = await new Promise<IncomingMessage>((resolve) => get(url, resolve));
    let text = '';
    for await (const chunk of answer) {
      text += String(chunk);
      if (/: alive\nid: 7\n\n/.test(text) && !text.includes('data')) given.give({ seq: 8 }, { seq: 9 }, { seq: 10 });
      if (/: alive\nid: 10\n\n/.test(text)) break;
    }
    expect(text).toMatch(
      /^retry: \d+\nid: 7\n\n(: alive\nid: 7\n\n)+id: 9\ndata: {"seq":9}\n\n(: alive\nid: 10\n\n)+$/,
    );
    expect(await ending).toBe('left');
    expect(given.hasEnded).toBe(true);
    close();
  });

  test('ends in order when there is nothing more to follow, whatever the reason', async () => {
    const given = new Given();
    const { url, ending, close } = await streamed(given, {});
    const answer = await fetch(url);
    given.end();
    expect(await ending).toBe('stopped');
    expect(await answer.text()).toMatch(/^retry: \d+\nid: 7\n\n$/);
    close();
  });

  test.each([
    ['much that comes bit by bit', 1, 200],
    ['much that comes at once', 200, 1],
  ])('waits for its reader with %s, and cuts him off', async (_, lots, size) => {
    const given = new Given();
    const { url, ending, sent, close } = await streamed(given, { patienceMs: 300, bytesAtOnce: 1_000_000 });
    const answer = await new Promise<IncomingMessage>((resolve) => get(url, resolve));
    // More than any connection holds: nobody reads.
    const megabyte = 'x'.repeat(1_000_000);
    const events = from(8, 7 + lots * size).map((seq) => ({ seq, data: megabyte }));
    while (events.length > 0) given.give(...events.splice(0, size));
    expect(await ending).toBe('cut_off');
    expect(new Set(sent)).toEqual(new Set([1]));
    expect(sent.length).toBeLessThan(100);
    const over = new Promise((resolve) => answer.on('error', () => undefined).once('close', resolve));
    answer.resume();
    await over;
    expect(answer.complete).toBe(false);
    close();
  });
});

// The stream over a real connection to a small server that speaks its protocol, and breaks off where a test wants it.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TokenPoolClient, TokenPoolError, type TokenEvent, type WatchOptions, type WatchRequest } from './index.js';

type Serve = (res: ServerResponse, after: number, url: URL) => void;

let server: Server;
let client: TokenPoolClient;
/** How the server handles the n-th stream; the last entry handles all later ones, too. */
let serve: Serve[];
/** The queries of the streams so far. */
let asked: Record<string, string>[];
let lastSeq: number;

beforeEach(async () => {
  asked = [];
  lastSeq = 0;
  server = createServer((req: IncomingMessage, res: ServerResponse) => {
    const url = new URL(req.url ?? '', 'http://here');
    if (!url.pathname.endsWith('/stream')) {
      res.setHeader('content-type', 'application/json');
      return void res.end(JSON.stringify({ name: 'p', last_seq: lastSeq }));
    }
    const turn = Math.min(asked.length, serve.length - 1);
    asked.push(Object.fromEntries(url.searchParams));
    serve[turn]!(res, Number(url.searchParams.get('after')), url);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new TokenPoolClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(async () => {
  jest.useRealTimers();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const message = (seq: number): string => `id: ${seq}\ndata: {"seq":${seq},"event":"activated"}\n\n`;
const messages = (from: number, to: number): string =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => message(from + i)).join('');

/** Sends the text, and leaves the connection open. */
const sends =
  (text: (after: number) => string): Serve =>
  (res, after) =>
    void res.writeHead(200, { 'content-type': 'text/event-stream' }).write(text(after));

/** Sends the text, and cuts the connection without a proper end. */
const sendsAndBreaks =
  (text: (after: number) => string): Serve =>
  (res, after) =>
    void res.writeHead(200, { 'content-type': 'text/event-stream' }).write(text(after), () => res.destroy());

const refuses =
  (status: number, error: string): Serve =>
  (res) =>
    void res
      .writeHead(status, { 'content-type': 'application/problem+json' })
      .end(JSON.stringify({ status, error, detail: 'in words', request_id: 'r' }));

/** The seqs of the first events that arrive. */
async function first(count: number, request: WatchRequest = {}, options: WatchOptions = {}): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { seq } of client.pool('p').watch(request, options)) {
    seqs.push(seq);
    if (seqs.length === count) break;
  }
  return seqs;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test('watch yields events as they are in the feed', async () => {
  serve = [sends(() => message(1))];
  const events: TokenEvent[] = [];
  for await (const event of client.pool('p').watch({ after: 0 })) {
    events.push(event);
    break;
  }
  expect(events).toEqual([{ seq: 1, event: 'activated' }]);
});

test('watch yields every event once and in order, wherever the stream breaks off', async () => {
  const size = message(10).length;
  // Each stream sends one byte more, so that one of them breaks off at every place within a message.
  const breaks = Array.from({ length: 40 }, (_, i) =>
    sendsAndBreaks((after) => messages(after + 1, 40).slice(0, size + i)),
  );
  serve = [...breaks, sends((after) => messages(after + 1, 40))];
  expect(await first(40, { after: 0 })).toEqual(upTo(40));
  expect(asked.length).toBeGreaterThan(10);
}, 60_000);

test('watch resumes after a refused connection, a busy service, a proper end, and repeated events', async () => {
  serve = [
    (res, after) => void res.writeHead(200).end(messages(after + 1, 2)),
    refuses(503, 'unavailable'),
    (res) => void res.destroy(),
    sendsAndBreaks(() => messages(1, 4)),
    sends(() => messages(1, 6)),
  ];
  expect(await first(6, { after: 0 })).toEqual(upTo(6));
  expect(asked.map(({ after }) => after)).toEqual(['0', '2', '2', '2', '4']);
});

test('onState gets the reason when the stream breaks off, and a call when it is open again', async () => {
  const states: string[] = [];
  const onState: WatchOptions['onState'] = (state, error) =>
    states.push(error instanceof Error ? `${state}: ${error.name}: ${error.message}` : state);
  serve = [sendsAndBreaks(() => message(1)), refuses(503, 'unavailable'), sends(() => message(2))];
  await first(2, { after: 0 }, { onState });
  expect(states).toEqual([
    'connected',
    expect.stringMatching(/^reconnecting: TokenPoolConnectionError: /),
    'reconnecting: TokenPoolError: unavailable: in words',
    'connected',
  ]);
});

test('`latest` begins after the newest event at the start, even if the first connections fail', async () => {
  lastSeq = 7;
  serve = [(res) => void res.destroy(), sends((after) => messages(after + 1, 9))];
  expect(await first(2)).toEqual([8, 9]);
  expect(asked).toEqual([{ after: '7' }, { after: '7' }]);
});

test('watch sends its filters, and resumes after an id without an event', async () => {
  serve = [sendsAndBreaks(() => 'id: 3\n\nid: 5\n\n: alive\n'), sends(() => message(9))];
  expect(await first(1, { after: 2, token_id: 't', user_id: 'u' })).toEqual([9]);
  expect(asked).toEqual([
    { after: '2', token_id: 't', user_id: 'u' },
    { after: '5', token_id: 't', user_id: 'u' },
  ]);
});

test('watch replaces a connection that is silent for 40 s, and keeps one with heartbeats', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date'] });
  const timers = jest.spyOn(globalThis, 'setTimeout');
  let silent: ServerResponse | undefined;
  serve = [(res) => void (silent = res.writeHead(200)).write(message(1)), sends((after) => message(after + 1))];
  const events = client.pool('p').watch({ after: 0 });
  await events.next();
  const next = events.next();
  for (let i = 0; i < 4; i++) {
    await jest.advanceTimersByTimeAsync(39_000);
    expect(asked).toHaveLength(1);
    const armed = timers.mock.calls.length;
    silent!.write(': alive\n');
    while (timers.mock.calls.length === armed) await new Promise(setImmediate);
  }
  await jest.advanceTimersByTimeAsync(39_999);
  expect(asked).toHaveLength(1);
  let isThere = false;
  void next.finally(() => (isThere = true));
  // The pause before the next attempt ends by the real clock.
  while (!isThere) await Promise.all([jest.advanceTimersByTimeAsync(100), new Promise(setImmediate)]);
  expect((await next).value).toMatchObject({ seq: 2 });
  expect(asked.map(({ after }) => after)).toEqual(['0', '1']);
  await events.return();
});

describe('the connection ends', () => {
  let connection: ServerResponse;
  beforeEach(() => {
    serve = [(res) => void (connection = res.writeHead(200)).write(message(1))];
  });
  const isClosed = (): Promise<unknown> => (connection.closed ? Promise.resolve() : once(connection, 'close'));

  test('when the signal aborts, and the loop rejects at once', async () => {
    const caller = new AbortController();
    const events = client.pool('p').watch({ after: 0 }, { signal: caller.signal });
    await events.next();
    const next = events.next();
    const enough = new Error('enough');
    caller.abort(enough);
    await expect(next).rejects.toBe(enough);
    await isClosed();
  });

  test('when the loop ends', async () => {
    await first(1, { after: 0 });
    await isClosed();
  });
});

test('if the history was replaced, watch starts with the new one and calls onOtherHistory', async () => {
  const unknown =
    (begins_after: number): Serve =>
    (res) =>
      void res.writeHead(410, { 'content-type': 'application/problem+json' }).end(
        JSON.stringify({
          status: 410,
          error: 'position_unknown',
          detail: 'in words',
          request_id: 'r',
          begins_after,
          last_seq: 9,
        }),
      );
  serve = [sendsAndBreaks(() => message(500)), unknown(7), sends((after) => messages(after + 1, 9))];
  const replaced: unknown[] = [];
  const onOtherHistory = ({ code, problem }: TokenPoolError): void => void replaced.push([code, problem.last_seq]);
  expect(await first(3, { after: 499 }, { onOtherHistory })).toEqual([500, 8, 9]);
  expect(asked.map(({ after }) => after)).toEqual(['499', '500', '7']);
  expect(replaced).toEqual([['position_unknown', 9]]);
  // If the service knows no position at all, watch gives up.
  serve = [unknown(0)];
  asked = [];
  const error: unknown = await first(1, { after: 5 }).catch((caught: unknown) => caught);
  expect(TokenPoolError.is(error, 'position_unknown')).toBe(true);
  expect(asked.map(({ after }) => after)).toEqual(['5', '0']);
});

test('watch throws a refusal of the service', async () => {
  serve = [refuses(404, 'pool_not_found')];
  const error: unknown = await first(1).catch((caught: unknown) => caught);
  expect(TokenPoolError.is(error, 'pool_not_found')).toBe(true);
  expect(asked).toHaveLength(1);
});

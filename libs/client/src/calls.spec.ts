// Requests and responses over a network that the tests control, under a clock that they move.

import { inspect } from 'node:util';
import { TokenPoolClient, TokenPoolConnectionError, TokenPoolError } from './index.js';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => jest.useRealTimers());

type Answer = Response | Error | 'never';

const refused = (): Error => new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } });
const problem = (status: number, error: string, headers?: Record<string, string>): Response =>
  Response.json({ status, error, detail: 'in words', title: '', type: '', request_id: 'r-1' }, { status, headers });
const foreign = (status: number): Response => new Response('<html>', { status });
const ok = (body: object = {}): Response => Response.json(body);

/** A network that returns these answers one after the other, and then repeats the last one. */
function network(...answers: Answer[]) {
  const sent: { readonly request: Request; readonly at: number }[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    const answer = answers[Math.min(sent.length, answers.length - 1)]!;
    sent.push({ request, at: performance.now() });
    if (answer instanceof Error) throw answer;
    if (answer !== 'never') return answer.clone();
    return new Promise((_, reject) =>
      request.signal.addEventListener('abort', () => reject(request.signal.reason as Error)),
    );
  };
  return { sent, fetch, client: new TokenPoolClient('http://fake/', { fetch }) };
}

/** How a call settles within 90 s. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  const settled = call.catch((error: unknown) => error);
  await jest.advanceTimersByTimeAsync(90_000);
  return Promise.race([settled, Promise.resolve('still under way')]);
}

describe('a request', () => {
  test('that changes something has one key for all its attempts, and another key for each call', async () => {
    const { client, sent } = network(refused(), refused(), ok(), refused(), ok());
    const pool = client.pool('p');
    await outcome(pool.allocate());
    await outcome(pool.allocate());
    const keys = sent.map(({ request }) => request.headers.get('idempotency-key'));
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(keys).toEqual([keys[0], keys[0], keys[0], keys[3], keys[3]]);
    expect(keys[3]).not.toBe(keys[0]);
  });

  test.each([
    ['allocate', (client: TokenPoolClient) => client.pool().allocate({ metadata: { share: NaN } }), '"share" is'],
    [
      'withLease',
      (client: TokenPoolClient) => client.pool().withLease(() => 'done', { request: { metadata: { ids: [10n] } } }),
      '"0" is',
    ],
    ['release', (client: TokenPoolClient) => client.pool().release({ token_id: 't', fence: NaN }), '"fence" is'],
    ['changePool', (client: TokenPoolClient) => client.changePool('p', { max_lifetime_seconds: Infinity }), '"max_l'],
  ])('of %s is not sent with a value that JSON would replace by null', async (_, call, message) => {
    const { client, sent } = network(ok());
    const error = await outcome(call(client));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(message);
    expect(sent).toEqual([]);
  });

  test('has the idempotency key that the caller gives', async () => {
    const { client, sent } = network(ok());
    const pool = client.pool('p');
    const options = { idempotencyKey: 'mine' };
    await outcome(Promise.all([pool.allocate({}, options), pool.generate(options), pool.cleanup(options)]));
    await outcome(pool.release({ token_id: 't' }, options));
    expect(sent.map(({ request }) => request.headers.get('idempotency-key'))).toEqual(Array(4).fill('mine'));
  });

  test('has the method, path and body of the API', async () => {
    const { client, sent } = network(ok());
    await outcome(client.pool('p').release({ token_id: 'a/b', lease_id: 'l', user_id: 'u', fence: 3 }));
    const { url, method } = sent[0]!.request;
    expect({ url, method }).toEqual({ url: 'http://fake/api/tokens/a%2Fb/release', method: 'POST' });
    expect(await sent[0]!.request.json()).toEqual({ lease_id: 'l', user_id: 'u', fence: 3 });
  });

  test('has the API key as a header, for the stream too, and no error shows that key', async () => {
    const { fetch, sent } = network(ok({ name: 'p', last_seq: 0 }), problem(401, 'unauthenticated'));
    const pool = new TokenPoolClient('http://fake', { fetch, key: 'tp_secret' }).pool('p');
    const unwatched = await outcome(pool.watch().next());
    const refusal = await outcome(pool.details());
    expect(sent.map(({ request }) => request.headers.get('authorization'))).toEqual(Array(3).fill('Bearer tp_secret'));
    expect(sent[1]!.request.url).toContain('/events/stream');
    expect([unwatched, refusal]).toMatchObject([{ code: 'unauthenticated' }, { code: 'unauthenticated' }]);
    expect(inspect([unwatched, refusal], { depth: null })).not.toContain('secret');
    expect(sent.map(({ request }) => request.url).join()).not.toContain('secret');
  });

  test('carries the headers of the client', async () => {
    const { fetch, sent } = network(ok());
    const client = new TokenPoolClient('http://fake', { fetch, headers: { authorization: 'Bearer x' } });
    await outcome(client.pool('p').allocate());
    expect(sent[0]!.request.headers.get('authorization')).toBe('Bearer x');
  });
});

describe('an argument that can never work fails at once, and no error repeats it', () => {
  const LINE_BREAK = 'tp_secret\nrest';

  test.each([
    ['a malformed URL', 'http://user:secret@host:port', {}],
    ['a URL with a password', 'https://user:secret@host', {}],
    ['a key in the place of the URL', 'tp_secret', {}],
    ['a key in the query of the URL', 'https://host/?key=tp_secret', {}],
    ['another protocol', 'postgres://user:secret@host/', {}],
    ['a key with characters that no header may hold', 'https://host', { key: LINE_BREAK }],
    ['an invalid header', 'https://host', { headers: { authorization: `Bearer ${LINE_BREAK}` } }],
    ['an invalid name of a header', 'https://host', { headers: { [LINE_BREAK]: 'x' } }],
  ])('%s: in the constructor of the client', (_, url, options) => {
    const made = (): unknown => new TokenPoolClient(url, options);
    expect(made).toThrow(TypeError);
    try {
      made();
    } catch (error) {
      expect(inspect(error, { depth: null, showHidden: true }).replace(/\n {4}at .*/g, '')).not.toContain('secret');
    }
  });

  test.each([
    ['an idempotency key', { user_id: 'u' }, 'secret\nrest'],
    ['a body', { metadata: { count: 1n } }, 'k'],
  ])('%s: in the call', async (_, request, idempotencyKey) => {
    const { client, sent } = network(ok());
    const before = performance.now();
    const error = await client
      .pool('p')
      .allocate(request, { idempotencyKey })
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TypeError);
    expect(inspect(error)).not.toContain('secret');
    expect([sent.length, performance.now()]).toEqual([0, before]);
  });

  test('no error shows a key in the place of the host', async () => {
    const { fetch } = network(refused());
    const pool = new TokenPoolClient('https://tp_secret/', { fetch }).pool('p');
    expect(inspect(await outcome(pool.details()))).not.toContain('secret');
  });

  test.each([
    ['CERT_HAS_EXPIRED'],
    ['ERR_TLS_CERT_ALTNAME_INVALID'],
    ['ERR_SSL_WRONG_VERSION_NUMBER'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['HPE_INVALID_CONSTANT'],
    [undefined],
  ])('a connection that can never work (%s): with the first attempt', async (code) => {
    const cause = Object.assign(new Error('bad port'), { code });
    const { client, sent } = network(new TypeError('fetch failed', { cause }));
    const error = await outcome(client.pool('p').details());
    expect(error).toMatchObject({ name: 'TokenPoolConnectionError', isPermanent: true });
    expect((error as Error).message).toBe(`http://fake cannot be reached: ${code ?? 'bad port'}`);
    expect(sent).toHaveLength(1);
  });
});

describe('a retry', () => {
  test('waits longer each time, with some randomness, up to 5 s', async () => {
    const { client, sent } = network(refused());
    const error = await outcome(client.pool('p').details());
    expect(error).toBeInstanceOf(TokenPoolConnectionError);
    expect((error as Error).message).toContain('http://fake cannot be reached: ECONNREFUSED');
    const pauses = sent.slice(1).map(({ at }, i) => at - sent[i]!.at);
    expect(pauses.some((pause, i) => pause < 0.95 * Math.min(100 * 2 ** i, 5000))).toBe(true);
    for (const [i, pause] of pauses.entries()) {
      const most = Math.min(100 * 2 ** i, 5000);
      expect(pause).toBeGreaterThanOrEqual(most / 2);
      expect(pause).toBeLessThanOrEqual(most + 2);
    }
    expect(sent.at(-1)!.at).toBeGreaterThan(20_000);
    expect(sent.at(-1)!.at).toBeLessThan(30_000);
  });

  test.each([
    ['a refused connection', refused()],
    ['a response that breaks off', new TypeError('terminated')],
    ['503', problem(503, 'unavailable')],
    ['a proxy without a service behind it', foreign(502)],
    ['a proxy whose service did not respond', foreign(504)],
  ])('follows %s', async (_, answer) => {
    const { client, sent } = network(answer, ok({ name: 'p' }));
    expect(await outcome(client.pool('p').details())).toEqual({ name: 'p' });
    expect(sent).toHaveLength(2);
  });

  test('waits as long as Retry-After says', async () => {
    const { client, sent } = network(problem(503, 'unavailable', { 'retry-after': '7' }), ok());
    await outcome(client.pool('p').allocate());
    expect(sent[1]!.at).toBeGreaterThanOrEqual(7000);
    expect(sent[1]!.at).toBeLessThan(8000);
  });

  test('does not follow if Retry-After is longer than the timeout', async () => {
    const { client, sent } = network(problem(503, 'unavailable', { 'retry-after': '7' }));
    const error = await outcome(client.pool('p').allocate({}, { timeoutMs: 5000 }));
    expect(error).toMatchObject({ code: 'unavailable', retryAfter: 7 });
    expect(sent).toHaveLength(1);
  });

  test('follows after ten seconds without a response, until the timeout', async () => {
    const { client, sent } = network('never');
    const error = await outcome(client.pool('p').generate());
    expect(error).toBeInstanceOf(TokenPoolConnectionError);
    expect(sent.map(({ at }) => Math.round(at / 10_000))).toEqual([0, 1, 2]);
    expect((error as Error).message).toMatch(/^no answer within \d+ ms$/);
  });

  test.each([
    ['a refusal', problem(409, 'pool_exhausted'), TokenPoolError],
    ['a bug of the service', problem(500, 'internal_error'), TokenPoolError],
    ['a response of another server', foreign(404), TokenPoolConnectionError],
    ['a page in the place of JSON', foreign(200), TokenPoolConnectionError],
    ['a response without a body', new Response(null, { status: 204 }), TokenPoolConnectionError],
  ])('does not follow %s', async (_, answer, kind) => {
    const { client, sent } = network(answer);
    expect(await outcome(client.pool('p').allocate())).toBeInstanceOf(kind);
    expect(sent).toHaveLength(1);
  });

  test('does not follow createPool, which takes no key', async () => {
    const { client, sent } = network(refused());
    expect(await outcome(client.createPool({ name: 'p', kind: 'fixed' }))).toBeInstanceOf(TokenPoolConnectionError);
    expect(sent).toHaveLength(1);
  });
});

test('delete succeeds if its retry finds that the token is deleted', async () => {
  const { client } = network(refused(), problem(410, 'token_deleted'));
  expect(await outcome(client.pool('p').delete('t'))).toEqual({ deleted: true, token_id: 't' });
  const second = network(problem(410, 'token_deleted'));
  expect(await outcome(second.client.pool('p').delete('t'))).toMatchObject({ code: 'token_deleted' });
});

describe('the things of a listed pool', () => {
  const counts = { added: 2, changed: 1, unchanged: 0, deleted: 0, draining: 0 };
  const things = (count: number, bytes = 0) =>
    Array.from({ length: count }, (_, i) => ({ name: `thing-${i}`, attributes: { text: 'x'.repeat(bytes) } }));
  const bodies = (sent: readonly { request: Request }[]): Promise<{ tokens: unknown[]; missing?: string }[]> =>
    Promise.all(sent.map(({ request }) => request.json() as Promise<{ tokens: unknown[] }>));

  test.each([
    ['1,000 things', things(2001), [1000, 1000, 1]],
    ['1 MB', things(500, 4000), [244, 244, 12]],
    ['nothing', [], [0]],
  ])('are imported in requests of at most %s, whose counts are added up', async (_, list, sizes) => {
    const { client, sent } = network(ok(counts));
    const sum = await outcome(client.pool('p').importThings(list, { missing: 'keep' }));
    const received = await bodies(sent);
    expect(received.map(({ tokens }) => tokens.length)).toEqual(sizes);
    expect(received.map(({ tokens }) => tokens).flat()).toEqual(list);
    expect(received.map(({ missing }) => missing)).toEqual(sizes.map(() => 'keep'));
    expect(sent.map(({ request: { method, url } }) => `${method} ${url}`)).toEqual(
      sizes.map(() => 'PUT http://fake/api/pools/p/tokens'),
    );
    expect(sum).toEqual({ ...counts, added: 2 * sizes.length, changed: sizes.length });
  });

  test('are all of the pool in one request, or none is sent', async () => {
    const { client, sent } = network(ok(counts));
    const missing = 'delete_when_free';
    expect(await outcome(client.pool('p').importThings(things(1000), { missing }))).toEqual(counts);
    expect(await bodies(sent)).toMatchObject([{ missing }]);
    const error = await outcome(client.pool('p').importThings(things(1001), { missing }));
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toMatch(/1001 things do not fit into one request/);
    expect(sent).toHaveLength(1);
  });

  test('are added once, changed, asked for by name and attributes, selected, and deleted when they are free', async () => {
    const { client, sent } = network(ok());
    const pool = client.pool('p');
    await outcome(pool.addThing({ name: 'a', secret: { pin: '1' } }));
    await outcome(pool.changeThing('t', { secret: null }));
    await outcome(pool.list({ name: 'a', attributes: { country: 'de', esim: true } }).page());
    await outcome(pool.allocate({ name: 'a', select: { os: ['14', '15'], sim: null } }));
    await outcome(pool.delete('t', { when: 'when_free' }));
    const asked = await Promise.all(
      sent.map(async ({ request }) => [
        `${request.method} ${request.url.slice('http://fake/api/'.length)}`,
        request.body === null ? null : await request.json(),
      ]),
    );
    expect(asked).toEqual([
      ['POST tokens', { pool: 'p', name: 'a', secret: { pin: '1' } }],
      ['PATCH tokens/t', { secret: null }],
      ['GET tokens?pool=p&name=a&attribute.country=de&attribute.esim=true', null],
      ['POST tokens/allocate', { pool: 'p', name: 'a', select: { os: ['14', '15'], sim: null } }],
      ['DELETE tokens/t?when=when_free', null],
    ]);
    expect(sent.map(({ request }) => request.headers.has('idempotency-key'))).toEqual([
      true,
      false,
      false,
      true,
      false,
    ]);
  });
});

test('a refusal has all fields of the problem document', async () => {
  const { client } = network(problem(409, 'pool_exhausted', { 'retry-after': '3' }));
  const error = await outcome(client.pool('p').allocate());
  expect(error).toMatchObject({
    name: 'TokenPoolError',
    message: 'pool_exhausted: in words',
    code: 'pool_exhausted',
    status: 409,
    detail: 'in words',
    requestId: 'r-1',
    retryAfter: 3,
  });
});

describe("the caller's signal", () => {
  const enough = new Error('enough');

  test.each([
    ['while the call waits for a response', ['never' as const], 5000],
    ['between two attempts', [refused()], 3000],
  ])('ends the call %s', async (_, answers, ms) => {
    const { client, sent } = network(...answers);
    const caller = new AbortController();
    const call = client
      .pool('p')
      .generate({ signal: caller.signal })
      .catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(ms);
    const attempts = sent.length;
    caller.abort(enough);
    expect(await call).toBe(enough);
    expect(jest.getTimerCount()).toBe(0);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(sent).toHaveLength(attempts);
  });

  test('prevents any request if it has aborted before the call', async () => {
    const { client, sent } = network(ok());
    const signal = AbortSignal.abort(enough);
    expect(await outcome(client.pool('p').allocate({}, { signal }))).toBe(enough);
    expect(sent).toEqual([]);
  });
});

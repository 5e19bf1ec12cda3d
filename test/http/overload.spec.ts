// More commands than can be served in time: what is too much is told so at once, and giving back goes first.

import { once } from 'node:events';
import { connect } from 'node:net';
import { Client } from 'pg';
import { startApp, startAppOn, type TestApp } from '../support/app.js';
import { bearer, openKeys } from '../support/keys.js';
import { clientOf, expectProblem, type Answer, type Ask } from './client.js';

/** As in admission.ts: commands under way when one more that takes a token is turned away. */
const TAKING = 1000;
const TOO_MANY = 5;
/** The shortest `Retry-After`, but for some milliseconds of the clock. */
const REST_MS = 990;

/** Whether a command that was let in waited for too long behind the others, as on a busy machine. */
const isLate = ({ status, body }: Answer): boolean =>
  status === 503 && /^the command waited for more than \d+ ms/.test(String(body['detail']));

let app: TestApp;
let ask: Ask;
let holder: Client;

beforeEach(async () => {
  app = await startApp({ POOL_SIZE: '3' });
  ask = clientOf(app);
  holder = new Client({ connectionString: app.databaseUrl });
  await holder.connect();
});
afterEach(async () => {
  await holder.end();
  await app.close();
});

test('what is too much is refused while the rest waits, a release is let in, and every request that was let in is served', async () => {
  const held = await ask('POST', '/api/tokens/allocate');
  const { all, refused } = await jam();
  const release = ask('POST', `/api/tokens/${held.body.token_id}/release`);
  const short = await ask('POST', '/assign-token', { client_id: 'somebody' });
  await holder.query('COMMIT');

  for (const answer of refused) expectProblem(answer, 503, 'unavailable');
  expect(refused.map(({ headers }) => headers.get('retry-after'))).toEqual(refused.map(() => '1'));
  expectProblem(short, 503, 'unavailable');
  expect(short.body.message).toBe(short.body.detail);
  expect((await release).status).toBe(200);
  const served = (await Promise.all(all)).filter((answer) => answer.status === 200 || isLate(answer));
  expect(served).toHaveLength(TAKING);
  const { body: metrics } = await ask('GET', '/metrics');
  expect(metrics).toContain(`token_pool_http_turned_away_total{command="taking"} ${TOO_MANY + 1}\n`);
  expect(metrics).toContain(`token_pool_http_turned_away_total{command="other"} 0\n`);
});

test('who comes back at once is not read for a while, but through a proxy, which has others to speak for', async () => {
  const { all } = await jam();
  const [alone, proxied] = await Promise.all([
    secondRefusalAfterMs(),
    secondRefusalAfterMs('x-forwarded-for: 192.0.2.1\r\n'),
  ]);
  await holder.query('COMMIT');
  await Promise.all(all);
  expect(alone).toBeGreaterThanOrEqual(REST_MS);
  expect(proxied).toBeLessThan(REST_MS);
});

test.each([
  {
    what: 'reads',
    share: 100,
    lock: 'LOCK TABLE token_events IN ACCESS EXCLUSIVE MODE',
    ask: ['GET', '/api/pools/default/events'],
    beside: ['GET', '/api/pools'],
  },
  {
    what: 'commands that take a token',
    share: 500,
    lock: `SELECT FROM pools WHERE name = 'default' FOR UPDATE`,
    ask: ['POST', '/api/tokens/allocate'],
    beside: ['POST', '/assign-token'],
  },
] as const)('one key has a share of the places for $what, and another key goes on', async (kind) => {
  const keys = await openKeys(app.databaseUrl);
  const greedy = bearer((await keys.create()).key);
  const other = bearer((await keys.create()).key);
  await keys.close();
  const guarded = await startAppOn(app.databaseUrl, { AUTH: 'keys' });
  const askWith = clientOf(guarded);
  try {
    await askWith('POST', '/generate-token', undefined, other);
    await holder.query('BEGIN');
    await holder.query(kind.lock);
    const refused: Answer[] = [];
    let enough = (): void => undefined;
    const refusals = new Promise<void>((resolve) => (enough = resolve));
    const all = Array.from({ length: kind.share + TOO_MANY }, async () => {
      const answer = await askWith(kind.ask[0], kind.ask[1], undefined, greedy);
      if (answer.status !== 200 && refused.push(answer) === TOO_MANY) enough();
      return answer;
    });
    await refusals;
    const [method, path] = kind.beside;
    const body = method === 'POST' ? { client_id: 'somebody' } : undefined;
    const beside = await askWith(method, path, body, other);
    await holder.query('COMMIT');
    await Promise.all(all);

    expect(beside.status).toBe(200);
    expect(refused).toHaveLength(TOO_MANY);
    for (const answer of refused) {
      expectProblem(answer, 503, 'unavailable');
      expect(answer.headers.get('retry-after')).toMatch(/^[12]$/);
    }
  } finally {
    await guarded.close();
  }
});

/** The pool is locked by somebody else, and more wait for it than may. */
async function jam(): Promise<{ all: Promise<Answer>[]; refused: Answer[] }> {
  await holder.query('BEGIN');
  await holder.query(`SELECT FROM pools WHERE name = 'default' FOR UPDATE`);
  const refused: Answer[] = [];
  let enough = (): void => undefined;
  const refusals = new Promise<void>((resolve) => (enough = resolve));
  const all = Array.from({ length: TAKING + TOO_MANY }, async () => {
    const answer = await ask('POST', '/api/tokens/allocate');
    if (answer.status === 503 && refused.push(answer) === TOO_MANY) enough();
    return answer;
  });
  await refusals;
  return { all, refused };
}

/** On one connection, asking again at once. */
async function secondRefusalAfterMs(header = ''): Promise<number> {
  const socket = connect(Number(new URL(app.url).port));
  const head = `POST /api/tokens/allocate HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n${header}`;
  const request = `${head}content-length: 2\r\n\r\n{}`;
  const refusal = async (): Promise<void> => {
    socket.write(request);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain(' 503 ');
  };
  await refusal();
  const began = performance.now();
  await refusal();
  socket.destroy();
  return performance.now() - began;
}

test('after an overload the service takes as many as before', async () => {
  for (let round = 0; round < 2; round++) {
    const answers = await Promise.all(Array.from({ length: TAKING }, () => ask('POST', '/api/tokens/allocate')));
    // Nobody is turned away for want of a place.
    expect(answers.filter((answer) => answer.status !== 200 && !isLate(answer))).toEqual([]);
  }
});

// What is told and kept from whom at the door: limits, other origins' pages, proxies, headers, and the log.

import { once } from 'node:events';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { Client } from 'pg';
import { keyText, newKeyId, newSecret } from '../../libs/keys/src/key-text.js';
import { jsonLogger } from '../../apps/api/src/logger.js';
import { startApp, startAppOn, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { bearer, openKeys, type KeyMaker } from '../support/keys.js';
import { until, untilWaiting } from '../support/waiting.js';
import { clientOf, expectProblem, type Answer, type Ask, type Json } from './client.js';

let database: TestDatabase;
let keys: KeyMaker;
const apps: TestApp[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  keys = await openKeys(database.url);
});
afterAll(async () => {
  for (const app of apps) await app.close();
  await keys.close();
  await database.drop();
});

async function started(env: Record<string, string>, lines?: string[]): Promise<{ ask: Ask; url: string }> {
  const stream = new Writable({
    write: (chunk, _, done) => {
      lines?.push(String(chunk));
      done();
    },
  });
  const app = await startAppOn(database.url, env, jsonLogger(lines ? 'trace' : 'silent', stream));
  apps.push(app);
  return { ask: clientOf(app), url: app.url };
}

/** Until the answer is another, within one window of a second: the clock may turn between two requests. */
async function untilLimited(request: () => Promise<Answer>, most: number): Promise<{ passed: number; last: Answer }> {
  for (let passed = 0; ; passed++) {
    const last = await request();
    if (last.status === 429 || passed > most) return { passed, last };
  }
}

describe('RATE_LIMIT', () => {
  test('each key has its requests a second, and is told how many are left and when there are more', async () => {
    const { ask } = await started({ AUTH: 'keys', RATE_LIMIT: '5' });
    const [one, other] = [await keys.create(), await keys.create()];
    const first = await ask('GET', '/api/pools', undefined, bearer(one.key));
    expect(first.headers.get('ratelimit-policy')).toBe('"key";q=5;w=1');
    expect(first.headers.get('ratelimit')).toMatch(/^"key";r=[0-4];t=1$/);
    const { passed, last } = await untilLimited(() => ask('GET', '/api/pools', undefined, bearer(one.key)), 20);
    expect(passed).toBeLessThanOrEqual(10);
    expectProblem(last, 429, 'rate_limited');
    expect(last.headers.get('retry-after')).toBe('1');
    expect(last.headers.get('ratelimit')).toBe('"key";r=0;t=1');
    expect((await ask('GET', '/api/pools', undefined, bearer(other.key))).status).toBe(200);
  });

  test('without keys each address has them; only the question whether the process lives has no limit', async () => {
    const { ask } = await started({ RATE_LIMIT: '3', TRUST_PROXY: '1' });
    const from = (address: string) => ask('GET', '/api/pools', undefined, { 'x-forwarded-for': address });
    const { passed, last } = await untilLimited(() => from('2001:db8:1:2::7'), 20);
    expect(passed).toBeLessThanOrEqual(6);
    expectProblem(last, 429, 'rate_limited');
    expect(last.headers.get('ratelimit-policy')).toBe('"address";q=3;w=1');
    // One network, another network.
    expect((await untilLimited(() => from('2001:db8:1:2:ffff::1'), 20)).passed).toBeLessThanOrEqual(3);
    expect((await from('2001:db8:1:3::7')).status).toBe(200);
    for (let i = 0; i < 10; i++) expect((await ask('GET', '/health/live')).status).toBe(200);
  });

  test.each(['open', 'keys'])('what is for everybody counts for its address, AUTH=%s', async (AUTH) => {
    const cors = { CORS_ORIGINS: 'https://desk.example.org' };
    const { ask, url } = await started({ AUTH, RATE_LIMIT: '3', TRUST_PROXY: '1', ...cors });
    const paths = ['/health/ready', '/openapi.json', '/openapi-3.0.json', '/docs', '/docs/swagger-ui.css'];
    for (const [i, path] of paths.entries()) {
      const { last } = await untilLimited(() => ask('GET', path, undefined, { 'x-forwarded-for': `192.0.2.${i}` }), 20);
      expect({ path, status: last.status }).toEqual({ path, status: 429 });
    }
    const headers = {
      origin: cors.CORS_ORIGINS,
      'access-control-request-method': 'POST',
      'x-forwarded-for': '192.0.2.99',
    };
    const statuses: number[] = [];
    for (let i = 0; i < 20 && statuses.at(-1) !== 429; i++) {
      statuses.push((await fetch(`${url}/api/tokens`, { method: 'OPTIONS', headers })).status);
    }
    expect(new Set(statuses)).toEqual(new Set([204, 429]));
    const live = () => ask('GET', '/health/live', undefined, { 'x-forwarded-for': '192.0.2.98' });
    for (let i = 0; i < 10; i++) expect((await live()).status).toBe(200);
  });

  test('who asks on at once is not read until there are more', async () => {
    const { url } = await started({ RATE_LIMIT: '3' });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const statuses: string[] = [];
    for (let i = 0; i < 10; i++) {
      socket.write('HEAD /api/pools HTTP/1.1\r\nhost: localhost\r\n\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      statuses.push(answer.toString('latin1', 9, 12));
    }
    socket.destroy();
    expect(statuses.join(' ')).toContain('429 200');
    expect(statuses.join(' ')).not.toContain('429 429');
  });

  test('nothing is said of it where there is none', async () => {
    const { ask } = await started({});
    expect((await ask('GET', '/api/pools')).headers.has('ratelimit')).toBe(false);
  });
});

describe('keys that are no good', () => {
  test('are told to wait after ten from an address, while good ones go on from there', async () => {
    const { ask } = await started({ AUTH: 'keys', TRUST_PROXY: '1' });
    const good = await keys.create();
    const from = (address: string, key: string) =>
      ask('GET', '/api/pools', undefined, { ...bearer(key), 'x-forwarded-for': address });
    expect((await from('192.0.2.1', good.key)).status).toBe(200);
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) statuses.push((await from('192.0.2.1', `tp_guess_${i}`)).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
    const slowed = await from('192.0.2.1', 'tp_guess');
    expectProblem(slowed, 429, 'rate_limited');
    expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(50);
    expect((await from('192.0.2.1', good.key)).status).toBe(200);
    expect((await from('192.0.2.2', `tp_guess`)).status).toBe(401);
  });

  /** Nobody can look a key up until the work is done. */
  async function withoutLooks(work: () => Promise<void>): Promise<void> {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    try {
      await client.query('BEGIN; LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE');
      await work();
    } finally {
      await client.end();
    }
  }

  test('do not count whose sender hung up before they were looked at', async () => {
    const lines: string[] = [];
    const { ask, url } = await started({ AUTH: 'keys', RATE_LIMIT: '1000' }, lines);
    const good = await Promise.all(Array.from({ length: 30 }, () => keys.create()));
    const given = (): number => lines.filter((line) => line.includes('given up by the client')).length;
    await withoutLooks(async () => {
      const hangUp = new AbortController();
      const requests = good.map(({ key }) =>
        fetch(`${url}/api/pools`, { headers: bearer(key), signal: hangUp.signal }).catch(() => null),
      );
      await untilWaiting(database.url);
      for (let i = 0; i < 5; i++) await ask('GET', '/health/live');
      hangUp.abort();
      await Promise.all(requests);
      await until(() => given() > 15);
    });
    // Those that were under way are over when a key that was not seen yet has been looked up after them.
    expect((await ask('GET', '/api/pools', undefined, bearer((await keys.create()).key))).status).toBe(200);
    expect((await ask('GET', '/api/pools', undefined, bearer('tp_guess'))).status).toBe(401);
  });

  test('wait for their turn in a line that has an end', async () => {
    const { ask } = await started({ AUTH: 'keys', RATE_LIMIT: '1000' });
    const answers: number[] = [];
    const guess = (): string => keyText({ id: newKeyId(), secret: newSecret() });
    let all: Promise<unknown> = Promise.resolve();
    await withoutLooks(async () => {
      const requests = Array.from({ length: 150 }, async () => {
        answers.push((await ask('GET', '/api/pools', undefined, bearer(guess()))).status);
      });
      all = Promise.all(requests);
      await until(() => answers.length >= 40);
      expect(new Set(answers)).toEqual(new Set([429]));
    });
    await all;
    expect(answers).toHaveLength(150);
  });

  test('do not stand in the way of many first requests with a good one', async () => {
    const { ask } = await started({ AUTH: 'keys', RATE_LIMIT: '1000' });
    const headers = bearer((await keys.create()).key);
    const statuses: number[] = [];
    await withoutLooks(async () => {
      const many = Array.from({ length: 150 }, async () => {
        statuses.push((await ask('POST', '/api/tokens/allocate', undefined, headers)).status);
      });
      // More than may wait in a line are there before the key is looked up.
      await untilWaiting(database.url);
      for (let i = 0; i < 5; i++) await ask('GET', '/health/live');
      void Promise.all(many);
    });
    await until(() => statuses.length === 150);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  test('many at once are counted too, and lock out neither a key not seen yet nor an old secret', async () => {
    const { ask } = await started({ AUTH: 'keys', RATE_LIMIT: '1000' });
    const [fresh, rotated] = [await keys.create(), await keys.create()];
    await keys.rotate(rotated.id, 3600);
    const withKey = async (key: string): Promise<number> =>
      (await ask('GET', '/api/pools', undefined, bearer(key))).status;
    // In form they are keys, so that each has to be looked up.
    const bad = await Promise.all(Array.from({ length: 30 }, () => keys.create()));
    for (const { id } of bad) await keys.revoke(id);
    const statuses = await Promise.all(bad.map(({ key }) => withKey(key)));
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(20);
    expect(await Promise.all([fresh.key, rotated.key].map(withKey))).toEqual([200, 200]);
    expect(await withKey(bad[0]!.key)).toBe(429);
  });

  test('count for an address whatever its port, and for the peer when that is no address', async () => {
    const { ask } = await started({ AUTH: 'keys', TRUST_PROXY: '1' });
    for (const addressOf of [
      (i: number) => `192.0.2.7:${4000 + i}`,
      (i: number) => `[2001:db8::7]:${i}`,
      (i: number) => `gateway-${i}`,
    ]) {
      const statuses: number[] = [];
      for (let i = 1; i < 13; i++) {
        const headers = { ...bearer('tp_guess'), 'x-forwarded-for': addressOf(i) };
        statuses.push((await ask('GET', '/api/pools', undefined, headers)).status);
      }
      expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
    }
  });

  test('an address that the client makes up counts for nothing unless a proxy is trusted', async () => {
    const { ask } = await started({ AUTH: 'keys' });
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) {
      const headers = { ...bearer('tp_guess'), 'x-forwarded-for': `192.0.2.${i}` };
      statuses.push((await ask('GET', '/api/pools', undefined, headers)).status);
    }
    expect(statuses.slice(-2)).toEqual([429, 429]);
  });
});

describe('CORS_ORIGINS', () => {
  const PREFLIGHT = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type,idempotency-key',
  };
  const cors = (headers: Headers): string[] => [...headers.keys()].filter((name) => name.startsWith('access-control-'));

  test('a page of a listed origin may ask, also with a key, and read what the headers say', async () => {
    const { url } = await started({ AUTH: 'keys', CORS_ORIGINS: 'https://desk.example.org' });
    const origin = 'https://desk.example.org';
    const preflight = await fetch(`${url}/api/tokens/allocate`, {
      method: 'OPTIONS',
      headers: { origin, ...PREFLIGHT },
    });
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': expect.stringMatching(/POST.*PATCH.*DELETE/),
      'access-control-allow-headers': expect.stringMatching(/authorization.*idempotency-key.*last-event-id/),
      vary: 'origin',
    });
    // Also the refusal can be read.
    const refused = await fetch(`${url}/api/pools`, { headers: { origin } });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('access-control-allow-origin')).toBe(origin);
    expect(refused.headers.get('access-control-expose-headers')).toMatch(/retry-after.*ratelimit/);
    expect(refused.headers.has('access-control-allow-credentials')).toBe(false);
  });

  test('other origins are told nothing, and nobody is where none is listed', async () => {
    const listed = await started({ CORS_ORIGINS: 'https://desk.example.org' });
    const none = await started({});
    for (const { url, origin } of [
      { url: listed.url, origin: 'https://desk.example.org.evil.example' },
      { url: listed.url, origin: 'null' },
      { url: none.url, origin: 'https://desk.example.org' },
    ]) {
      const headers = { origin, ...PREFLIGHT };
      expect(cors((await fetch(`${url}/api/pools`, { method: 'OPTIONS', headers })).headers)).toEqual([]);
      expect(cors((await fetch(`${url}/api/pools`, { headers })).headers)).toEqual([]);
    }
  });
});

test('every answer says that it is not to be kept, guessed or framed; TLS is asked for when it is told', async () => {
  const { url } = await started({ HSTS_SECONDS: '31536000' });
  for (const path of ['/api/pools', '/api/nothing', '/health/live', '/metrics', '/api/pools/default/events/stream']) {
    const { headers, body } = await fetch(`${url}${path}`);
    await body?.cancel();
    expect({ path, ...Object.fromEntries(headers) }).toMatchObject({
      'cache-control': expect.stringMatching(/^no-store/),
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'strict-transport-security': 'max-age=31536000',
    });
    expect(headers.has('x-powered-by')).toBe(false);
  }
  const open = await started({});
  expect((await fetch(`${open.url}/api/pools`)).headers.has('strict-transport-security')).toBe(false);
});

test('a key in a URL is refused before anything is done, and is neither logged nor repeated', async () => {
  const lines: string[] = [];
  const { url } = await started({ AUTH: 'keys' }, lines);
  const { key } = await keys.create();
  for (const path of [`/api/pools?key=${key}`, `/api/pools/${key}`, `/${key}`, `/api/pools?${key}=1`]) {
    const response = await fetch(`${url}${path}`, { headers: bearer(key) });
    const body = (await response.json()) as Json;
    expect({ status: response.status, error: body.error }).toEqual({ status: 400, error: 'invalid_request' });
    expect(body.detail).toMatch(/does not belong in a URL/);
    expect(JSON.stringify(body)).not.toContain(key);
  }
  expect(lines.join('')).not.toContain(key.slice(16));
});

test('no line of the log and no answer tells a secret, whatever is asked for', async () => {
  const lines: string[] = [];
  const { ask, url } = await started({ AUTH: 'keys', LOG_LEVEL: 'trace' }, lines);
  const admin = await keys.create();
  const headers = bearer(admin.key);
  const answers: Answer[] = [];
  const send = async (...[method, path, body, more]: Parameters<Ask>): Promise<Json> => {
    const answer = await ask(method, path, body, { ...headers, ...more });
    answers.push(answer);
    return answer.body;
  };
  const lease = await send('POST', '/api/tokens/allocate', { metadata: { a: 1 } }, { 'idempotency-key': 'k' });
  await send('POST', '/api/tokens/allocate', {}, { 'idempotency-key': 'k' });
  await send('POST', `/api/tokens/${lease.token_id}/release`, {}, { 'x-request-id': admin.key });
  for (const path of ['/api/tokens', '/api/pools', '/api/pools/default/events', '/api/keys', '/metrics', '/nothing']) {
    await send('GET', path);
  }
  const issued = await send('POST', '/api/keys', { name: 'a', scopes: ['use'] });
  await send('POST', `/api/keys/${issued.id}/rotate`);
  await send('DELETE', `/api/keys/${issued.id}`);
  await send('POST', '/api/keys', { name: 'a', scopes: ['all'] });
  await send('POST', '/api/tokens/allocate', '{ not json');
  await send('POST', '/api/tokens/allocate', { [admin.key]: 1 });
  await send('GET', '/api/pools', undefined, { authorization: `${headers.authorization}x` });
  await fetch(`${url}/%`, { headers });
  await ask('GET', '/health/live', undefined, headers);

  const secrets = [admin.key, issued.key as string].map((key) => key.split('_')[2] as string);
  for (const secret of secrets) {
    expect(lines.join('')).not.toContain(secret);
    const telling = answers.filter(({ body, headers }) => JSON.stringify([body, ...headers]).includes(secret));
    // The answer that gives it.
    expect(telling.length).toBe(secret === secrets[1] ? 1 : 0);
  }
  expect(lines.join('')).toContain(`"key":"${admin.id}"`);
  expect(lines.join('')).toContain('"address":"127.0.0.1"');
});

test('in the open nobody can make a key that is good later', async () => {
  const app = await startApp();
  apps.push(app);
  const body = { name: 'later', scopes: ['operate'] };
  expectProblem(await clientOf(app)('POST', '/api/keys', body), 403, 'insufficient_scope');
});

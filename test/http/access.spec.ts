// Who may do what: every route of the running app × every scope, and every kind of key that is not good, or not for
// the pool. A route that is not in the table below fails here, and is for nobody.

import type { AddressInfo } from 'node:net';
import { Controller, Get, Module, type DynamicModule } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SCOPES, type Scope } from '@app/keys';
import { Client } from 'pg';
import { pino } from 'pino';
import { AppModule } from '../../apps/api/src/app.module.js';
import { assembleApp, createApp } from '../../apps/api/src/app.setup.js';
import { readConfig } from '../../apps/api/src/config.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { bearer, openKeys, type KeyMaker } from '../support/keys.js';
import { clientOf, expectProblem, type Answer, type Ask, type Json } from './client.js';

interface Route {
  readonly scopes: readonly Scope[] | 'everybody';
  /** What a key gets that is not for the pool: an error, or an answer without the pool. */
  readonly elsewhere?: 'pool_not_found' | 'token_not_found' | 'ticket_not_found' | 'insufficient_scope' | 'left out';
  readonly query?: string;
  readonly body?: Json;
}

const EVERYBODY: Route = { scopes: 'everybody' };
const SEE_TOKEN: Route = { scopes: ['read'], elsewhere: 'token_not_found' };
const SEE_POOL: Route = { scopes: ['read'], elsewhere: 'pool_not_found' };
const LIST: Route = { ...SEE_POOL, query: '?pool=seats' };
const LEASE: Route = { scopes: ['use', 'operate'], elsewhere: 'token_not_found', body: {} };
const OPERATE: Route = { scopes: ['operate'], elsewhere: 'pool_not_found', body: { pool: 'seats' } };
const TOKEN = { token: '00000000-0000-4000-8000-000000000000' };
const SHORT_OPERATE: Route = { scopes: ['operate'], elsewhere: 'insufficient_scope', body: TOKEN };
const SHORT_LEASE: Route = { ...SHORT_OPERATE, scopes: ['use', 'operate'] };
const NAMED = { name: 'seats', kind: 'fixed' };
const KEYS: Route = { scopes: ['keys'] };

const ROUTES: Readonly<Record<string, Route>> = {
  'POST /api/tokens/allocate': { scopes: ['use'], elsewhere: 'pool_not_found', body: { pool: 'seats' } },
  'POST /api/tickets': { scopes: ['use'], elsewhere: 'pool_not_found', body: { pool: 'seats' } },
  'POST /api/tickets/:ticket/claim': { scopes: ['use', 'operate'], elsewhere: 'ticket_not_found', body: {} },
  'GET /api/tickets/:ticket': { scopes: ['read', 'use', 'operate'], elsewhere: 'ticket_not_found' },
  'DELETE /api/tickets/:ticket': { scopes: ['use', 'operate'], elsewhere: 'ticket_not_found' },
  'GET /api/pools/:name/tickets': SEE_POOL,
  'POST /api/tokens/:id/release': LEASE,
  'POST /api/tokens/release/:id': LEASE,
  'POST /api/tokens/:id/keep-alive': LEASE,
  'POST /api/tokens/:id/disable': { scopes: ['operate'], elsewhere: 'token_not_found', body: { reason: 'old' } },
  'POST /api/tokens/:id/enable': { scopes: ['operate'], elsewhere: 'token_not_found', body: {} },
  'POST /api/pools/:name/clean': { scopes: ['use'], elsewhere: 'pool_not_found', body: {} },
  'GET /api/tokens': LIST,
  'GET /api/tokens/available': LIST,
  'GET /api/tokens/active': LIST,
  'GET /api/tokens/:id': SEE_TOKEN,
  'GET /api/tokens/:id/events': SEE_TOKEN,
  'GET /api/tokens/:id/history': SEE_TOKEN,
  'POST /api/tokens/cleanup': OPERATE,
  'DELETE /api/tokens/clear-active': { ...OPERATE, body: undefined, query: '?pool=seats' },
  'POST /api/tokens': OPERATE,
  'PATCH /api/tokens/:id': { scopes: ['operate'], elsewhere: 'token_not_found', body: {} },
  'PUT /api/pools/:name/tokens': { scopes: ['operate'], elsewhere: 'pool_not_found', body: { tokens: [] } },
  'DELETE /api/tokens/:id': { scopes: ['operate'], elsewhere: 'token_not_found' },
  'GET /api/leases': { scopes: ['read'], query: '?holder=ci-4711' },
  'POST /api/leases/release': { ...OPERATE, body: { holder: 'ci-4711', pool: 'seats' } },
  'POST /api/leases/verify': {
    scopes: ['read', 'use', 'operate'],
    body: { token_id: TOKEN.token, fence: 1 },
  },
  'POST /generate-token': { ...SHORT_OPERATE, body: undefined },
  'POST /assign-token': { scopes: ['use'], elsewhere: 'insufficient_scope', body: { client_id: 'kiosk-7' } },
  'POST /keep-alive': SHORT_LEASE,
  'POST /unblock-token': SHORT_LEASE,
  'POST /delete-token': SHORT_OPERATE,
  'DELETE /delete-token': SHORT_OPERATE,
  'GET /api/pools': { scopes: ['read'], elsewhere: 'left out' },
  'POST /api/pools': { scopes: ['pools'], elsewhere: 'insufficient_scope', body: NAMED },
  'GET /api/pools/:name': SEE_POOL,
  'PATCH /api/pools/:name': { scopes: ['pools'], elsewhere: 'pool_not_found', body: {} },
  'DELETE /api/pools/:name': { scopes: ['pools'], elsewhere: 'pool_not_found' },
  'GET /api/pools/:name/events': SEE_POOL,
  'GET /api/pools/:name/events/stream': SEE_POOL,
  'GET /api/pools/:name/audit': { scopes: ['operate'], elsewhere: 'pool_not_found' },
  'POST /api/keys': { ...KEYS, body: {} },
  'GET /api/keys': KEYS,
  'POST /api/keys/:key/rotate': KEYS,
  'DELETE /api/keys/:key': KEYS,
  'GET /metrics': { scopes: ['metrics'], elsewhere: 'left out' },
  'GET /': EVERYBODY,
  'GET /console': EVERYBODY,
  'GET /console/*path': EVERYBODY,
  'GET /console/assets/:name': EVERYBODY,
  'GET /health/live': EVERYBODY,
  'GET /health/ready': EVERYBODY,
  'GET /openapi.json': EVERYBODY,
  'GET /openapi-3.0.json': EVERYBODY,
  'GET /docs': EVERYBODY,
};
/** The page of /docs at other spellings of its address, and what goes with it. */
const OF_THE_DOCS = /^GET \/docs\//;

let database: TestDatabase;
let service: NestExpressApplication;
let url: string;
let ask: Ask;
let keys: KeyMaker;
let token: string;
let ticket: string;
const good = {} as Record<Scope | 'all' | 'elsewhere', string>;

beforeAll(async () => {
  database = await createTestDatabase();
  keys = await openKeys(database.url);
  const env = { AUTH: 'keys', TRUST_PROXY: '1', PORT: '0', SWEEP_INTERVAL_MS: '0', POOL_SIZE: '2' };
  const config = readConfig(env);
  service = await createApp(config, database.url, pino({ level: 'silent' }));
  url = await listening(service);
  ask = clientOf({ url });
  good.all = (await keys.create()).key;
  good.elsewhere = (await keys.create({ pools: ['desks', 'not-made-yet'] })).key;
  for (const scope of SCOPES) good[scope] = (await keys.create({ scopes: [scope] })).key;
  for (const name of ['seats', 'desks']) {
    await ask('POST', '/api/pools', { name, kind: 'fixed', size: 2, max_waiting: 1000 }, bearer(good.all));
  }
  ticket = (await ask('POST', '/api/tickets', { pool: 'seats' }, bearer(good.all))).body.id;
  token = (await ask('GET', '/api/tokens?pool=seats', undefined, bearer(good.all))).body.tokens[0].id;
});
afterAll(async () => {
  await service.close();
  await keys.close();
  await database.drop();
});

async function listening(app: NestExpressApplication): Promise<string> {
  const server = (await app.listen(0, '127.0.0.1')) as { address(): AddressInfo };
  return `http://127.0.0.1:${server.address().port}`;
}

/** What Express has been told to serve, one entry a method; a key's id is named apart from a token's. */
function served(app: NestExpressApplication): string[] {
  const { router } = app.getHttpAdapter().getInstance() as { router: { stack: Json[] } };
  return router.stack.flatMap(({ route }) => {
    const paths = [route?.path ?? []].flat() as string[];
    const methods = Object.keys(route?.methods ?? {}).map((method) => method.toUpperCase());
    return methods.flatMap((method) =>
      paths.map(
        (path) => `${method} ${path.replace('/keys/:id', '/keys/:key').replace('/tickets/:id', '/tickets/:ticket')}`,
      ),
    );
  });
}

async function send(name: string, headers: Record<string, string>): Promise<Answer> {
  const [method = '', pattern = ''] = name.split(' ');
  const { query = '', body } = ROUTES[name] as Route;
  const place = { ':id': token, ':ticket': ticket, ':name': 'seats', ':key': '000000000000', '*path': 'x' };
  const path = Object.entries(place).reduce((at, [parameter, value]) => at.replace(parameter, value), pattern) + query;
  // A stream has no end; its head tells as much.
  if (path.endsWith('/stream')) {
    const response = await fetch(`${url}${path}`, { method: 'HEAD', headers });
    return { status: response.status, headers: response.headers, body: {} };
  }
  return ask(method, path, body, headers);
}

const NAMES = Object.keys(ROUTES);
const KEPT = NAMES.filter((name) => ROUTES[name]?.scopes !== 'everybody');
const PUBLIC = NAMES.filter((name) => ROUTES[name]?.scopes === 'everybody');

/** Not let in at all, or not to this. */
const isRefused = ({ status, body }: Answer, name: string): boolean =>
  status === 401 || (status === 403 && (name.endsWith('/stream') || body.error === 'insufficient_scope'));

test('every route that is served is in the table, and every route of the table is served', () => {
  expect(
    served(service)
      .filter((name) => !OF_THE_DOCS.test(name))
      .sort(),
  ).toEqual([...NAMES].sort());
});

describe.each(KEPT)('%s', (name) => {
  const { scopes, elsewhere } = ROUTES[name] as Route;

  test.each(SCOPES)('with the scope %s', async (scope) => {
    const answer = await send(name, bearer(good[scope]));
    expect(isRefused(answer, name)).toBe(!scopes.includes(scope));
    if (!scopes.includes(scope) && !name.endsWith('/stream')) expectProblem(answer, 403, 'insufficient_scope');
  });

  test('is closed to callers without a valid key', async () => {
    const expired = await keys.create({ expires_at: new Date(Date.now() + 60_000).toISOString() });
    const revoked = await keys.create();
    await keys.revoke(revoked.id);
    await withDatabase(`UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = '${expired.id}'`);
    const typo = `${good.all.slice(0, -1)}${good.all.endsWith('0') ? '1' : '0'}`;
    const headers: Record<string, string>[] = [
      {},
      { authorization: '' },
      { authorization: good.all },
      { authorization: `Basic ${good.all}` },
      { authorization: 'Bearer' },
      { 'x-api-key': good.all, cookie: `key=${good.all}` },
    ];
    const bad = [typo, expired.key, revoked.key].map(bearer);
    for (const [place, one] of [...headers, ...bad].entries()) {
      // Whoever shows many bad keys is slowed down: these come from many places.
      const from = { 'x-forwarded-for': `2001:db8:${KEPT.indexOf(name)}:${place}::1` };
      const answer = await send(name, { ...one, ...from });
      expect(answer.status).toBe(401);
      if (name.endsWith('/stream')) continue;
      expectProblem(answer, 401, 'unauthenticated');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="token-pool"');
    }
  });

  test('for another pool', async () => {
    const answer = await send(name, bearer(good.elsewhere));
    if (elsewhere === undefined) return expect(isRefused(answer, name)).toBe(false);
    if (elsewhere === 'left out') {
      expect(answer.status).toBe(200);
      expect(JSON.stringify(answer.body)).toMatch(/desks/);
      return expect(JSON.stringify(answer.body)).not.toMatch(/seats|elastic|default/);
    }
    const status = elsewhere === 'insufficient_scope' ? 403 : 404;
    if (name.endsWith('/stream')) return expect(answer.status).toBe(status);
    expectProblem(answer, status, elsewhere);
  });
});

test.each(PUBLIC)('%s is for everybody, whatever comes with it', async (name) => {
  const path = (name.split(' ')[1] as string).replace('*path', 'x');
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`${url}${path}`, { headers, redirect: 'manual' })).status;
  const open = await status({});
  expect([200, 302, 404]).toContain(open);
  expect(await status(bearer('tp_nonsense'))).toBe(open);
});

test.each([
  ['the token in the middle', (id: string) => `/api/tokens/${id}/release`],
  ['the token at the end', (id: string) => `/api/tokens/release/${id}`],
])('force is for keys that may operate, written with %s', async (_, path) => {
  const pool = `forced-${path('').length}`;
  const policy = { name: pool, kind: 'fixed', size: 1, release_authority: 'holder' };
  await ask('POST', '/api/pools', policy, bearer(good.all));
  const { body: grant } = await ask('POST', '/api/tokens/allocate', { pool }, bearer(good.use));
  const release = (body: Json, key: string): Promise<Answer> => ask('POST', path(grant.token_id), body, bearer(key));
  const { lease_id, fence } = grant;
  expectProblem(await release({ lease_id, fence, force: true }, good.use), 403, 'insufficient_scope');
  expectProblem(await release({ force: true }, good.elsewhere), 404, 'token_not_found');
  expectProblem(await release({ fence }, good.operate), 403, 'lease_handle_required');
  expectProblem(await release({ fence: fence + 1, force: true }, good.operate), 409, 'stale_lease');
  expect((await release({ force: true }, good.operate)).status).toBe(200);
});

test('leases of pools that a key is not for are neither listed, verified nor ended', async () => {
  await ask('POST', '/api/pools', { name: 'rooms', kind: 'fixed', size: 1 }, bearer(good.all));
  const { body } = await ask('POST', '/api/tokens/allocate', { pool: 'rooms', holder: 'ci-7' }, bearer(good.use));
  const { lease_id, user_id } = body;
  const everything = async (key: string): Promise<unknown[]> => {
    const lists = await Promise.all(
      ['holder=ci-7', `user_id=${user_id}`].map((query) => ask('GET', `/api/leases?${query}`, undefined, bearer(key))),
    );
    const { body: verified } = await ask('POST', '/api/leases/verify', { lease_id }, bearer(key));
    const { body: ended } = await ask('POST', '/api/leases/release', { holder: 'ci-7' }, bearer(key));
    return [...lists.map((list) => list.body.leases.length as number), verified.valid, ended.released];
  };
  expect(await everything(good.elsewhere)).toEqual([0, 0, false, 0]);
  expect(await everything(good.all)).toEqual([1, 1, true, 1]);
});

test('in a pool for holders the lease of another is kept alive by its lease_id alone, also with a key that may operate', async () => {
  const policy = { name: 'kept-alive', kind: 'fixed', size: 1, release_authority: 'holder', renewable: true };
  await ask('POST', '/api/pools', policy, bearer(good.all));
  const { body: grant } = await ask('POST', '/api/tokens/allocate', { pool: policy.name }, bearer(good.use));
  const { token_id, lease_id, user_id, fence } = grant;
  const keepAlive = (body: Json): Promise<Answer> =>
    ask('POST', `/api/tokens/${token_id}/keep-alive`, body, bearer(good.operate));
  expectProblem(await keepAlive({ user_id, fence }), 403, 'lease_handle_required');
  expectProblem(await keepAlive({ user_id, force: true }), 400, 'invalid_request');
  expect((await keepAlive({ lease_id })).status).toBe(200);
});

test('a token of another pool answers as one that never was, also when it was deleted', async () => {
  const elastic = (await ask('POST', '/generate-token', undefined, bearer(good.all))).body.token as string;
  await ask('DELETE', `/api/tokens/${elastic}`, undefined, bearer(good.all));
  const never = '00000000-0000-4000-8000-00000000000a';
  for (const path of ['', '/events', '/history']) {
    const answers = [token, elastic, never].map(async (id) => {
      const { status, body } = await ask('GET', `/api/tokens/${id}${path}`, undefined, bearer(good.elsewhere));
      return { status, error: body.error, detail: (body.detail as string).replace(id, 'ID') };
    });
    const [first, ...others] = await Promise.all(answers);
    expect(first).toEqual({ status: 404, error: 'token_not_found', detail: 'there is no token ID' });
    for (const other of others) expect(other).toEqual(first);
  }
});

test('a pool that a key is not for answers as one that never was', async () => {
  const answers = ['seats', 'never'].map(async (name) => {
    const { status, body } = await ask('GET', `/api/pools/${name}`, undefined, bearer(good.elsewhere));
    return { status, error: body.error, detail: (body.detail as string).replace(name, 'NAME') };
  });
  const [one, other] = await Promise.all(answers);
  expect(one).toEqual(other);
});

test('a pool of a key can be made by it', async () => {
  const made = await ask('POST', '/api/pools', { name: 'not-made-yet', kind: 'elastic' }, bearer(good.elsewhere));
  expect(made.status).toBe(201);
});

test('a path without a route tells nothing to callers without a key', async () => {
  expectProblem(await ask('GET', '/api/secrets'), 401, 'unauthenticated');
  expectProblem(await ask('GET', '/api/secrets', undefined, bearer(good.read)), 404, 'route_not_found');
});

@Controller()
class Unmarked {
  @Get('unmarked')
  show(): { answer: number } {
    return { answer: 42 };
  }
}

test('a route that nobody has classified is for nobody, and is seen by the table', async () => {
  const config = readConfig({ AUTH: 'keys', PORT: '0', SWEEP_INTERVAL_MS: '0' });
  const logger = pino({ level: 'silent' });
  @Module({ controllers: [Unmarked] })
  class WithUnmarked {
    static of(): DynamicModule {
      return { module: WithUnmarked, imports: [AppModule.forRoot(config, database.url, logger)] };
    }
  }
  const app = await assembleApp(WithUnmarked.of(), config, logger);
  try {
    const response = await fetch(`${await listening(app)}/unmarked`, { headers: bearer(good.all) });
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      status: 403,
      body: { error: 'insufficient_scope' },
    });
    expect(served(app)).toContain('GET /unmarked');
  } finally {
    await app.close();
  }
});

async function withDatabase(sql: string): Promise<void> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

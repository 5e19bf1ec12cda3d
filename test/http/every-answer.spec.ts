// Every answer that the document promises is one that can be had: for each operation each status, and of the errors
// each code. (That no other is given, `ask` sees to, in every test.)

import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { Client } from 'pg';
import { pino } from 'pino';
import { createApp } from '../../apps/api/src/app.setup.js';
import { readConfig } from '../../apps/api/src/config.js';
import { Proxy } from '../../tools/harness/proxy.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startAppOn, type TestApp } from '../support/app.js';
import { bearer, openKeys, type KeyMaker } from '../support/keys.js';
import { mustBeDocumented } from '../support/documented.js';
import { streamOf } from './stream-reader.js';
import { clientOf, openapi, type Answer, type Ask, type Json } from './client.js';

interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: Json;
  readonly headers?: Record<string, string>;
  /** What the request is about. */
  readonly pool: string;
  readonly token?: string;
  /** Another way to the service than without a key. */
  readonly by?: TestApp;
  readonly lease?: string;
}

let database: TestDatabase;
let proxy: Proxy;
let service: INestApplication;
let ask: Ask;
let url: string;
/** The same database with AUTH=keys, and with a limit of one request a second. */
let guarded: TestApp;
let limited: TestApp;
let keys: KeyMaker;
let admin: string;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await Proxy.open(database.url);
  const config = readConfig({ PORT: '0', SWEEP_INTERVAL_MS: '0', POOL_SIZE: '3' });
  service = await createApp(config, proxy.url, pino({ level: 'silent' }));
  const server = (await service.listen(0, config.host)) as { address(): AddressInfo };
  url = `http://${config.host}:${server.address().port}`;
  ask = clientOf({ url });
  guarded = await startAppOn(proxy.url, { AUTH: 'keys' });
  limited = await startAppOn(database.url, { AUTH: 'keys', RATE_LIMIT: '1' });
  keys = await openKeys(database.url);
  admin = (await keys.create()).key;
});
afterAll(async () => {
  await keys.close();
  await limited.close();
  await guarded.close();
  await service.close();
  await proxy.close();
  await database.drop();
});

const ELASTIC = 'elastic';

async function done(method: string, path: string, body?: Json, headers?: Record<string, string>): Promise<Json> {
  const answer = await ask(method, path, body, headers);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

let names = 0;
async function newPool(policy: object = {}): Promise<string> {
  const name = `pool-${++names}`;
  await done('POST', '/api/pools', { name, kind: 'elastic', size: 2, renewable: true, ...policy });
  return name;
}

async function newToken(pool: string): Promise<string> {
  return (await done('POST', '/api/tokens', { pool })).id;
}

async function newLease(pool: string, user_id?: string): Promise<{ pool: string; token: string; lease: string }> {
  await newToken(pool);
  const { token_id, lease_id } = await done('POST', '/api/tokens/allocate', { pool, user_id });
  return { pool, token: token_id, lease: lease_id };
}

/** The pool of the short routes as it is at first: without tokens. */
async function emptied(): Promise<string> {
  await done('PATCH', `/api/pools/${ELASTIC}`, { renewable: true, release_authority: 'anyone' });
  for (const { id } of (await done('GET', `/api/tokens?pool=${ELASTIC}`)).tokens) {
    await done('DELETE', `/api/tokens/${id}?force=true`);
  }
  return ELASTIC;
}

const ofPool = async (method: string, path: (pool: string) => string, body?: (pool: string) => Json) => {
  const pool = await newPool();
  return { method, pool, path: path(pool), body: body?.(pool) };
};

const ofLease = async (method: string, path: (token: string) => string, body?: (lease: string) => Json) => {
  const about = await newLease(await newPool());
  return { method, ...about, path: path(about.token), body: body?.(about.lease) };
};

const ofShortToken = async (method: string, path: string) => {
  const about = await newLease(await emptied());
  return { method, ...about, path, body: { token: about.token } };
};

/** A listed pool with a token. */
async function newThing(): Promise<{ pool: string; token: string }> {
  const pool = await newPool({ kind: 'listed', size: 100 });
  return { pool, token: (await done('POST', '/api/tokens', { pool, name: 'here' })).id };
}

/** A pool whose one token is held, and a ticket that waits there. */
async function newTicket(): Promise<{ pool: string; token: string }> {
  const { pool } = await newLease(await newPool({ max_waiting: 10 }));
  return { pool, token: (await done('POST', '/api/tickets', { pool })).id };
}

/** A ticket with an offer. */
async function newOffer(): Promise<{ pool: string; token: string }> {
  const pool = await newPool({ max_waiting: 10 });
  await newToken(pool);
  return { pool, token: (await done('POST', '/api/tickets', { pool })).id };
}

/** A pool with some dirty tokens. */
async function newDirt(): Promise<{ pool: string; token: string }> {
  const pool = await newPool({ after_use: 'clean' });
  await done('PATCH', `/api/pools/${pool}`, { size: 10 });
  for (let made = 0; made < 3; made++) await newToken(pool);
  for (let used = 0; used < 3; used++) {
    const { token_id } = await done('POST', '/api/tokens/allocate', { pool });
    await done('POST', `/api/tokens/${token_id}/release`);
  }
  return { pool, token: '' };
}

const ofKeys = (method: string, path: string, body?: Json): Request => ({
  ...{ method, path, body, pool: ELASTIC },
  ...{ by: guarded, headers: bearer(admin) },
});

/** For each operation a request that it answers with what it is there for. */
const REQUESTS: Record<string, () => Promise<Request>> = {
  allocateToken: async () => {
    const pool = await newPool();
    await newToken(pool);
    return { method: 'POST', path: '/api/tokens/allocate', pool, body: { pool } };
  },
  createTicket: async () => {
    const { pool } = await newOffer();
    return { method: 'POST', pool, path: '/api/tickets', body: { pool } };
  },
  claimTicket: async () => {
    const about = await newOffer();
    return { method: 'POST', ...about, path: `/api/tickets/${about.token}/claim` };
  },
  getTicket: async () => {
    const about = await newTicket();
    return { method: 'GET', ...about, path: `/api/tickets/${about.token}` };
  },
  cancelTicket: async () => {
    const about = await newTicket();
    return { method: 'DELETE', ...about, path: `/api/tickets/${about.token}` };
  },
  listTickets: async () => {
    const { pool } = await newTicket();
    return { method: 'GET', pool, path: `/api/pools/${pool}/tickets` };
  },
  disableToken: () =>
    ofLease(
      'POST',
      (token) => `/api/tokens/${token}/disable`,
      () => ({ reason: 'old' }),
    ),
  enableToken: () => ofLease('POST', (token) => `/api/tokens/${token}/enable`),
  cleanToken: async () => {
    const { pool } = await newDirt();
    return { method: 'POST', pool, path: `/api/pools/${pool}/clean`, body: {} };
  },
  releaseToken: () =>
    ofLease(
      'POST',
      (token) => `/api/tokens/${token}/release`,
      (lease_id) => ({ lease_id }),
    ),
  releaseTokenById: () =>
    ofLease(
      'POST',
      (token) => `/api/tokens/release/${token}`,
      (lease_id) => ({ lease_id }),
    ),
  keepTokenAlive: () =>
    ofLease(
      'POST',
      (token) => `/api/tokens/${token}/keep-alive`,
      (lease_id) => ({ lease_id }),
    ),
  listTokens: () => ofPool('GET', (pool) => `/api/tokens?pool=${pool}`),
  listAvailableTokens: () => ofPool('GET', (pool) => `/api/tokens/available?pool=${pool}`),
  listActiveTokens: () => ofPool('GET', (pool) => `/api/tokens/active?pool=${pool}`),
  getToken: () => ofLease('GET', (token) => `/api/tokens/${token}`),
  listTokenEvents: () => ofLease('GET', (token) => `/api/tokens/${token}/events`),
  listTokenUses: () => ofLease('GET', (token) => `/api/tokens/${token}/history`),
  releaseActiveTokens: () =>
    ofPool(
      'POST',
      () => '/api/tokens/cleanup',
      (pool) => ({ pool }),
    ),
  clearActiveTokens: () => ofPool('DELETE', (pool) => `/api/tokens/clear-active?pool=${pool}`),
  createToken: () =>
    ofPool(
      'POST',
      () => '/api/tokens',
      (pool) => ({ pool }),
    ),
  changeToken: async () => {
    const about = await newThing();
    return { method: 'PATCH', ...about, path: `/api/tokens/${about.token}`, body: { attributes: { country: 'de' } } };
  },
  importTokens: async () => {
    const { pool } = await newThing();
    return { method: 'PUT', pool, path: `/api/pools/${pool}/tokens`, body: { tokens: [{ name: 'new' }] } };
  },
  deleteToken: () => ofLease('DELETE', (token) => `/api/tokens/${token}?force=true`),
  listLeases: () => ofPool('GET', () => '/api/leases?holder=ci-4711'),
  releaseLeases: () =>
    ofPool(
      'POST',
      () => '/api/leases/release',
      (pool) => ({ holder: 'ci-4711', pool }),
    ),
  verifyLease: () =>
    ofLease(
      'POST',
      () => '/api/leases/verify',
      (lease_id) => ({ lease_id }),
    ),
  generateToken: async () => ({ method: 'POST', path: '/generate-token', pool: await emptied() }),
  assignToken: async () => {
    const pool = await emptied();
    await newToken(pool);
    return { method: 'POST', path: '/assign-token', pool, body: { client_id: 'kiosk-7' } };
  },
  keepAssignedTokenAlive: () => ofShortToken('POST', '/keep-alive'),
  unblockToken: () => ofShortToken('POST', '/unblock-token'),
  deleteAssignedToken: () => ofShortToken('POST', '/delete-token'),
  removeAssignedToken: () => ofShortToken('DELETE', '/delete-token'),
  listPools: () => ofPool('GET', () => '/api/pools'),
  createPool: async () => {
    const pool = `pool-${++names}`;
    return { method: 'POST', path: '/api/pools', pool, body: { name: pool, kind: 'fixed', size: 1 } };
  },
  getPool: () => ofPool('GET', (pool) => `/api/pools/${pool}`),
  changePool: () =>
    ofPool(
      'PATCH',
      (pool) => `/api/pools/${pool}`,
      () => ({ size: 4 }),
    ),
  deletePool: () =>
    ofLease('DELETE', () => '').then((request) => ({ ...request, path: `/api/pools/${request.pool}?force=true` })),
  listPoolEvents: () => ofPool('GET', (pool) => `/api/pools/${pool}/events`),
  streamPoolEvents: () => ofLease('GET', () => '').then((request) => ({ ...request, path: streamOf(request.pool) })),
  createKey: async () => ofKeys('POST', '/api/keys', { name: 'kiosk', scopes: ['use'] }),
  listKeys: async () => ofKeys('GET', '/api/keys'),
  rotateKey: async () => ofKeys('POST', `/api/keys/${(await keys.create()).id}/rotate`),
  revokeKey: async () => ofKeys('DELETE', `/api/keys/${(await keys.create()).id}`),
  auditPool: () => ofPool('GET', (pool) => `/api/pools/${pool}/audit`),
  getLiveness: async () => ({ method: 'GET', path: '/health/live', pool: ELASTIC }),
  getReadiness: async () => ({ method: 'GET', path: '/health/ready', pool: ELASTIC }),
};

/** The requests that are answered with another status than the usual one. */
const OTHERS: Record<string, () => Promise<Request>> = {
  'allocateToken 202': async () => {
    const { pool } = await newTicket();
    return { method: 'POST', pool, path: '/api/tokens/allocate', body: { pool, wait_seconds: 0.01 } };
  },
  'claimTicket 202': async () => {
    const about = await newTicket();
    return { method: 'POST', ...about, path: `/api/tickets/${about.token}/claim`, body: { wait_seconds: 0.01 } };
  },
};

const send = ({ method, path, body, headers, by }: Request): Promise<Answer> =>
  path.includes('/stream')
    ? sendForStream(by?.url ?? url, path, headers)
    : (by ? clientOf(by) : ask)(method, path, body, headers);

/** A stream has no end: its answer is its first event. */
async function sendForStream(url: string, path: string, given?: Record<string, string>): Promise<Answer> {
  const reading = new AbortController();
  const { status, headers, body } = await fetch(`${url}${path}`, { signal: reading.signal, headers: given });
  let text = '';
  for await (const bytes of body!) {
    text += Buffer.from(bytes).toString();
    if (status === 200 && /^data: .*\n\n/m.test(text)) break;
  }
  reading.abort();
  const answer = { status, headers, body: JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text) as unknown };
  mustBeDocumented('GET', path, answer);
  return answer;
}

/** The request as it is, with something else in the place of its token or pool. */
function about(request: Request, was: string | undefined, is: string): Request {
  const { path, body } = request;
  const replaced = JSON.stringify({ path, body: body as unknown }).replaceAll(String(was), is);
  return { ...request, ...(JSON.parse(replaced) as object) };
}

const withQuery = (request: Request, query: string): Request => {
  const { path } = request;
  return { ...request, path: `${path}${path.includes('?') ? '&' : '?'}${query}` };
};

/** What the short routes know of a lease is its token. */
const namingNothing = (request: Request): Request =>
  request.path.startsWith('/api/') ? { ...request, body: {} } : request;

async function withTables<T>(ending: [string, string], work: () => Promise<T>): Promise<T> {
  const admin = new Client({ connectionString: database.url });
  await admin.connect();
  const rename = (from: string, to: string) => {
    const tables = ['pools', 'tokens', 'things', 'tickets', 'token_upkeep', 'token_events', 'kept_answers', 'api_keys'];
    return admin.query(tables.map((table) => `ALTER TABLE ${table}${from} RENAME TO ${table}${to}`).join(';'));
  };
  await rename(...ending);
  try {
    return await work();
  } finally {
    await rename(ending[1], ending[0]);
    await admin.end();
  }
}

const alsoGiving =
  (fields: object) =>
  async (request: Request): Promise<[Request, Request]> => [
    request,
    { ...request, body: { ...(request.body as object), ...fields } },
  ];
const inWords = async (request: Request): Promise<[Request, Request]> => {
  const unsaid = { ...request, method: 'POST', path: '/api/tokens/cleanup', body: {} };
  return [unsaid, about(request, request.pool, 'default')];
};
const GENERATION = { method: 'POST', path: '/generate-token', pool: ELASTIC };
const CREATION = { method: 'POST', path: '/api/tokens', pool: ELASTIC, body: { pool: ELASTIC } };

/** For each operation that may be repeated, two requests to it (or to its alias) that are not the same. */
const ANOTHER: Record<string, (request: Request) => Promise<[Request, Request]>> = {
  allocateToken: alsoGiving({ metadata: { desk: 7 } }),
  createTicket: alsoGiving({ metadata: { desk: 7 } }),
  cleanToken: alsoGiving({ metadata: { image: 'v2' } }),
  releaseToken: alsoGiving({ fence: 1 }),
  releaseTokenById: alsoGiving({ fence: 1 }),
  keepTokenAlive: alsoGiving({ fence: 1 }),
  releaseActiveTokens: inWords,
  clearActiveTokens: inWords,
  createToken: () => emptied().then(() => [GENERATION, CREATION]),
  generateToken: () => emptied().then(() => [CREATION, GENERATION]),
  assignToken: alsoGiving({ client_id: 'kiosk-8' }),
  keepAssignedTokenAlive: alsoGiving({ client_id: 'kiosk-8' }),
  unblockToken: async (request) => [request, { ...request, body: { token: await newToken(ELASTIC) } }],
};

/** For each code what has to happen, or to be asked otherwise, for a request to be answered with it. */
const REFUSALS: Record<string, (request: Request, operationId: string) => Promise<Answer>> = {
  invalid_request: (request) => send(withQuery(request, 'odd=1')),
  unauthenticated: (request) => send({ ...request, by: guarded, headers: {} }),
  insufficient_scope: async (request) => {
    const { key } = await keys.create({ scopes: ['metrics'] });
    return send({ ...request, by: guarded, headers: bearer(key) });
  },
  rate_limited: async (request) => {
    const headers = bearer((await keys.create({ scopes: ['metrics'] })).key);
    for (;;) {
      const answer = await send({ ...request, by: limited, headers });
      if (![200, 403].includes(answer.status)) return answer;
    }
  },
  key_not_found: (request) => send({ ...request, path: request.path.replace(/keys\/\w+/, 'keys/000000000000') }),
  invalid_status: (request) => send(withQuery(request, 'status=odd')),
  invalid_token_id: (request) => send(about(request, request.token, '7')),
  token_not_found: (request, operationId) =>
    operationId === 'allocateToken'
      ? send({ ...request, body: { ...(request.body as object), name: 'nobody' } })
      : send(about(request, request.token, randomUUID())),
  ticket_not_found: (request) => send(about(request, request.token, randomUUID())),
  ticket_ended: async (request, operationId) => {
    if (operationId === 'allocateToken') {
      const { pool } = await newTicket();
      const waiting = { ...request, body: { pool, wait_seconds: 0 }, headers: { 'idempotency-key': randomUUID() } };
      await done('DELETE', `/api/tickets/${(await send(waiting)).body.id}`);
      return send(waiting);
    }
    await done('DELETE', `/api/tickets/${request.token}`);
    return send(request);
  },
  line_full: async (request, operationId) => {
    const { pool } = await newTicket();
    await done('PATCH', `/api/pools/${pool}`, { max_waiting: 1 });
    return send({ ...request, body: { pool, ...(operationId === 'allocateToken' && { wait_seconds: 0 }) } });
  },
  nothing_dirty: (request) => send({ ...request, body: { select: { country: 'de' } } }),
  token_disabled: async (request) => {
    const token = await newToken(request.pool);
    await done('POST', `/api/tokens/${token}/disable`, { reason: 'old' });
    return send({ ...request, body: { pool: request.pool, token_id: token } });
  },
  unsatisfiable: (request) => send({ ...request, body: { ...(request.body as object), select: { country: 'de' } } }),
  secrets_off: async (request, operationId) => {
    const secret = { pin: '0000' };
    const { pool } = operationId === 'createToken' ? await newThing() : request;
    const body = { importTokens: { tokens: [{ name: 'new', secret }] }, changeToken: { secret } }[operationId];
    return send({ ...request, body: body ?? { pool, name: 'new', secret } });
  },
  pool_not_listed: async (request, operationId) => {
    const pool = await newPool();
    if (operationId === 'createToken') return send({ ...request, body: { pool, name: 'new' } });
    return send(about(about(request, request.pool, pool), request.token, await newToken(pool)));
  },
  token_exists: async (request, operationId) => {
    const pool = operationId === 'createToken' ? (await newThing()).pool : request.pool;
    await done('PUT', `/api/pools/${pool}/tokens`, { tokens: [{ name: 'other' }] });
    return send({ ...request, body: operationId === 'createToken' ? { pool, name: 'other' } : { name: 'other' } });
  },
  pool_not_found: (request) => send(about(request, request.pool, 'none')),
  body_too_large: (request, operationId) =>
    send({ ...request, body: 'x'.repeat(operationId === 'importTokens' ? 1_100_000 : 20_000) }),
  unsupported_media_type: (request) =>
    send({ ...request, body: 'x', headers: { ...request.headers, 'content-type': 'text/plain' } }),
  idempotency_key_reused: async (request, operationId) => {
    const headers = { 'idempotency-key': randomUUID() };
    const [first, other] = await ANOTHER[operationId]!(request);
    expect((await send({ ...first, headers })).status).toBeLessThan(300);
    return send({ ...other, headers });
  },
  token_not_active: async (request) => {
    await done('POST', `/api/tokens/${request.token}/release`);
    return send(namingNothing(request));
  },
  position_unknown: (request, operationId) => {
    if (/Events$/.test(operationId) && request.path.includes('/pools/'))
      return send(withQuery(request, 'after=1000000'));
    const places: Record<string, string> = {
      ...{ listTokens: `all~${randomUUID()}`, listAvailableTokens: `available~9000000000000000~${randomUUID()}` },
      ...{ listActiveTokens: 'active~1000000', listTokenEvents: 'events~1000000', listTokenUses: 'history~1000000' },
      ...{ listKeys: 'keys~000000000000', listLeases: 'leases~default~1000000' },
    };
    const cursor = Buffer.from(places[operationId]!).toString('base64url');
    return send(withQuery(request, `cursor=${cursor}`));
  },
  history_dropped: async (request, operationId) => {
    const admin = new Client({ connectionString: database.url });
    await admin.connect();
    await admin.query(
      `INSERT INTO event_snapshots (pool, seq, recorded_at, last_fence, token_count, lease_count, hash, is_beginning)
       VALUES ($1, 1, now(), 0, 0, 0, '', true)`,
      [request.pool],
    );
    await admin.end();
    const isOfThen = ['getToken', 'getPool'].includes(operationId);
    return send(isOfThen ? withQuery(request, 'as_of=2020-01-01T00:00:00Z') : request);
  },
  token_deleted: async (request) => {
    await done('DELETE', `/api/tokens/${request.token}?force=true`);
    return send(request);
  },
  lease_handle_required: async (request) => {
    await done('PATCH', `/api/pools/${request.pool}`, { release_authority: 'holder' });
    return send(namingNothing(request));
  },
  stale_lease: (request) =>
    send({
      ...request,
      body: request.path.startsWith('/api/')
        ? { user_id: randomUUID() }
        : { ...(request.body as object), client_id: 'x' },
    }),
  lease_ended: async (request) => {
    await done('POST', `/api/tokens/${request.token}/release`);
    return send(request);
  },
  not_renewable: async (request) => {
    await done('PATCH', `/api/pools/${request.pool}`, { renewable: false });
    return send(request);
  },
  pool_exhausted: async (request) => {
    await done('POST', '/api/tokens/allocate', { pool: request.pool });
    return send(request);
  },
  pool_deleted: async (request) => {
    await done('DELETE', `/api/pools/${request.pool}?force=true`);
    const answer = await send(request);
    await done('POST', '/api/pools', { name: request.pool, kind: 'elastic' });
    return answer;
  },
  pool_paused: async (request) => {
    await done('PATCH', `/api/pools/${request.pool}`, { status: 'paused' });
    const answer = await send(request);
    await done('PATCH', `/api/pools/${request.pool}`, { status: 'open' });
    return answer;
  },
  quota_exceeded: async (request) => {
    await done('PATCH', `/api/pools/${request.pool}`, { max_per_user: 1 });
    const user = request.path.startsWith('/api/') ? { user_id: randomUUID() } : {};
    const one = { ...request, body: { ...(request.body as object), ...user } };
    await send(one);
    const answer = await send(one);
    await done('PATCH', `/api/pools/${request.pool}`, { max_per_user: null });
    return answer;
  },
  pool_is_fixed: async (request) => {
    const pool = await newPool({ kind: 'fixed' });
    const [token] = (await done('GET', `/api/tokens?pool=${pool}`)).tokens;
    return send(about(about(request, request.pool, pool), request.token, token.id as string));
  },
  pool_limit_reached: async (request, operationId) => {
    if (operationId === 'importTokens') {
      await done('PATCH', `/api/pools/${request.pool}`, { size: 1 });
      return send(request);
    }
    const { size } = await done('GET', `/api/pools/${request.pool}`);
    for (let made = 0; made < size; made++) await newToken(request.pool);
    return send(request);
  },
  token_in_use: async (request, operationId) => {
    if (operationId !== 'allocateToken') return send({ ...request, path: request.path.replace('?force=true', '') });
    const { token } = await newLease(request.pool);
    return send({ ...request, body: { pool: request.pool, token_id: token } });
  },
  pool_exists: async (request) => {
    await send(request);
    return send(request);
  },
  internal_error: (request) => withTables(['', '_gone'], () => send(request)),
  unavailable: async (request) => {
    proxy.set({ isClosed: true });
    try {
      let answer = await send(request);
      // What readiness has found is remembered for a second.
      while (request.path === '/health/ready' && answer.status === 200) answer = await send(request);
      return answer;
    } finally {
      proxy.heal();
    }
  },
};

const PROMISES = Object.values(openapi.paths)
  .flatMap((operations) => Object.values(operations))
  .flatMap(({ operationId, responses }) =>
    Object.entries(responses).flatMap(([status, { content = {} }]) =>
      Object.keys(content['application/problem+json']?.examples ?? { '': null }).map((code) => ({
        operationId,
        status: Number(status),
        code,
      })),
    ),
  );

test.each(PROMISES)('$operationId: $status $code', async ({ operationId, status, code }) => {
  const request = await (OTHERS[`${operationId} ${status}`] ?? REQUESTS[operationId]!)();
  const answer = await (code === '' ? send(request) : REFUSALS[code]!(request, operationId));
  expect({ status: answer.status, code: answer.body.error ?? '' }).toEqual({ status, code });
});

// Who holds a token is shown to the key that took the lease, to keys that may operate, and to nobody else; nobody else
// can touch it.

import { randomBytes } from 'node:crypto';
import { Database } from '../../libs/postgres/src/connection/database.js';
import { userOfClient } from '../../apps/api/src/short-routes/client-id.js';
import { startApp, type TestApp } from '../support/app.js';
import { bearer, openKeys, type KeyMaker } from '../support/keys.js';
import { clientOf, expectProblem, openapi, type Ask, type Json } from './client.js';

const NAME = 'ci-of-the-holder';
const HOLDER = userOfClient(NAME);
const NOBODY = '00000000-0000-0000-0000-000000000000';
const TICKET = 'ticket-of-the-holder';
const REQUEST = 'request-of-the-holder';

let app: TestApp;
let ask: Ask;
let keys: KeyMaker;
const by = {} as Record<'holder' | 'other' | 'operator', { id: string; headers: Record<string, string> }>;
/** One is held, one was held and released, and one was evicted for another user; all by the holder. */
let held: Json;
let past: Json;

beforeAll(async () => {
  app = await startApp({ AUTH: 'keys', POOL_SIZE: '2', SECRETS_KEY: randomBytes(32).toString('base64') });
  ask = clientOf(app);
  keys = await openKeys(app.databaseUrl);
  for (const [name, scopes] of [
    ['holder', ['read', 'use']],
    ['other', ['read', 'use']],
    ['operator', ['read', 'operate']],
  ] as const) {
    const { id, key } = await keys.create({ scopes });
    by[name] = { id, headers: bearer(key) };
  }
  past = await allocate('holder', HOLDER, { ticket: TICKET });
  await ask('POST', `/api/tokens/${past.token_id}/release`, {}, by.holder.headers);
  await allocate('other');
  held = await allocate('holder', HOLDER, { ticket: TICKET });
  expect(held.token_id).toBe(past.token_id);
});
afterAll(async () => {
  await keys.close();
  await app.close();
});

async function allocate(who: keyof typeof by, user_id?: string, metadata?: Json): Promise<Json> {
  const headers = { ...by[who].headers, 'x-request-id': who === 'holder' ? REQUEST : 'request-of-another' };
  const user = user_id === HOLDER ? { holder: NAME } : { user_id };
  return (await ask('POST', '/api/tokens/allocate', { ...user, metadata }, headers)).body;
}

/** The first messages of a stream: as many events as there are. */
async function streamed(
  query: string,
  headers: Record<string, string>,
  until: RegExp,
  pool = 'default',
): Promise<string> {
  const reading = new AbortController();
  const { body } = await fetch(`${app.url}/api/pools/${pool}/events/stream${query}`, {
    headers,
    signal: reading.signal,
  });
  let text = '';
  for await (const bytes of body!) {
    text += Buffer.from(bytes).toString();
    if (until.test(text)) break;
  }
  reading.abort();
  return text;
}

const lastSeq = async (): Promise<number> =>
  (await ask('GET', '/api/pools/default', undefined, by.other.headers)).body.last_seq;

/** Every operation that a key with the scope `read` may ask for, with every way to ask for more. */
const READS = Object.entries(openapi.paths).flatMap(([path, { get }]) =>
  ((get as Json)?.['x-scopes'] ?? []).includes('read') ? [path] : [],
);
const QUERIES: Record<string, string[]> = {
  '/api/tokens/{id}': ['', '?as_of=NOW'],
  '/api/tokens': ['', '?status=active', `?user_id=${HOLDER}`, `?holder=${NAME}`],
  '/api/leases': [`?user_id=${HOLDER}`, `?holder=${NAME}`],
  '/api/tokens/active': ['', `?user_id=${HOLDER}`],
  '/api/pools/{name}/events': ['?limit=1000', `?request_id=${REQUEST}`, '?actor=HOLDER_KEY'],
  '/api/pools/{name}/events/stream': ['?after=0', `?after=0&user_id=${HOLDER}`],
};

/** All that a key is told by all of them, by what it asked for. */
async function everything(who: keyof typeof by): Promise<[string, string][]> {
  const { headers } = by[who];
  const told: [string, string][] = [];
  const last = await lastSeq();
  for (const path of READS) {
    for (const query of QUERIES[path] ?? ['']) {
      const url = path.replace('{name}', 'default').replace('{id}', held.token_id as string);
      const asked = `${url}${query.replace('HOLDER_KEY', by.holder.id).replace('NOW', String(held.activated_at))}`;
      const isStream = path.endsWith('/stream');
      // Where nothing passes the filter, the stream has told all when it tells its place.
      const until = query.includes('user_id') ? /id: \d+\n\n/ : new RegExp(`id: ${last}\\n`);
      const text = isStream
        ? await streamed(query, headers, until)
        : JSON.stringify((await ask('GET', asked, undefined, headers)).body);
      told.push([asked, text]);
    }
  }
  return told;
}

test('the list of what can be read is not empty, and has what tells of holders', () => {
  expect(READS).toEqual(
    expect.arrayContaining(['/api/tokens', '/api/tokens/{id}', '/api/tokens/{id}/history', ...Object.keys(QUERIES)]),
  );
});

test('of a holder no other key is told anything, whatever it asks for', async () => {
  for (const [asked, text] of await everything('other')) {
    for (const secret of [HOLDER, NAME, TICKET, REQUEST, by.holder.id, held.lease_id as string]) {
      if (asked.includes(secret) && !text.includes(secret)) continue;
      expect({ asked, told: text.includes(secret) }).toEqual({ asked, told: false });
    }
  }
});

test.each(['holder', 'operator'] as const)('the %s is told all of it', async (who) => {
  const told = new Map(await everything(who));
  for (const path of [`/api/tokens/${held.token_id}`, `/api/tokens?user_id=${HOLDER}`, `/api/tokens/active`]) {
    expect(told.get(path)).toContain(HOLDER);
    expect(told.get(path)).toContain(NAME);
    expect(told.get(path)).toContain(TICKET);
  }
  for (const query of [`?request_id=${REQUEST}`, `?actor=${by.holder.id}`, '?limit=1000']) {
    const feed = told.get(`/api/pools/default/events${query}`);
    for (const fact of [HOLDER, NAME, TICKET, REQUEST, by.holder.id]) expect(feed).toContain(fact);
  }
});

test('of a place in the line no other key is told whose it is', async () => {
  const pool = { name: 'line', kind: 'fixed', size: 1, max_waiting: 5 };
  const maker = bearer((await keys.create()).key);
  await ask('POST', '/api/pools', pool, maker);
  await ask('POST', '/api/tickets', { pool: 'line' }, by.other.headers);
  const mine = { pool: 'line', holder: NAME, metadata: { ticket: TICKET } };
  const { body: ticket } = await ask('POST', '/api/tickets', mine, by.holder.headers);
  expect(ticket).toMatchObject({ status: 'waiting', position: 1, holder: NAME, user_id: HOLDER });
  for (const method of ['GET', 'DELETE']) {
    expectProblem(await ask(method, `/api/tickets/${ticket.id}`, undefined, by.other.headers), 404, 'ticket_not_found');
  }
  const told = async (who: keyof typeof by): Promise<string> => {
    const { headers } = by[who];
    const line = await ask('GET', '/api/pools/line/tickets', undefined, headers);
    const feed = await ask('GET', '/api/pools/line/events', undefined, headers);
    const search = await ask('GET', `/api/pools/line/events?actor=${by.holder.id}`, undefined, headers);
    const stream = await streamed('?after=0', headers, /id: 4\n/, 'line');
    return JSON.stringify([line.body, feed.body, search.body, stream]);
  };
  const toOther = await told('other');
  for (const secret of [HOLDER, NAME, by.holder.id]) expect(toOther).not.toContain(secret);
  for (const who of ['holder', 'operator'] as const) expect(await told(who)).toContain(NAME);
});

test('what is left out is null, or the nil UUID where there must be one', async () => {
  const { headers } = by.other;
  const { body: token } = await ask('GET', `/api/tokens/${held.token_id}`, undefined, headers);
  expect(token).toMatchObject({
    status: 'active',
    active_user_id: null,
    holder: null,
    fence: held.fence,
    current_user: { user_id: NOBODY, holder: null, expires_at: held.expires_at },
    history: [
      { user_id: NOBODY, holder: null },
      { user_id: NOBODY, holder: null },
    ],
  });
  const { body: feed } = await ask('GET', `/api/tokens/${held.token_id}/events?limit=1`, undefined, headers);
  expect(feed.events[0]).toMatchObject({
    event: 'activated',
    user_id: null,
    holder: null,
    actor: null,
    request_id: null,
  });
  expect(feed.events[0].metadata).toEqual({ user_id: null, reason: 'allocated' });
  expect(feed.events[0].lease_metadata).toBeNull();
});

test('a caller who evicts the lease of another is not told whose it was', async () => {
  await ask('POST', '/api/tokens/cleanup', {}, by.operator.headers);
  const first = await allocate('holder', HOLDER);
  await allocate('holder', HOLDER);
  const { evicted } = await allocate('other');
  expect(evicted).toEqual({ user_id: NOBODY, holder: null, fence: first.fence, activated_at: first.activated_at });
  expect((await allocate('holder')).evicted.user_id).toBe(HOLDER);
});

test('a key whose lease had to go is not told for whom, and does not find it by that', async () => {
  const secrets = [by.other.id, by.operator.id, 'request-of-another', 'request-of-the-operator'];
  await ask('POST', '/api/tokens/cleanup', {}, { ...by.operator.headers, 'x-request-id': 'request-of-the-operator' });
  const { token_id } = await allocate('holder', HOLDER);
  await allocate('other');
  await allocate('other');
  const { headers } = by.holder;
  const last = await lastSeq();
  const told = [
    await streamed('?after=0', headers, new RegExp(`id: ${last}\\n`)),
    ...(await Promise.all(
      [`/api/tokens/${token_id}/events`, '/api/pools/default/events?limit=1000'].map(async (path) =>
        JSON.stringify((await ask('GET', path, undefined, headers)).body),
      ),
    )),
  ];
  for (const text of told) {
    expect(text).toContain('"lru_eviction"');
    for (const secret of secrets) expect({ secret, told: text.includes(secret) }).toEqual({ secret, told: false });
  }
  for (const query of secrets.flatMap((one) => [`actor=${one}`, `request_id=${one}`])) {
    const { body } = await ask('GET', `/api/pools/default/events?${query}`, undefined, headers);
    expect({ query, events: body.events }).toEqual({ query, events: [] });
  }
  const { body } = await ask('GET', `/api/pools/default/events?actor=${by.other.id}`, undefined, by.operator.headers);
  expect(body.events).toContainEqual(expect.objectContaining({ reason: 'lru_eviction', user_id: HOLDER }));
});

test('a key that gives keys cannot become one that another gave: not see its leases, nor end them', async () => {
  const { key } = await keys.create({ scopes: ['read', 'use', 'keys'] });
  const rotated = await ask('POST', `/api/keys/${by.holder.id}/rotate`, {}, bearer(key));
  expectProblem(rotated, 403, 'insufficient_scope');
  expect(JSON.stringify(rotated.body)).not.toContain('tp_');
  const { id } = (await ask('POST', '/api/keys', { name: 'mine', scopes: ['use'] }, bearer(key))).body;
  const mine = await ask('POST', `/api/keys/${id}/rotate`, {}, bearer(key));
  expect(mine).toMatchObject({ status: 200, body: { id, rotated_by: key.split('_')[1] } });
});

test('every reader of a pool sees how its policy changed; only the key that did it and operators see by whom', async () => {
  const { id, key } = await keys.create({ scopes: ['read', 'pools'] });
  const changed = await ask('PATCH', '/api/pools/default', { ttl_seconds: 119 }, bearer(key));
  const after = changed.body.last_seq - 1;
  const seen = async (headers: Record<string, string>): Promise<Json> =>
    (await ask('GET', `/api/pools/default/events?after=${after}&limit=1`, undefined, headers)).body.events[0];
  const metadata = { before: { ttl_seconds: 120 }, after: { ttl_seconds: 119 }, user_id: null, reason: null };
  expect(await seen(by.other.headers)).toMatchObject({ token_id: null, actor: null, request_id: null, metadata });
  for (const headers of [bearer(key), by.operator.headers]) {
    expect(await seen(headers)).toMatchObject({ actor: id, request_id: expect.any(String), metadata });
  }
  const found = async (headers: Record<string, string>): Promise<number[]> => {
    const { body } = await ask('GET', `/api/pools/default/events?actor=${id}`, undefined, headers);
    return body.events.map(({ seq }: Json) => seq);
  };
  expect(await found(bearer(key))).toEqual([after + 1]);
  expect(await found(by.other.headers)).toEqual([]);
});

describe('what a token stands for', () => {
  const SECRET = 'pin-of-the-phone';
  const MAKER = 'request-of-the-operator-of-phones';
  let taken: Json;

  beforeAll(async () => {
    const pools = await keys.create({ scopes: ['pools'] });
    await ask('POST', '/api/pools', { name: 'phones', kind: 'listed' }, bearer(pools.key));
    const headers = { ...by.operator.headers, 'x-request-id': MAKER };
    const phone = { name: 'one', attributes: { country: 'de' }, secret: { pin: SECRET } };
    const { body } = await ask('POST', '/api/tokens', { pool: 'phones', ...phone }, headers);
    await ask('PATCH', `/api/tokens/${body.id}`, { name: 'uno', secret: { pin: `${SECRET}-2` } }, headers);
    const other = await ask('POST', '/api/tokens', { pool: 'phones', name: 'two' }, headers);
    await ask('DELETE', `/api/tokens/${other.body.id}`, undefined, headers);
    const lease = { pool: 'phones', holder: NAME, metadata: { ticket: TICKET } };
    taken = (await ask('POST', '/api/tokens/allocate', lease, by.holder.headers)).body;
  });

  const events = async (who: keyof typeof by): Promise<Json[]> =>
    (await ask('GET', '/api/pools/phones/events', undefined, by[who].headers)).body.events;

  test('is shown to every reader, also in events, but not who has changed it', async () => {
    const seen = [
      ['generated', { name: 'one', attributes: { country: 'de' } }],
      ['described', { before: { name: 'one' }, after: { name: 'uno' }, secret: 'changed' }],
      ['generated', { name: 'two', attributes: {} }],
      ['deleted', {}],
    ];
    for (const [who, actor, request_id] of [
      ['other', null, null],
      ['holder', null, null],
      ['operator', by.operator.id, MAKER],
    ] as const) {
      const ofToken = (await events(who)).filter(({ event, fence }) => fence === null && event !== 'pool_opened');
      expect(ofToken).toMatchObject(seen.map(([event, metadata]) => ({ event, actor, request_id, metadata })));
    }
    const all = await events('other');
    const { headers } = by.other;
    const stream = await streamed('?after=0', headers, new RegExp(`id: ${all.at(-1)!.seq}\\n`), 'phones');
    const data = [...stream.matchAll(/^data: (.*)$/gm)].map(([, text]): unknown => JSON.parse(text!));
    expect(data.filter((one) => (one as Json).event !== undefined)).toEqual(all);
    const token = (await ask('GET', `/api/tokens/${taken.token_id}`, undefined, headers)).body;
    expect(token).toMatchObject({ name: 'uno', attributes: { country: 'de' }, holder: null, lease_metadata: null });
  });

  test('and its secret is shown to no reader, and verified to nobody else', async () => {
    expect(taken).toMatchObject({ name: 'uno', secret: { pin: `${SECRET}-2` } });
    const { token_id, fence, lease_id } = taken;
    const verified = async (body: Json, who: keyof typeof by): Promise<Json> =>
      (await ask('POST', '/api/leases/verify', body, by[who].headers)).body;
    expect(await verified({ lease_id }, 'holder')).toMatchObject({ valid: true, name: 'uno', secret: taken.secret });
    expect(await verified({ lease_id }, 'other')).toMatchObject({ valid: true, name: 'uno', user_id: null });
    const others = [await verified({ lease_id }, 'other'), await verified({ token_id, fence }, 'holder')];
    for (const who of ['other', 'holder', 'operator'] as const) {
      for (const path of [`/api/tokens/${token_id}`, '/api/tokens?pool=phones', '/api/pools/phones/events']) {
        others.push((await ask('GET', path, undefined, by[who].headers)).body);
      }
    }
    expect(JSON.stringify(others)).not.toContain(SECRET);
  });
});

describe('the short routes', () => {
  const ids = {} as Record<
    'unknown' | 'other pool' | 'held there' | 'deleted there' | 'free' | 'of another key',
    string
  >;
  let headers: Record<string, string>;
  let asOperator: Record<string, string>;

  beforeAll(async () => {
    const admin = bearer((await keys.create()).key);
    const make = async (pool: string): Promise<string> => (await ask('POST', '/api/tokens', { pool }, admin)).body.id;
    const take = async (pool: string): Promise<string> =>
      (await ask('POST', '/api/tokens/allocate', { pool }, by.other.headers)).body.token_id;
    await ask('POST', '/api/pools', { name: 'rooms', kind: 'elastic' }, admin);
    ids.unknown = '00000000-0000-4000-8000-00000000000b';
    ids['held there'] = [await make('rooms'), await take('rooms')][1]!;
    ids['other pool'] = await make('rooms');
    ids['deleted there'] = await make('rooms');
    await ask('DELETE', `/api/tokens/${ids['deleted there']}`, undefined, admin);
    ids['of another key'] = [await make('elastic'), await take('elastic')][1]!;
    // Used before, as the other may have been: that is no secret.
    ids.free = [await make('elastic'), await take('elastic')][1]!;
    await ask('POST', `/api/tokens/${ids.free}/release`, {}, by.other.headers);
    headers = bearer((await keys.create({ scopes: ['use'], pools: ['elastic'] })).key);
    asOperator = bearer((await keys.create({ scopes: ['operate'], pools: ['elastic'] })).key);
  });

  const said = async (path: string, token: string, as: Record<string, string>, more = {}): Promise<unknown> => {
    const { status, body } = await ask('POST', path, { token, ...more }, as);
    return { status, ...(JSON.parse(JSON.stringify(body).replaceAll(token, 'ID')) as object), request_id: 'any' };
  };

  test.each(['/keep-alive', '/keep-alive of a client', '/unblock-token', '/delete-token'])(
    '%s says the same of each token that is not of the pool',
    async (route) => {
      const more = route.endsWith('client') ? { client_id: 'kiosk-7' } : {};
      const path = route.replace(' of a client', '');
      const as = path === '/delete-token' ? asOperator : headers;
      const unknown = await said(path, ids.unknown, as, more);
      expect(unknown).toMatchObject({ error: 'token_not_found' });
      for (const which of ['other pool', 'held there', 'deleted there'] as const) {
        // Also when somebody who may know of it has asked before.
        await ask('POST', `/api/tokens/${ids[which]}/release`, { fence: 999 }, by.operator.headers);
        expect({ which, said: await said(path, ids[which], as, more) }).toEqual({ which, said: unknown });
      }
    },
  );

  test.each(['/keep-alive', '/keep-alive of a client', '/unblock-token'])(
    '%s says the same of a token that is free and of one that another key holds',
    async (route) => {
      const more = route.endsWith('client') ? { client_id: 'kiosk-7' } : {};
      const path = route.replace(' of a client', '');
      expect(await said(path, ids['of another key'], headers, more)).toEqual(await said(path, ids.free, headers, more));
    },
  );

  test('keep-alive without a client renews a lease of one’s own, and any for a key that may operate', async () => {
    const { token } = (await ask('POST', '/assign-token', { client_id: 'kiosk-7' }, headers)).body;
    expect(token).toBe(ids.free);
    for (const as of [headers, asOperator]) {
      expect((await ask('POST', '/keep-alive', { token }, as)).status).toBe(200);
    }
    await ask('POST', '/unblock-token', { token }, headers);
  });

  test('and the others ask the database as often for a token of another pool as for one that never was', async () => {
    const asked = jest.spyOn(Database.prototype, 'run');
    const questions = async (path: string, id: string): Promise<string[]> => {
      const isShort = !path.includes('ID');
      // Nobody has to look the key up meanwhile.
      await ask('GET', '/api/tokens?pool=none', undefined, guarded);
      asked.mockClear();
      const body = isShort ? { token: id } : path.startsWith('POST') ? {} : undefined;
      const [method = '', at = ''] = path.replace('ID', id).split(' ');
      expectProblem(
        await ask(method, at, body, guarded),
        at === '/delete-token' || !isShort ? 404 : 403,
        'token_not_found',
      );
      return asked.mock.calls.map(([{ name }]) => name);
    };
    const guarded = bearer((await keys.create({ scopes: ['read', 'use', 'operate'], pools: ['elastic'] })).key);
    try {
      const routes = ['GET /api/tokens/ID', 'GET /api/tokens/ID/events', 'GET /api/tokens/ID/history'];
      routes.push('POST /api/tokens/ID/release', 'POST /api/tokens/ID/keep-alive', 'DELETE /api/tokens/ID');
      routes.push('POST /keep-alive', 'POST /unblock-token', 'POST /delete-token');
      for (const route of routes) {
        for (const which of ['unknown', 'other pool', 'held there', 'deleted there'] as const) {
          expect({ route, which, asked: await questions(route, ids[which]) }).toEqual({
            route,
            which,
            asked: ['locate'],
          });
        }
      }
    } finally {
      asked.mockRestore();
    }
  });
});

test('a search says how far it has looked, and goes on from there', async () => {
  const { headers } = by.operator;
  const search = async (query: string): Promise<Json> =>
    (await ask('GET', `/api/pools/default/events?${query}`, undefined, headers)).body;
  const all = (await search('limit=1000')).events as Json[];
  const ofHolder = all.filter(({ actor }) => actor === by.holder.id);
  const page = await search(`actor=${by.holder.id}&limit=2`);
  expect(page.events).toEqual(ofHolder.slice(0, 2));
  expect(page.scanned_to).toBe(ofHolder[1]!.seq);
  const rest = await search(`actor=${by.holder.id}&after=${page.scanned_to}`);
  expect(rest.events).toEqual(ofHolder.slice(2));
  expect(rest.scanned_to).toBe(rest.last_seq);
  expect((await search('actor=system')).events).toEqual(all.filter(({ actor }) => actor === 'system'));
  expect((await search('request_id=never')).events).toEqual([]);
  expect(await search('limit=1')).not.toHaveProperty('scanned_to');
});

describe('a lease of another key', () => {
  let lease: Json;
  beforeEach(async () => {
    await ask('POST', '/api/tokens/cleanup', {}, by.operator.headers);
    lease = await allocate('holder', HOLDER);
  });

  /** Without what names the token. */
  const answered = async (token: string, route: string, body: Json, who: keyof typeof by = 'other'): Promise<Json> => {
    const answer = await ask('POST', `/api/tokens/${token}/${route}`, body, by[who].headers);
    const { error, detail } = answer.body;
    return { status: answer.status, error, detail: detail?.replaceAll(token, 'TOKEN') };
  };

  test.each([
    ['release', () => ({})],
    ['release', () => ({ user_id: HOLDER })],
    ['release', ({ lease_id }: Json) => ({ lease_id })],
    ['release', ({ fence }: Json) => ({ fence })],
    ['keep-alive', ({ lease_id }: Json) => ({ lease_id })],
    ['keep-alive', () => ({ user_id: HOLDER })],
  ])('%s: answers as one that is not there, and stays (%#)', async (route, body) => {
    const foreign = await answered(lease.token_id as string, route, body(lease));
    const { tokens } = (await ask('GET', '/api/tokens/available', undefined, by.other.headers)).body;
    // The other token was leased before and is free.
    const free = await answered(tokens[0].id as string, route, body(lease));
    expect(foreign).toEqual(free);
    expect([404, 409]).toContain(foreign.status);
    expect((await answered(lease.token_id as string, 'release', {}, 'holder')).status).toBe(200);
  });

  test('how it ended is told to its own key and to who may operate', async () => {
    const { token_id: token, lease_id } = lease;
    await answered(token as string, 'release', {}, 'holder');
    expect((await answered(token as string, 'release', { lease_id }, 'other')).error).toBe('stale_lease');
    for (const who of ['holder', 'operator'] as const) {
      expect((await answered(token as string, 'release', { lease_id }, who)).error).toBe('lease_ended');
    }
  });

  test('is ended by who may operate, and the audit names that key to who may operate', async () => {
    expect((await answered(lease.token_id as string, 'release', {}, 'operator')).status).toBe(200);
    for (const [who, actor] of [
      ['operator', by.operator.id],
      ['holder', null],
    ] as const) {
      const { body } = await ask('GET', `/api/tokens/${lease.token_id}/events?limit=1`, undefined, by[who].headers);
      expect(body.events[0]).toMatchObject({ event: 'released', user_id: HOLDER, actor });
    }
  });
});

test('an idempotency key counts for its API key alone', async () => {
  const body = { user_id: HOLDER };
  const grant = (who: keyof typeof by) =>
    ask('POST', '/api/tokens/allocate', body, { ...by[who].headers, 'idempotency-key': 'same' });
  const first = await grant('holder');
  const other = await grant('other');
  expect(other.status).toBe(200);
  expect(other.headers.has('idempotency-replayed')).toBe(false);
  expect(other.body.lease_id).not.toBe(first.body.lease_id);
  const again = await grant('holder');
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(again.body).toEqual(first.body);
});

test('a key without `use` or `operate` cannot touch a lease at all', async () => {
  const { key } = await keys.create({ scopes: ['read', 'pools', 'keys', 'metrics'] });
  expectProblem(await ask('POST', `/api/tokens/${held.token_id}/release`, {}, bearer(key)), 403, 'insufficient_scope');
});

// Whatever breaks a rule is refused with the field's name, and changes nothing.

import { startApp, type TestApp } from '../support/app.js';
import { clientOf, expectProblem, type Ask } from './client.js';

let app: TestApp;
let ask: Ask;
let tokenId: string;
let before: unknown;

const state = async (): Promise<unknown> => [
  (await ask('GET', '/api/pools')).body,
  (await ask('GET', '/api/tokens')).body,
  (await ask('GET', '/api/tokens?pool=elastic')).body,
];

/** Held for as long as the tests run, so that whatever slipped through would be seen. */
const HELD = '/api/tokens/HELD';

beforeAll(async () => {
  app = await startApp({ POOL_SIZE: '2' });
  ask = clientOf(app);
  const { body } = await ask('POST', '/api/tokens/allocate');
  tokenId = body.token_id as string;
  await ask('POST', '/generate-token');
  before = await state();
});
afterAll(() => app.close());

const ID = '0b7e1c1e-6c1f-4d9e-9a35-0e9c8a5c9c11';
const ALLOCATE = ['POST', '/api/tokens/allocate'] as const;
const RELEASE = ['POST', `${HELD}/release`] as const;
const KEEP_ALIVE = ['POST', `${HELD}/keep-alive`] as const;
const POOLS = ['POST', '/api/pools'] as const;
const PATCH = ['PATCH', '/api/pools/default'] as const;
const POOL = { name: 'new', kind: 'fixed' };

const forged = (text: string): string => Buffer.from(text).toString('base64url');

type Bad = [what: string, method: string, path: string, body: unknown, names: RegExp, error?: string];

const BAD: Bad[] = [
  // Bodies that are no objects
  ['an array', ...ALLOCATE, '[]', /body/],
  ['an array of a body', ...ALLOCATE, [{}], /body/],
  ['a string', ...ALLOCATE, '"default"', /body/],
  ['a number', ...ALLOCATE, '7', /body/],
  ['true', ...ALLOCATE, 'true', /body/],
  ['null', ...ALLOCATE, 'null', /body/],
  ['half an object', ...ALLOCATE, '{"pool":', /JSON/],
  ['two objects', ...ALLOCATE, '{}{}', /JSON/],
  ['spaces only', ...ALLOCATE, '  ', /JSON/],
  ['NaN', ...ALLOCATE, '{"ttl_seconds":NaN}', /JSON/],
  // Fields that are unknown
  ['an unknown field', ...ALLOCATE, { colour: 'red' }, /colour/],
  ['a field in other letters', ...ALLOCATE, { Pool: 'default' }, /Pool/],
  ['__proto__', ...ALLOCATE, '{"__proto__":{"pool":"elastic"}}', /__proto__/],
  ['constructor', ...ALLOCATE, { constructor: {} }, /constructor/],
  ['an unknown field of a release', ...RELEASE, { token_id: ID }, /token_id/],
  ['a note of a number', ...RELEASE, { note: 7 }, /note/],
  ['a note of 201 characters', ...RELEASE, { note: '🦊'.repeat(201) }, /note/],
  ['a note of two lines', ...RELEASE, { note: 'one\ntwo' }, /note/],
  ['a note with an escape sequence', ...RELEASE, { note: '\u001b[2J' }, /note/],
  ['a note with a control character of C1', ...RELEASE, { note: '\u009b2J' }, /note/],
  ['a note with half of a surrogate pair', ...RELEASE, '{"note":"\\ud800"}', /note/],
  ['a note of a keep-alive', ...KEEP_ALIVE, { note: 'why' }, /note/],
  ['ttl_seconds in a release', ...RELEASE, { ttl_seconds: 5 }, /ttl_seconds/],
  ['an unknown field of a pool', ...POOLS, { ...POOL, colour: 1 }, /colour/],
  ['a new name for a pool', ...PATCH, { name: 'other' }, /name/],
  ['a new kind for a pool', ...PATCH, { kind: 'elastic' }, /kind/],
  ['a body that the route does not take', 'POST', '/generate-token', { count: 2 }, /count/],
  ['a list that the route does not take', 'POST', '/generate-token', [], /body/],
  ['a body of clear-active', 'DELETE', '/api/tokens/clear-active', { pool: 'default' }, /pool/],
  ['a body of a deletion', 'DELETE', HELD, { force: true }, /force/],
  // Fields of allocate
  ['a user id that is no UUID', ...ALLOCATE, { user_id: 'me' }, /user_id/],
  ['an empty holder', ...ALLOCATE, { holder: '' }, /holder/],
  ['a holder of 201 characters', ...ALLOCATE, { holder: '🦊'.repeat(201) }, /holder/],
  ['a holder of two lines', ...ALLOCATE, { holder: 'one\ntwo' }, /holder/],
  ['a holder that is no text', ...ALLOCATE, { holder: 4711 }, /holder/],
  ['a holder that is null', ...ALLOCATE, { holder: null }, /holder/],
  ['half of a surrogate pair in a holder', ...ALLOCATE, '{"holder":"\\udc00"}', /holder/],
  ['a holder beside a user id', ...ALLOCATE, { holder: 'ci', user_id: ID }, /holder/],
  ['a user id with braces', ...ALLOCATE, { user_id: `{${ID}}` }, /user_id/],
  ['a user id with a line break', ...ALLOCATE, { user_id: `${ID}\n` }, /user_id/],
  ['a user id of null', ...ALLOCATE, { user_id: null }, /user_id/],
  ['a list of user ids', ...ALLOCATE, { user_id: [ID] }, /user_id/],
  ['a pool in capitals', ...ALLOCATE, { pool: 'Default' }, /pool/],
  ['a pool without a name', ...ALLOCATE, { pool: '' }, /pool/],
  ['a pool with a name of 64 letters', ...ALLOCATE, { pool: 'a'.repeat(64) }, /pool/],
  ['a pool with a line break', ...ALLOCATE, { pool: 'default\n' }, /pool/],
  ['a pool of null', ...ALLOCATE, { pool: null }, /pool/],
  ['a time of 0', ...ALLOCATE, { ttl_seconds: 0 }, /ttl_seconds/],
  ['a time before now', ...ALLOCATE, { ttl_seconds: -1 }, /ttl_seconds/],
  ['a time of more than a year', ...ALLOCATE, { ttl_seconds: 31_536_001 }, /ttl_seconds/],
  ['a time without end', ...ALLOCATE, '{"ttl_seconds":1e999}', /ttl_seconds/],
  ['a time in words', ...ALLOCATE, { ttl_seconds: '60' }, /ttl_seconds/],
  ['a time of true', ...ALLOCATE, { ttl_seconds: true }, /ttl_seconds/],
  ['a time of null', ...ALLOCATE, { ttl_seconds: null }, /ttl_seconds/],
  ['metadata as a list', ...ALLOCATE, { metadata: [] }, /metadata/],
  ['metadata as a string', ...ALLOCATE, { metadata: '{}' }, /metadata/],
  ['metadata of null', ...ALLOCATE, { metadata: null }, /metadata/],
  ['metadata of more than 4 kB', ...ALLOCATE, { metadata: { text: 'x'.repeat(4090) } }, /metadata.*4096/],
  ['metadata that grows', ...ALLOCATE, { metadata: { sizes: Array(400).fill(1e308) } }, /metadata.*4096/],
  ['a number beyond a double', ...ALLOCATE, '{"metadata":{"n":[1e400]}}', /metadata\.n\[0\].*1e400/],
  [
    'a number of 20 digits',
    ...ALLOCATE,
    '{"metadata":{"n":12345678901234567890}}',
    /metadata\.n .*12345678901234567890/,
  ],
  ['a number next to 0', ...ALLOCATE, '{"metadata":{"n":1e-400}}', /metadata\.n .*1e-400/],
  ['a fraction of 20 digits', ...ALLOCATE, '{"metadata":{"n":0.10000000000000000001}}', /metadata\.n /],
  ['a zero with a sign', ...ALLOCATE, '{"metadata":{"n":-0}}', /metadata\.n .*-0/],
  ['a time that is rounded', ...ALLOCATE, '{"ttl_seconds":29.99999999999999999}', /ttl_seconds/],
  ['a fence that is rounded', ...RELEASE, '{"fence":1.00000000000000001}', /fence/],
  ['a size that is rounded', ...POOLS, '{"name":"new","kind":"fixed","size":2.00000000000000001}', /size/],
  ['a name twice', ...ALLOCATE, '{"pool":"elastic","pool":"default"}', /pool.*twice/],
  ['a name twice in metadata', ...ALLOCATE, '{"metadata":{"a":1,"a":2}}', /metadata\.a.*twice/],
  ['metadata with U+0000', ...ALLOCATE, { metadata: { text: 'a\0b' } }, /metadata/],
  ['metadata with half of a surrogate pair', ...ALLOCATE, '{"metadata":{"\\ud800":1}}', /metadata/],
  // Fields of release and keep-alive
  ['a lease id that is no UUID', ...RELEASE, { lease_id: 7 }, /lease_id/],
  ['a fence of 0', ...RELEASE, { fence: 0 }, /fence/],
  ['a fence with a fraction', ...RELEASE, { fence: 1.5 }, /fence/],
  ['a fence in words', ...RELEASE, { fence: '1' }, /fence/],
  ['a fence beyond all numbers', ...RELEASE, { fence: 1e300 }, /fence/],
  ['a fence of null', ...RELEASE, { fence: null }, /fence/],
  ['a renewal for no time', ...KEEP_ALIVE, { user_id: ID, ttl_seconds: 0 }, /ttl_seconds/],
  ['a renewal of nobody', ...KEEP_ALIVE, {}, /lease_id|user_id/],
  ['a renewal by fence alone', ...KEEP_ALIVE, { fence: 1 }, /lease_id|user_id/],
  // Paths
  ['an id that is no UUID', 'GET', '/api/tokens/first', undefined, /id/, 'invalid_token_id'],
  ['an id that is too long', 'GET', `/api/tokens/${ID}0/events`, undefined, /id/, 'invalid_token_id'],
  ['an id with a space', 'POST', `/api/tokens/${ID}%20/release`, undefined, /id/, 'invalid_token_id'],
  ['an id with U+0000', 'DELETE', `/api/tokens/${ID}%00`, undefined, /id/, 'invalid_token_id'],
  ['a path that is not validly encoded', 'GET', '/api/tokens/%ff', undefined, /path/],
  ['a pool in the path that is no name', 'GET', '/api/pools/De%20fault', undefined, /pool/],
  ['a pool in the path that is too long', 'PATCH', `/api/pools/${'a'.repeat(64)}`, undefined, /pool/],
  // Queries
  ['a status that there is not', 'GET', '/api/tokens?status=free', undefined, /status/, 'invalid_status'],
  ['a status in capitals', 'GET', '/api/tokens?status=ACTIVE', undefined, /status/, 'invalid_status'],
  ['an empty status', 'GET', '/api/tokens?status=', undefined, /status/, 'invalid_status'],
  ['two statuses', 'GET', '/api/tokens?status=all&status=active', undefined, /status/, 'invalid_status'],
  ['a status where the path says it', 'GET', '/api/tokens/active?status=active', undefined, /status/],
  ['a limit of 0', 'GET', '/api/tokens?limit=0', undefined, /limit/],
  ['a limit of 1001', 'GET', '/api/tokens?limit=1001', undefined, /limit/],
  ['an empty limit', 'GET', '/api/tokens?limit=', undefined, /limit/],
  ['a limit with a sign', 'GET', '/api/tokens?limit=%2B5', undefined, /limit/],
  ['a limit with a zero before it', 'GET', '/api/tokens?limit=05', undefined, /limit/],
  ['a limit with an exponent', 'GET', '/api/tokens?limit=1e2', undefined, /limit/],
  ['two limits', 'GET', '/api/tokens?limit=1&limit=2', undefined, /limit/],
  ['a limit in brackets', 'GET', '/api/tokens?limit[]=5', undefined, /limit/],
  ['a limit of a history', 'GET', `${HELD}/history?limit=-1`, undefined, /limit/],
  ['a user id in the query that is no UUID', 'GET', '/api/tokens?user_id=me', undefined, /user_id/],
  ['a pool in the query that is no name', 'GET', '/api/tokens?pool=..', undefined, /pool/],
  ['an unknown parameter', 'GET', '/api/tokens?colour=red', undefined, /colour/],
  ['__proto__ as a parameter', 'GET', '/api/tokens?__proto__=1', undefined, /__proto__/],
  ['a parameter where none is known', 'POST', '/api/tokens/allocate?pool=elastic', undefined, /pool/],
  ['a parameter of a token', 'GET', `${HELD}?history=5`, undefined, /history/],
  ['a parameter of the pools', 'GET', '/api/pools?limit=5', undefined, /limit/],
  ['a cursor that was made up', 'GET', '/api/tokens?cursor=7', undefined, /cursor/],
  [
    'a cursor forged for a uuid that is none',
    'GET',
    `/api/tokens?cursor=${forged(`all~${'-'.repeat(36)}`)}`,
    undefined,
    /cursor/,
  ],
  [
    'a cursor forged with digits only',
    'GET',
    `/api/tokens/available?cursor=${forged(`available~1~${'a'.repeat(36)}`)}`,
    undefined,
    /cursor/,
  ],
  [
    'a cursor forged beyond bigint',
    'GET',
    `/api/tokens/active?cursor=${forged(`active~${'9'.repeat(19)}`)}`,
    undefined,
    /cursor/,
  ],
  ['two cursors', 'GET', '/api/tokens?cursor=a&cursor=b', undefined, /cursor/],
  ['a force of yes', 'DELETE', `${HELD}?force=yes`, undefined, /force/],
  ['a force of 1', 'DELETE', `${HELD}?force=1`, undefined, /force/],
  ['an after before the first', 'GET', '/api/pools/default/events?after=-1', undefined, /after/],
  ['an after with a fraction', 'GET', '/api/pools/default/events?after=1.5', undefined, /after/],
  ['an after beyond all numbers', 'GET', '/api/pools/default/events?after=99999999999999999', undefined, /after/],
  // Pools
  ['a pool without a name', ...POOLS, { kind: 'fixed' }, /name must be given/],
  ['a pool without a kind', ...POOLS, { name: 'new' }, /kind must be given/],
  ['a pool without anything', ...POOLS, undefined, /name must be given/],
  ['a pool of another kind', ...POOLS, { ...POOL, kind: 'rubber' }, /kind/],
  ['a pool with a name that is none', ...POOLS, { ...POOL, name: '-new' }, /name/],
  ['a pool with a number as its name', ...POOLS, { ...POOL, name: 7 }, /name/],
  ['a pool of no tokens', ...POOLS, { ...POOL, size: 0 }, /size/],
  ['a pool of too many tokens', ...POOLS, { ...POOL, size: 1_000_001 }, /size/],
  ['a pool of half a token', ...POOLS, { ...POOL, size: 1.5 }, /size/],
  ['a pool with a size in words', ...POOLS, { ...POOL, size: '5' }, /size/],
  ['a pool with leases of no length', ...POOLS, { ...POOL, ttl_seconds: 0 }, /ttl_seconds/],
  ['a pool that may be renewed perhaps', ...POOLS, { ...POOL, renewable: 'true' }, /renewable/],
  ['a pool with a lifetime of nothing', ...POOLS, { ...POOL, max_lifetime_seconds: 0 }, /max_lifetime_seconds/],
  ['a fixed pool that deletes idle tokens', ...POOLS, { ...POOL, idle_ttl_seconds: 5 }, /idle_ttl_seconds/],
  ['a pool that does something else when full', ...POOLS, { ...POOL, on_exhausted: 'wait' }, /on_exhausted/],
  ['a pool that nobody may release', ...POOLS, { ...POOL, release_authority: 'nobody' }, /release_authority/],
  ['a quota of nothing', ...POOLS, { ...POOL, max_per_user: 0 }, /max_per_user/],
  ['a quota of half a lease', ...PATCH, { max_per_key: 0.5 }, /max_per_key/],
  ['a protection of no length', ...PATCH, { protect_seconds: 0 }, /protect_seconds/],
  ['an eviction of somebody else', ...PATCH, { evict: 'newest' }, /evict/],
  ['an eviction of null', ...PATCH, { evict: null }, /evict/],
  ['a size of null', ...PATCH, { size: null }, /size/],
  ['a change to null of what cannot be null', ...PATCH, { on_exhausted: null }, /on_exhausted/],
  // Short routes
  ['no client', 'POST', '/assign-token', undefined, /client_id must be given/],
  ['an empty client', 'POST', '/assign-token', { client_id: '' }, /client_id/],
  ['a client of 201 characters', 'POST', '/assign-token', { client_id: 'é'.repeat(201) }, /client_id/],
  ['a client with U+0000', 'POST', '/assign-token', { client_id: 'a\0' }, /client_id/],
  ['a client with half of a surrogate pair', 'POST', '/assign-token', '{"client_id":"\\udc00"}', /client_id/],
  ['a client that is a number', 'POST', '/assign-token', { client_id: 7 }, /client_id/],
  ['no token', 'POST', '/keep-alive', {}, /token must be given/],
  ['a token that is no UUID', 'POST', '/unblock-token', { token: 'abc' }, /token/],
  ['a client of null', 'POST', '/keep-alive', { token: ID, client_id: null }, /client_id/],
  ['a token in the query', 'DELETE', `/delete-token?token=${ID}`, { token: ID }, /token/],
];

test.each(BAD)('%s is refused (%s %s %j)', async (_, method, path, body, names, error = 'invalid_request') => {
  const answer = await ask(method, path.replace('HELD', tokenId), body);
  expectProblem(answer, 400, error);
  expect(answer.body.detail).toMatch(names);
  expect(await state()).toEqual(before);
});

test('a body of 16 kB is read; one more byte is too much', async () => {
  const body = `{"pool":"none"${' '.repeat(16 * 1024 - 15)}}`;
  expect(Buffer.byteLength(body)).toBe(16 * 1024);
  expectProblem(await ask('POST', '/api/tokens/allocate', body), 404, 'pool_not_found');
  expectProblem(await ask('POST', '/api/tokens/allocate', `${body} `), 413, 'body_too_large');
});

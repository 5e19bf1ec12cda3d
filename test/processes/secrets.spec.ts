// The plain text of a secret is in a grant, in its replay while the lease is open and in a verification by lease, and
// nowhere else: this searches all that the service keeps, answers, prints and sends.

import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Client } from 'pg';
import { clientOf, openapi, type Ask, type Json } from '../http/client.js';
import { startCollector, type Collector } from '../support/collector.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { build, killServices, startService, type ServiceProcess } from '../support/process.js';

const run = promisify(execFile);
const ROOT = join(__dirname, '../..');

const PIN = 'pin-that-nobody-else-sees';
const NUMBER = 8172635445362718;
const SECRET = { pin: PIN, number: NUMBER };
/** Stands beside the secrets. A search that does not find it searches nothing. */
const NOTE = 'shown-to-all-who-may-read';
const HOLDER = 'desk-7@example.org';
const SECRETS_KEY = randomBytes(32).toString('base64');

/** The plain text, and bytes with it as they are printed: in hexadecimal, and in base64 from each of three places. */
const FORMS = [PIN, String(NUMBER)].flatMap((text) => [
  text,
  Buffer.from(text).toString('hex'),
  ...[0, 1, 2].map((place) =>
    Buffer.from(' '.repeat(place) + text)
      .toString('base64')
      .slice(4, -4),
  ),
]);
const secretsIn = (text: string): string[] => FORMS.filter((form) => text.includes(form));

let database: TestDatabase;
let client: Client;
let collector: Collector;
let service: ServiceProcess;
let ask: Ask;
/** A grant whose lease is open. */
let held: Json;
/** A ticket whose lease is over. */
let ticket: string;

beforeAll(async () => {
  [database, collector] = await Promise.all([createTestDatabase(), startCollector()]);
  await build();
  await run(process.execPath, ['tools/build.mjs', 'admin'], { cwd: ROOT });
  client = new Client({ connectionString: database.url });
  await client.connect();
  service = await startService({
    ...{ DATABASE_URL: database.url, SWEEP_INTERVAL_MS: '0', LOG_LEVEL: 'trace', SECRETS_KEY },
    ...{ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
  });
  ask = clientOf(service);

  await ask('POST', '/api/pools', { name: 'phones', kind: 'listed', max_waiting: 1 });
  const others = { pin: 'of another' };
  const things = ['a', 'b'].map((name) => ({ name, attributes: { note: NOTE }, secret: SECRET }));
  await ask('PUT', '/api/pools/phones/tokens', { tokens: [...things, { name: 'c', secret: others }] });
  await ask('PUT', '/api/pools/phones/tokens', { tokens: [{ name: 'c', secret: SECRET }] });
  const { body: d } = await ask('POST', '/api/tokens', { pool: 'phones', name: 'd', secret: others });
  await ask('PATCH', `/api/tokens/${d.id}`, { secret: SECRET });
  const { body: place } = await ask('POST', '/api/tickets', { pool: 'phones', holder: HOLDER });
  const { body: claimed } = await ask('POST', `/api/tickets/${place.id}/claim`, {});
  expect(claimed.secret).toEqual(SECRET);
  ticket = place.id as string;
  await ask('POST', `/api/tokens/${claimed.token_id}/release`, { lease_id: claimed.lease_id });
  const names = ['a', 'b', 'c', 'd'];
  const key = { 'idempotency-key': randomUUID() };
  for (const name of [...names, 'd']) {
    const allocation = { pool: 'phones', name, holder: HOLDER };
    const { body: grant } = await ask('POST', '/api/tokens/allocate', allocation, name === 'd' ? key : {});
    const { body: verified } = await ask('POST', '/api/leases/verify', { lease_id: grant.lease_id });
    expect([grant.secret, verified.secret]).toEqual([SECRET, SECRET]);
    held = grant;
  }
});
afterAll(async () => {
  await client.end();
  await killServices();
  collector.close();
  await database.drop();
});

test('no table has it', async () => {
  const { rows } = await client.query<{ table: string }>(
    `SELECT oid::regclass::text AS table FROM pg_class WHERE relkind IN ('r', 'm')
       AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)`,
  );
  const contents = new Map<string, string>();
  for (const { table } of rows) {
    const dump = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${table} t`);
    contents.set(table, dump.rows.map(({ row }) => row).join('\n'));
  }
  expect([...contents].filter(([, text]) => secretsIn(text).length > 0).map(([table]) => table)).toEqual([]);
  expect([...contents].filter(([, text]) => text.includes(NOTE)).length).toBeGreaterThan(1);
  expect(contents.get('thing_secrets')!.split('\n').length).toBeGreaterThan(3);
});

/** Without those of API keys, which there are none of in the open. */
const READS = Object.entries(openapi.paths).flatMap(([path, { get }]) =>
  get && !path.startsWith('/api/keys') ? [path] : [],
);
/** What else a read is asked, so that it tells of the things. */
const QUERIES: Record<string, string> = {
  '/api/tokens': '?pool=phones',
  '/api/tokens/available': '?pool=phones',
  '/api/tokens/active': '?pool=phones',
  '/api/leases': `?holder=${encodeURIComponent(HOLDER)}`,
};

const WITH_PAST = new Set(['/api/tokens/{id}', '/api/pools/{name}']);

test.each([...READS, '/metrics'])('GET %s does not tell it', async (path) => {
  const id = path.startsWith('/api/tickets/') ? ticket : (held.token_id as string);
  const url = path.replace('{name}', 'phones').replace('{id}', id) + (QUERIES[path] ?? '');
  for (const asked of WITH_PAST.has(path) ? [url, `${url}?as_of=${held.activated_at}`] : [url]) {
    const text = path.endsWith('/stream') ? await streamed(asked) : await read(asked);
    expect({ asked, secrets: secretsIn(text) }).toEqual({ asked, secrets: [] });
  }
});

async function read(url: string): Promise<string> {
  const { status, body } = await ask('GET', url);
  expect([url, status]).toEqual([url, 200]);
  return JSON.stringify(body);
}

/** The stream of a pool until now. */
async function streamed(url: string): Promise<string> {
  const { last_seq } = (await ask('GET', '/api/pools/phones')).body;
  const reading = new AbortController();
  const { body } = await fetch(`${service.url}${url}?after=0`, { signal: reading.signal });
  let text = '';
  for await (const bytes of body!) {
    text += Buffer.from(bytes).toString();
    if (text.includes(`id: ${last_seq}\n`)) break;
  }
  reading.abort();
  expect(text).toContain(NOTE);
  return text;
}

test('what is stored for an idempotency key does not depend on it, so that nobody can guess a short one', async () => {
  const headers = { 'idempotency-key': randomUUID() };
  const add = (pin: string) => ask('POST', '/api/tokens', { pool: 'phones', name: 'e', secret: { pin } }, headers);
  const [first, again] = [await add('0001'), await add('0002')];
  expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
});

test('neither a change of the token nor a verification by its number tells it', async () => {
  const { token_id, fence } = held;
  const answers = [
    await ask('PATCH', `/api/tokens/${token_id}`, { attributes: { note: NOTE, changed: true } }),
    await ask('POST', '/api/leases/verify', { token_id, fence }),
    await ask('POST', `/api/tokens/${token_id}/keep-alive`, { lease_id: held.lease_id }),
  ];
  expect(answers.map(({ status, body }) => [status, secretsIn(JSON.stringify(body))])).toEqual(
    Array(3).fill([200, []]),
  );
});

const TOO_LARGE = { pin: PIN.repeat(200) };
const LARGER_THAN_A_BODY = { pin: PIN.repeat(50_000) };
const X = { name: 'x', secret: SECRET };
const UNKNOWN_ID = 'c0ffee00-0000-4000-8000-00000000000f';

const BAD_IMPORTS: [string, unknown][] = [
  ['a secret that is a text', { tokens: [{ name: 'x', secret: PIN }] }],
  ['a secret that is a list', { tokens: [{ name: 'x', secret: [PIN] }] }],
  ['a secret that is too large', { tokens: [{ name: 'x', secret: TOO_LARGE }] }],
  ['a secret that cannot be stored', { tokens: [{ name: 'x', secret: { pin: `${PIN}\0` } }] }],
  ['a secret in the wrong place', { tokens: [X], secret: SECRET }],
  ['a secret for attributes', { tokens: [{ name: 'x', attributes: { secret: SECRET } }] }],
  ['a secret for a list', { tokens: SECRET }],
  ['a secret for a name', { tokens: [{ name: SECRET }] }],
  ['a secret for what is missing', { tokens: [X], missing: PIN }],
  ['an unknown field', { tokens: [{ ...X, more: PIN }] }],
  ['no name', { tokens: [{ secret: SECRET }] }],
  ['a wrong attribute', { tokens: [{ ...X, attributes: { a: null } }] }],
  ['a name that is there twice', { tokens: [X, X] }],
  ['a key that is there twice', `{"tokens":[{"name":"x","secret":{"pin":"${PIN}","pin":"${PIN}"}}]}`],
  ['a number that would be changed', `{"tokens":[{"name":"x","secret":{"pin":"${PIN}","n":${NUMBER}.00001}}]}`],
  ['JSON that is not whole', `{"tokens":[{"name":"x","secret":{"pin":"${PIN}`],
  ['a body that is too large', { tokens: [{ name: 'x', secret: LARGER_THAN_A_BODY }] }],
];
const BAD_REQUESTS: [string, string, string, unknown][] = [
  ...BAD_IMPORTS.map(([what, body]): [string, string, string, unknown] => [
    `PUT of ${what}`,
    'PUT',
    '/api/pools/phones/tokens',
    body,
  ]),
  ['PUT into another kind of pool', 'PUT', '/api/pools/default/tokens', { tokens: [X] }],
  ['PUT into no pool', 'PUT', '/api/pools/nowhere/tokens', { tokens: [X] }],
  ['POST of a text', 'POST', '/api/tokens', { pool: 'phones', name: 'x', secret: PIN }],
  ['POST of too much', 'POST', '/api/tokens', { pool: 'phones', name: 'x', secret: TOO_LARGE }],
  ['POST of a body that is too large', 'POST', '/api/tokens', { pool: 'phones', ...X, secret: LARGER_THAN_A_BODY }],
  ['POST of an unknown field', 'POST', '/api/tokens', { pool: 'phones', ...X, more: PIN }],
  ['POST of a name that is there', 'POST', '/api/tokens', { pool: 'phones', name: 'a', secret: SECRET }],
  ['POST without a name', 'POST', '/api/tokens', { pool: 'phones', secret: SECRET }],
  ['POST into another kind of pool', 'POST', '/api/tokens', { pool: 'default', ...X }],
  ['PATCH of a text', 'PATCH', '/api/tokens/HELD', { secret: PIN }],
  ['PATCH of a name that is there', 'PATCH', '/api/tokens/HELD', { name: 'a', secret: SECRET }],
  ['PATCH of an unknown field', 'PATCH', '/api/tokens/HELD', { secret: SECRET, more: PIN }],
  ['PATCH of no token', 'PATCH', `/api/tokens/${UNKNOWN_ID}`, { secret: SECRET }],
  ['PATCH of no id', 'PATCH', '/api/tokens/7', { secret: SECRET }],
  ['allocation with a secret', 'POST', '/api/tokens/allocate', { pool: 'phones', secret: SECRET }],
];

test.each(BAD_REQUESTS)('the refusal of a %s does not tell it', async (_what, method, path, body) => {
  const answer = await ask(method, path.replace('HELD', held.token_id as string), body);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(secretsIn(JSON.stringify([answer.body, ...answer.headers]))).toEqual([]);
});

test('an error of the database does not tell it', async () => {
  await client.query('ALTER TABLE thing_secrets RENAME TO thing_secrets_gone');
  const answers = [
    await ask('PUT', '/api/pools/phones/tokens', { tokens: [X] }),
    await ask('POST', '/api/tokens', { pool: 'phones', ...X }),
    await ask('PATCH', `/api/tokens/${held.token_id}`, { secret: { ...SECRET, more: 1 } }),
    await ask('POST', '/api/leases/verify', { lease_id: held.lease_id }),
  ];
  await client.query('ALTER TABLE thing_secrets_gone RENAME TO thing_secrets');
  expect(answers.map(({ status }) => status)).toEqual(Array(4).fill(500));
  expect(secretsIn(JSON.stringify(answers.map((answer): unknown => answer.body)))).toEqual([]);
});

test('neither the export nor anything else that the admin prints tells it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'token-pool-secrets-'));
  const admin = async (...args: string[]): Promise<string> => {
    const env = { PATH: process.env['PATH'], DATABASE_URL: database.url, SECRETS_KEY };
    const { stdout, stderr } = await run(process.execPath, ['dist/admin/main.js', ...args], { cwd: ROOT, env });
    return stdout + stderr;
  };
  const printed = [await admin('export', '--to', folder), await admin('audit'), await admin('secrets', 'rotate')];
  const files = (await readdir(folder)).map((file) => join(folder, file));
  const exported = await Promise.all(files.map(async (file) => gunzipSync(await readFile(file)).toString()));
  await rm(folder, { recursive: true });
  expect(exported.join()).toContain(NOTE);
  expect(secretsIn([...printed, ...exported].join())).toEqual([]);
});

// The last one, since it ends the service: it sees all that those before have asked for.
test('neither the log of every level nor a trace nor a metric tells it', async () => {
  service.signal('SIGTERM');
  expect(await service.ended).toBe(0);
  const log = service.output();
  expect(log).toContain('"path":"/api/pools/phones/tokens"');
  expect(log).toContain('"level":"error"');
  expect(secretsIn(log)).toEqual([]);
  const names = collector.spans().map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining(['PUT /api/pools/:name/tokens', 'PATCH /api/tokens/:id', 'transaction']),
  );
  expect(collector.metrics().size).toBeGreaterThan(10);
  expect(secretsIn(collector.received())).toEqual([]);
});

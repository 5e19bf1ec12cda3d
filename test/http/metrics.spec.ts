// What is told to Prometheus: everything from the first scrape on, exactly what was committed, and something in any case.

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Client } from 'pg';
import { pino } from 'pino';
import { createApp } from '../../apps/api/src/app.setup.js';
import { readConfig } from '../../apps/api/src/config.js';
import { jsonLogger } from '../../apps/api/src/logger.js';
import { Proxy } from '../../tools/harness/proxy.js';
import { startApp, type TestApp } from '../support/app.js';
import { createTestDatabase } from '../support/database.js';
import { until, untilWaiting } from '../support/waiting.js';
import { clientOf, openapi, type Ask, type Json } from './client.js';

const USER = 'c0ffee00-0000-4000-8000-000000000001';
const STRANGER = 'c0ffee00-0000-4000-8000-000000000002';
const NOBODYS = 'c0ffee00-0000-4000-8000-00000000dead';

/** Each sample by its name and labels, sorted: `token_pool_tokens{pool="default",state="active"}`. */
type Scrape = ReadonlyMap<string, number>;

const SAMPLE = /^([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="[^"\\]*",?)+)\})? (\S+)$/;

/** The text format, as far as it is used; throws at a line that is not of it. */
function parsed(text: string): Scrape {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const [, type, declared] = /^# (HELP|TYPE) (\S+) \S/.exec(line) ?? [];
    if (type === 'TYPE') types.set(declared!, line.split(' ')[3]!);
    if (type) continue;
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (!name) throw new Error(`not a sample: ${line}`);
    const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
    if (!types.has(family)) throw new Error(`of no type: ${line}`);
    const key = seriesOf(
      name,
      Object.fromEntries([...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, k, v]) => [k, v])),
    );
    if (samples.has(key)) throw new Error(`told twice: ${line}`);
    samples.set(key, Number(value === 'Nan' ? NaN : value === '+Inf' ? Infinity : value));
  }
  return samples;
}

function seriesOf(name: string, labels: Record<string, string | undefined> = {}): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length === 0 ? name : `${name}{${sorted.map(([label, value]) => `${label}="${value}"`).join(',')}}`;
}

async function scrape({ url }: { readonly url: string }): Promise<Scrape> {
  const response = await fetch(`${url}/metrics`);
  expect(response.status).toBe(200);
  return parsed(await response.text());
}

/** What has moved between two scrapes and by how much, among the names that match. */
function moved(before: Scrape, after: Scrape, names: RegExp): Record<string, number> {
  const changes = [...after].filter(([series]) => names.test(series));
  const differences = changes.map(([series, value]) => [series, value - (before.get(series) ?? 0)] as const);
  return Object.fromEntries(differences.filter(([, difference]) => difference !== 0));
}

let app: TestApp;
let ask: Ask;
let first: Response;
let firstText: string;
let database: Client;
const lines: Json[] = [];

beforeAll(async () => {
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  app = await startApp({ POOL_SIZE: '2' }, jsonLogger('info', stream));
  ask = clientOf(app);
  first = await fetch(`${app.url}/metrics`);
  firstText = await first.text();
  database = new Client({ connectionString: app.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await app.close();
});

/** Asks, and waits until all of it is counted: a request is, a moment after the client has its answer. */
async function movedBy(names: RegExp, work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await scrape(app);
  await work();
  await new Promise(setImmediate);
  return moved(before, await scrape(app), names);
}

const made = async (name: string, policy: object = {}): Promise<void> => {
  const body = { name, kind: 'fixed', size: 2, ttl_seconds: 3600, renewable: true, ...policy };
  expect((await ask('POST', '/api/pools', body)).status).toBe(201);
};
const allocated = async (pool: string): Promise<Json> =>
  (await ask('POST', '/api/tokens/allocate', { pool, user_id: USER })).body;
/** As if the lease had begun, and ended, so many seconds earlier. */
const backdated = (tokenId: string, beginSeconds: number, endSeconds: number): Promise<unknown> =>
  database.query(
    `UPDATE tokens SET last_activated_at = last_activated_at - $2::float8 * interval '1 second',
       expires_at = expires_at - $3::float8 * interval '1 second' WHERE id = $1`,
    [tokenId, beginSeconds, endSeconds],
  );

describe('the first scrape', () => {
  test('is text as Prometheus reads it', () => {
    expect(first.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(parsed(firstText).size).toBeGreaterThan(500);
  });

  test('has every value of every label, and nothing has happened yet', () => {
    const samples = parsed(firstText);
    const zeros = [
      ...['default', 'elastic'].flatMap((pool) => [
        ...['allocated', 'allocated_after_eviction'].map((reason) =>
          seriesOf('token_pool_grants_total', { pool, reason }),
        ),
        ...['released_by_client', 'lru_eviction', 'cleanup', 'ttl_expired', 'deleted_by_client'].map((reason) =>
          seriesOf('token_pool_ends_total', { pool, reason }),
        ),
        ...['pool_exhausted', 'quota_exceeded', 'stale_lease', 'unavailable'].map((error) =>
          seriesOf('token_pool_refusals_total', { pool, error }),
        ),
        ...['database', 'audit'].map((noticed_by) =>
          seriesOf('token_pool_invariant_violations_total', { pool, noticed_by }),
        ),
        seriesOf('token_pool_tokens', { pool, state: 'active' }),
        seriesOf('token_pool_queue_length', { pool }),
        seriesOf('token_pool_oldest_active_lease_age_seconds', { pool }),
        seriesOf('token_pool_sweep_backlog', { pool }),
        seriesOf('token_pool_sweep_lag_seconds', { pool }),
        seriesOf('token_pool_clock_behind_seconds', { pool }),
      ]),
      ...[
        'renewed',
        'invalid_request',
        'lease_handle_required',
        'token_not_found',
        'token_not_active',
        'stale_lease',
        'not_renewable',
        'lease_ended',
        'token_deleted',
        'idempotency_key_reused',
        'unavailable',
        'internal_error',
      ].map((outcome) => seriesOf('token_pool_renewals_total', { outcome })),
      ...['batch_size', 'queue_wait_seconds', 'expiry_delay_seconds', 'victim_age_seconds'].flatMap((name) => [
        seriesOf(`token_pool_${name}_bucket`, { le: '+Inf' }),
        seriesOf(`token_pool_${name}_count`),
      ]),
      'token_pool_streams',
      ...['left', 'cut_off', 'stopped', 'failed'].map((how) => seriesOf('token_pool_streams_ended_total', { how })),
      'token_pool_stream_events_total',
      'token_pool_stream_backlog',
      'token_pool_stream_delay_seconds_count',
      ...Object.entries(openapi.paths).flatMap(([path, methods]) =>
        Object.entries(methods).flatMap(([name, { responses }]) => {
          const labels = { method: name.toUpperCase(), route: path.replaceAll(/\{(\w+)\}/g, ':$1') };
          return [
            seriesOf('token_pool_http_request_duration_seconds_count', labels),
            ...[...Object.keys(responses), 'aborted'].map((status) =>
              seriesOf('token_pool_http_requests_total', { ...labels, status }),
            ),
          ];
        }),
      ),
      ...['minor', 'major', 'incremental', 'weakcb'].map((kind) =>
        seriesOf('nodejs_gc_duration_seconds_bucket', { kind, le: '0.001' }),
      ),
    ];
    expect(zeros.filter((series) => !samples.has(series))).toEqual([]);
    const ours = zeros.filter((series) => series.startsWith('token_pool_'));
    expect(ours.filter((series) => samples.get(series) !== 0)).toEqual([]);
    expect(samples.get(seriesOf('token_pool_tokens', { pool: 'default', state: 'available' }))).toBe(2);
    expect(samples.get('token_pool_database_up')).toBe(1);
  });

  test('has the names, and the kinds, of docs/metrics.md, and no others of ours', () => {
    const table = readFileSync(join(__dirname, '../../docs/metrics.md'), 'utf8');
    const documented = [...table.matchAll(/^\| `(token_pool_\w+)`[^|]*\| (\w+) *\|/gm)].map(([, ...row]) =>
      row.join(' '),
    );
    const told = [...firstText.matchAll(/^# TYPE (token_pool_\w+) (\w+)/gm)].map(([, ...row]) => row.join(' '));
    expect(documented.sort()).toEqual(told.sort());
  });
});

describe('leases', () => {
  const LEASES = /^token_pool_(grants|ends|renewals|tokens|victim_age_seconds_count|expiry_delay_seconds_count)/;
  const grants = (pool: string, reason: string): string => seriesOf('token_pool_grants_total', { pool, reason });
  const ends = (pool: string, reason: string): string => seriesOf('token_pool_ends_total', { pool, reason });
  const tokens = (pool: string, state: string): string => seriesOf('token_pool_tokens', { pool, state });

  test('granted are counted by reason, and so is what they end', async () => {
    expect(await movedBy(LEASES, () => made('granting'))).toEqual({ [tokens('granting', 'available')]: 2 });
    const work = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) await allocated('granting');
    };
    expect(await movedBy(LEASES, work)).toEqual({
      [tokens('granting', 'available')]: -2,
      [tokens('granting', 'active')]: 2,
      [grants('granting', 'allocated')]: 2,
      [grants('granting', 'allocated_after_eviction')]: 3,
      [ends('granting', 'lru_eviction')]: 3,
      token_pool_victim_age_seconds_count: 3,
    });
  });

  test('that are evicted tell their age', async () => {
    await made('ageing', { size: 1 });
    await backdated((await allocated('ageing')).token_id as string, 100, 0);
    const changes = await movedBy(/^token_pool_victim_age_seconds/, () => allocated('ageing'));
    expect(changes['token_pool_victim_age_seconds_sum']).toBeGreaterThanOrEqual(100);
    expect(changes).toMatchObject({
      [seriesOf('token_pool_victim_age_seconds_bucket', { le: '120' })]: 1,
      token_pool_victim_age_seconds_count: 1,
    });
    expect(changes).not.toHaveProperty([seriesOf('token_pool_victim_age_seconds_bucket', { le: '60' })]);
  });

  test('released are counted, once however often it is asked for', async () => {
    await made('releasing');
    const { token_id, lease_id } = await allocated('releasing');
    const work = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) await ask('POST', `/api/tokens/${token_id}/release`, { lease_id });
    };
    expect(await movedBy(/^token_pool_(grants|ends)/, work)).toEqual({ [ends('releasing', 'released_by_client')]: 1 });
  });

  test('ended by a cleanup, or with their token, are counted so', async () => {
    await made('clean');
    await made('deleting', { kind: 'elastic' });
    const work = async (): Promise<void> => {
      await allocated('clean');
      await allocated('clean');
      await ask('POST', '/api/tokens/cleanup', { pool: 'clean' });
      await ask('POST', '/api/tokens', { pool: 'deleting' });
      const { token_id } = await allocated('deleting');
      await ask('DELETE', `/api/tokens/${token_id}?force=true`);
    };
    expect(await movedBy(/^token_pool_(grants|ends)/, work)).toEqual({
      [grants('clean', 'allocated')]: 2,
      [ends('clean', 'cleanup')]: 2,
      [grants('deleting', 'allocated')]: 1,
      [ends('deleting', 'deleted_by_client')]: 1,
    });
  });

  test('that are over count as available at once, as backlog until somebody writes them down, and then as expired', async () => {
    await made('overdue');
    const { token_id } = await allocated('overdue');
    await backdated((await allocated('overdue')).token_id as string, 50, 0);
    const BACKLOG = /^token_pool_((tokens|sweep|oldest|ends).*"overdue"|expiry_delay_seconds_count)/;
    const pool = 'overdue';
    const lag = seriesOf('token_pool_sweep_lag_seconds', { pool });
    const oldest = seriesOf('token_pool_oldest_active_lease_age_seconds', { pool });
    const over = await movedBy(BACKLOG, () => backdated(token_id as string, 3610, 3610));
    // The oldest lease was the one that is over now, as if granted a moment ago; it is the other one, of 50 s.
    const { [lag]: lagged, [oldest]: aged, ...counts } = over;
    expect(counts).toEqual({
      [tokens(pool, 'available')]: 1,
      [tokens(pool, 'active')]: -1,
      [seriesOf('token_pool_sweep_backlog', { pool })]: 1,
    });
    expect(lagged).toBeGreaterThan(9);
    expect(lagged).toBeLessThan(40);
    expect(aged).toBeGreaterThan(49);
    expect(aged).toBeLessThan(80);

    const written = await movedBy(BACKLOG, () => allocated('overdue'));
    expect(written).toMatchObject({
      [ends(pool, 'ttl_expired')]: 1,
      [seriesOf('token_pool_sweep_backlog', { pool })]: -1,
      token_pool_expiry_delay_seconds_count: 1,
    });
    expect((await scrape(app)).get(lag)).toBe(0);
  });
});

test('what the sweep writes down is counted as well', async () => {
  const sweeping = await startApp({ POOL_SIZE: '1', TOKEN_TTL_SECONDS: '0.05', SWEEP_INTERVAL_MS: '5' });
  await clientOf(sweeping)('POST', '/api/tokens/allocate');
  const expired = seriesOf('token_pool_ends_total', { pool: 'default', reason: 'ttl_expired' });
  let samples: Scrape;
  do samples = await scrape(sweeping);
  while (samples.get(expired) === 0);
  expect(samples.get(expired)).toBe(1);
  expect(samples.get('token_pool_expiry_delay_seconds_count')).toBe(1);
  await sweeping.close();
});

describe('refusals', () => {
  const refused = (pool: string, error: string): string => seriesOf('token_pool_refusals_total', { pool, error });

  test('are counted by pool and code, so that a pool shows how often it was dry', async () => {
    await made('dry', { size: 1, on_exhausted: 'reject' });
    const { token_id } = await allocated('dry');
    const work = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) await ask('POST', '/api/tokens/allocate', { pool: 'dry' });
      await ask('POST', `/api/tokens/${token_id}/release`, { fence: 9 });
      await ask('POST', '/api/tokens', { pool: 'dry' });
    };
    expect(await movedBy(/^token_pool_refusals/, work)).toEqual({
      [refused('dry', 'pool_exhausted')]: 3,
      [refused('dry', 'stale_lease')]: 1,
      [refused('dry', 'pool_is_fixed')]: 1,
    });
  });

  test('of a pool that does not exist are counted nowhere', async () => {
    const work = () => ask('POST', '/api/tokens/allocate', { pool: 'made-up' });
    const before = await scrape(app);
    expect(await movedBy(/^token_pool_refusals/, work)).toEqual({});
    expect([...(await scrape(app)).keys()].filter((series) => series.includes('made-up'))).toEqual([]);
    expect(before.get(refused('default', 'pool_exhausted'))).toBe(0);
  });
});

describe('renewals', () => {
  const keep = (tokenId: string, body: object, headers = {}): Promise<unknown> =>
    ask('POST', `/api/tokens/${tokenId}/keep-alive`, body, headers);
  const outcome = (name: string): string => seriesOf('token_pool_renewals_total', { outcome: name });

  test('are counted by what came of them, whatever the route', async () => {
    await made('renewing', { kind: 'elastic', size: 5 });
    await made('lasting', { renewable: false });
    await made('held', { release_authority: 'holder' });
    const { body } = await ask('POST', '/api/tokens', { pool: 'renewing' });
    const free = (await ask('POST', '/api/tokens', { pool: 'renewing' })).body.id as string;
    const lease = await allocated('renewing');
    const former = await allocated('renewing');
    await ask('POST', `/api/tokens/${former.token_id}/release`);
    expect([body.id, free]).toContain(lease.token_id);
    const gone = (await ask('POST', '/generate-token')).body.token as string;
    await ask('POST', '/delete-token', { token: gone });
    const short = (await ask('POST', '/generate-token')).body.token as string;
    const tokenOf = async (pool: string): Promise<string> => (await allocated(pool)).token_id as string;
    const [lasting, held] = [await tokenOf('lasting'), await tokenOf('held')];
    const key = { 'idempotency-key': 'once' };

    const counts = await movedBy(/^token_pool_renewals/, async () => {
      await keep(lease.token_id as string, { lease_id: lease.lease_id }, key);
      await keep(lease.token_id as string, { lease_id: lease.lease_id }, key); // a replay renews nothing
      await keep(lease.token_id as string, { user_id: USER }, key);
      await keep(lease.token_id as string, { user_id: STRANGER });
      await keep(former.token_id as string, { lease_id: former.lease_id });
      await keep(former.token_id as string, { user_id: USER });
      await keep(lasting, { user_id: USER });
      await keep(held, { user_id: USER });
      await keep(NOBODYS, { user_id: USER });
      await keep(gone, { user_id: USER });
      await ask('POST', '/keep-alive', { token: short });
      await ask('POST', '/assign-token', { client_id: 'browser' });
      await ask('POST', '/keep-alive', { token: short });
      await ask('POST', '/keep-alive', { token: short, client_id: 'browser' });
    });
    expect(counts).toEqual({
      [outcome('renewed')]: 3,
      [outcome('idempotency_key_reused')]: 1,
      [outcome('stale_lease')]: 2,
      [outcome('lease_ended')]: 1,
      [outcome('not_renewable')]: 1,
      [outcome('lease_handle_required')]: 1,
      [outcome('token_not_found')]: 1,
      [outcome('token_deleted')]: 1,
      [outcome('token_not_active')]: 1,
    });
  });
});

test('a queue tells its length without its pool’s lock, and then how long who waited and how many went together', async () => {
  await made('queueing', { size: 2 });
  const before = await scrape(app);
  await database.query('BEGIN');
  await database.query(`SELECT FROM pools WHERE name = 'queueing' FOR UPDATE`);
  const one = allocated('queueing');
  await untilWaiting(app.databaseUrl);
  const four = [1, 2, 3, 4].map(() => allocated('queueing'));
  const length = seriesOf('token_pool_queue_length', { pool: 'queueing' });
  let during: Scrape;
  do during = await scrape(app);
  while ((during.get(length) ?? 0) < 4);
  expect(during.get(length)).toBe(4);
  expect(during.get('token_pool_database_connections')! - during.get('token_pool_database_connections_idle')!).toBe(1);
  expect(moved(before, during, /^token_pool_(grants|batch_size|queue_wait|transaction)/)).toEqual({});
  await database.query('COMMIT');
  await Promise.all([one, ...four]);
  // One, then two and two: a batch grants no more than the pool has tokens, and who is put off is counted once.
  const after = await scrape(app);
  expect(moved(before, after, /^token_pool_(queue_length|(batch_size|queue_wait|transaction).*_count)/)).toEqual({
    token_pool_batch_size_count: 3,
    token_pool_queue_wait_seconds_count: 5,
    token_pool_transaction_duration_seconds_count: 3,
  });
  expect(moved(before, after, /^token_pool_batch_size_(sum|bucket)/)).toMatchObject({
    token_pool_batch_size_sum: 5,
    [seriesOf('token_pool_batch_size_bucket', { le: '1' })]: 1,
    [seriesOf('token_pool_batch_size_bucket', { le: '2' })]: 3,
  });
  for (const name of ['token_pool_queue_wait_seconds_sum', 'token_pool_transaction_duration_seconds_sum']) {
    expect(moved(before, after, /_sum$/)[name]).toBeGreaterThan(0);
  }
});

describe('a broken rule', () => {
  const violations = (pool: string, noticed_by: string): string =>
    seriesOf('token_pool_invariant_violations_total', { pool, noticed_by });

  test('that the database refuses is counted, and nothing of what was rolled back', async () => {
    await made('refused', { size: 1 });
    await allocated('refused');
    await database.query(`ALTER TABLE token_events ADD CONSTRAINT never CHECK (reason <> 'lru_eviction') NOT VALID`);
    const changes = await movedBy(
      /^token_pool_(invariant|grants|ends|batch_size|victim|transaction|tokens)/,
      async () => expect(await ask('POST', '/api/tokens/allocate', { pool: 'refused' })).toMatchObject({ status: 500 }),
    );
    await database.query('ALTER TABLE token_events DROP CONSTRAINT never');
    expect(changes).toEqual({ [violations('refused', 'database')]: 1 });
  });

  test('that an audit finds is counted', async () => {
    await made('tampered');
    const audited = (): Promise<Record<string, number>> =>
      movedBy(/^token_pool_invariant/, () => ask('GET', '/api/pools/tampered/audit'));
    expect(await audited()).toEqual({});
    await database.query(`UPDATE pools SET last_fence = 7 WHERE name = 'tampered'`);
    expect(await audited()).toEqual({ [violations('tampered', 'audit')]: 1 });
  });
});

describe('HTTP requests', () => {
  const REQUESTS = /^token_pool_http_(requests_total|request_duration_seconds_count)/;
  const own = {
    [seriesOf('token_pool_http_requests_total', { method: 'GET', route: '/metrics', status: '200' })]: 1,
    [seriesOf('token_pool_http_request_duration_seconds_count', { method: 'GET', route: '/metrics' })]: 1,
  };
  const requests = (method: string, route: string, status: string, times = 1): Record<string, number> => ({
    [seriesOf('token_pool_http_requests_total', { method, route, status })]: times,
    [seriesOf('token_pool_http_request_duration_seconds_count', { method, route })]: times,
  });

  test.each([
    ['GET', '/api/pools/default?x=1', undefined, requests('GET', '/api/pools/:name', '400')],
    ['GET', `/api/tokens/${NOBODYS}`, undefined, requests('GET', '/api/tokens/:id', '404')],
    ['POST', '/api/tokens/allocate', '{', requests('POST', '/api/tokens/allocate', '400')],
    ['POST', '/api/tokens/allocate', `"${'x'.repeat(20_000)}"`, requests('POST', '/api/tokens/allocate', '413')],
    ['POST', `/api/tokens/${NOBODYS}/release`, '', requests('POST', '/api/tokens/:id/release', '404')],
    ['GET', '/openapi.json', undefined, requests('GET', '/openapi.json', '200')],
    ['GET', '/docs/swagger-ui-bundle.js', undefined, requests('GET', '/docs/:file', '200')],
    ['GET', '/made-up', undefined, requests('GET', 'unmatched', '404')],
    ['PUT', '/api/tokens', undefined, requests('PUT', 'unmatched', '404')],
    ['GET', '/api/tokens/%ff', undefined, requests('GET', 'unmatched', '400')],
  ])('%s %s', async (method, path, body, expected) => {
    expect(await movedBy(REQUESTS, () => ask(method, path, body))).toEqual({ ...own, ...expected });
  });

  test('whose client goes away are counted so', async () => {
    await database.query('BEGIN');
    await database.query(`SELECT FROM pools WHERE name = 'default' FOR UPDATE`);
    const aborted = requests('POST', '/api/tokens/allocate', 'aborted');
    const before = await scrape(app);
    const leaving = new AbortController();
    const asked = fetch(`${app.url}/api/tokens/allocate`, { method: 'POST', signal: leaving.signal });
    await untilWaiting(app.databaseUrl);
    leaving.abort();
    await expect(asked).rejects.toThrow();
    let after: Scrape;
    do after = await scrape(app);
    while (Object.keys(moved(before, after, /aborted/)).length === 0);
    await database.query('COMMIT');
    expect(moved(before, after, /allocate/)).toMatchObject(aborted);
  });

  test('take their time, in seconds', async () => {
    const sum = seriesOf('token_pool_http_request_duration_seconds_sum', { method: 'GET', route: '/health/live' });
    const changes = await movedBy(/_seconds_sum/, () => ask('GET', '/health/live'));
    expect(changes[sum]).toBeGreaterThan(0);
    expect(changes[sum]).toBeLessThan(1);
  });

  test('for the metrics themselves are not in the log', async () => {
    await ask('GET', '/health/live', undefined, { 'x-request-id': 'afterwards' });
    await until(() => lines.some(({ request_id }) => request_id === 'afterwards'));
    expect(lines.filter(({ path }) => path === '/metrics')).toEqual([]);
    expect(lines.filter(({ path }) => path === '/health/live').length).toBeGreaterThan(0);
  });
});

test('the process tells of its memory, time and handles, and of an event loop that is held up', async () => {
  const before = await scrape(app);
  // Measured is from one run of a timer to the next, of which a scrape forgets the last one.
  await new Promise((resolve) => setTimeout(resolve, 30));
  const end = performance.now() + 200;
  while (performance.now() < end);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const after = await scrape(app);
  expect(after.get('nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(0.15);
  expect(after.get('nodejs_eventloop_lag_max_seconds')).toBeLessThan(5);
  expect(moved(before, after, /^process_cpu_seconds_total$/)['process_cpu_seconds_total']).toBeGreaterThan(0);
  expect(after.get('process_resident_memory_bytes')).toBeGreaterThan(10e6);
  expect(after.get('nodejs_active_handles_total')).toBeGreaterThan(0);
});

describe('a database that', () => {
  async function behindProxy(env: Record<string, string> = {}) {
    const database = await createTestDatabase();
    const proxy = await Proxy.open(database.url);
    const config = readConfig({ PORT: '0', SWEEP_INTERVAL_MS: '0', POOL_SIZE: '2', ...env });
    const service = await createApp(config, proxy.url, pino({ level: 'silent' }));
    const server = (await service.listen(config.port, config.host)) as { address(): AddressInfo };
    return {
      url: `http://${config.host}:${server.address().port}`,
      proxy,
      close: () =>
        service
          .close()
          .then(() => proxy.close())
          .then(() => database.drop()),
    };
  }
  const inTime = async (from: { url: string }): Promise<Scrape> => {
    const began = performance.now();
    const samples = await scrape(from);
    expect(performance.now() - began).toBeLessThan(3500);
    return samples;
  };
  const granted = seriesOf('token_pool_grants_total', { pool: 'default', reason: 'allocated' });
  const DATABASES = /^token_pool_(tokens|sweep|oldest)/;

  test.each([
    ['closed', { isClosed: true }],
    ['silent', { isSilent: true }],
  ])('is %s leaves everything else to be told', async (_, weather) => {
    const service = await behindProxy();
    expect((await clientOf(service)('POST', '/api/tokens/allocate')).status).toBe(200);
    expect((await scrape(service)).get('token_pool_database_up')).toBe(1);
    service.proxy.set(weather);
    const [without] = await Promise.all([inTime(service), inTime(service)]);
    expect(without.get('token_pool_database_up')).toBe(0);
    expect([...without.keys()].filter((series) => DATABASES.test(series))).toEqual([]);
    expect(without.get(granted)).toBe(1);
    expect(without.get('process_resident_memory_bytes')).toBeGreaterThan(0);
    expect(without.has(seriesOf('token_pool_ends_total', { pool: 'elastic', reason: 'cleanup' }))).toBe(true);
    service.proxy.heal();
    let again: Scrape;
    do again = await inTime(service);
    while (again.get('token_pool_database_up') === 0);
    expect(again.get(seriesOf('token_pool_tokens', { pool: 'default', state: 'active' }))).toBe(1);
    await service.close();
  });

  test.each(['is lost', 'is not answered'] as const)(
    'is lost in the middle of a commit (COMMIT %s) has granted once',
    async (commit) => {
      const service = await behindProxy();
      service.proxy.set({ commit, commitsLeft: 1 });
      expect((await clientOf(service)('POST', '/api/tokens/allocate')).status).toBe(200);
      expect((await scrape(service)).get(granted)).toBe(1);
      await service.close();
    },
  );

  test('has no connection left is not up in time, and says who waits', async () => {
    const service = await behindProxy({ DATABASE_POOL_SIZE: '1' });
    service.proxy.set({ isSilent: true });
    const asked = clientOf(service)('POST', '/api/tokens/allocate');
    let samples: Scrape;
    do samples = await inTime(service);
    while (samples.get('token_pool_database_connections_waiting') === 0);
    expect(samples.get('token_pool_database_up')).toBe(0);
    expect(samples.get('token_pool_database_connections')).toBe(1);
    expect(samples.get('token_pool_database_connections_idle')).toBe(0);
    service.proxy.heal();
    await asked;
    await service.close();
  });
});

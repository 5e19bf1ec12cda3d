// What the built service tells a collector of OpenTelemetry, and that nobody waits for one.

import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { startCollector, type Collector, type Point, type Span } from '../support/collector.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { build, killServices, startService, type ServiceProcess } from '../support/process.js';
import { untilWaiting } from '../support/waiting.js';

const USER = '11111111-2222-4333-8444-555555555555';
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SENDER = 'b7ad6b7169203331';

let database: TestDatabase;

beforeAll(async () => {
  [database] = await Promise.all([createTestDatabase(), build()]);
});
afterAll(async () => {
  await killServices();
  await database.drop();
});

const start = (env: Record<string, string>): Promise<ServiceProcess> =>
  startService({ DATABASE_URL: database.url, SWEEP_INTERVAL_MS: '0', ...env });

describe('with a collector', () => {
  let collector: Collector;
  let service: ServiceProcess;

  beforeAll(async () => {
    collector = await startCollector();
    service = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_SERVICE_NAME: 'tokens-of-tests',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    });
  });
  afterAll(() => collector.close());

  async function ask(requestId: string, path: string, body: object, headers = {}): Promise<Record<string, unknown>> {
    const ofBody = { 'content-type': 'application/json', 'x-request-id': requestId };
    const init = { method: 'POST', headers: { ...ofBody, ...headers }, body: JSON.stringify(body) };
    return (await (await fetch(new URL(path, service.url), init)).json()) as Record<string, unknown>;
  }

  /** The whole trace of a request, once it has arrived. */
  async function traceOf(requestId: string): Promise<{ request: Span; within: (parent: Span, name: string) => Span }> {
    for (;;) {
      const spans = collector.spans();
      const request = spans.find(({ attributes }) => attributes['token_pool.request_id'] === requestId);
      const within = (parent: Span, name: string): Span => {
        const found = spans.filter((span) => span.name === name && span.parent === parent.id);
        expect(found).toHaveLength(1);
        expect(found[0]!.trace).toBe(parent.trace);
        return found[0]!;
      };
      if (request) return { request, within };
      await sleep(20);
    }
  }

  const exposition = async (): Promise<string> => (await fetch(new URL('/metrics', service.url))).text();

  async function untilInQueue(commands: number): Promise<void> {
    while (!(await exposition()).includes(`token_pool_queue_length{pool="default"} ${commands}\n`)) await sleep(20);
  }

  async function lockPool(): Promise<{ release(): Promise<unknown> }> {
    const admin = new Client({ connectionString: database.url });
    await admin.connect();
    await admin.query(`BEGIN; SELECT FROM pools WHERE name = 'default' FOR UPDATE`);
    return { release: () => admin.query('COMMIT').then(() => admin.end()) };
  }

  test('a slow request shows that it waited for the lock of the pool, and those behind it that they waited for it', async () => {
    const lock = await lockPool();
    const traceparent = `00-${TRACE}-${SENDER}-01`;
    const first = ask('first', '/api/tokens/allocate', { user_id: USER }, { traceparent });
    await untilWaiting(database.url);
    const behind = ['second', 'third'].map((id) => ask(id, '/api/tokens/allocate', { user_id: USER }));
    await untilInQueue(behind.length);
    const held = 200;
    await sleep(held);
    await lock.release();
    await Promise.all([first, ...behind]);

    const { request, within } = await traceOf('first');
    expect(request).toMatchObject({
      name: 'POST /api/tokens/allocate',
      trace: TRACE,
      parent: SENDER,
      hasFailed: false,
    });
    expect(request.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/api/tokens/allocate',
      'http.response.status_code': 200,
      'network.protocol.version': '1.1',
      'token_pool.request_id': 'first',
      'url.scheme': 'http',
    });
    const wait = within(request, 'wait for batch');
    expect(wait.attributes).toEqual({ 'token_pool.pool': 'default', 'token_pool.command': 'allocate' });
    expect(wait.ms).toBeLessThan(held);
    const transaction = within(request, 'transaction');
    expect(transaction.attributes).toMatchObject({ 'db.system.name': 'postgresql', 'token_pool.batch_size': 1 });
    const batch = within(transaction, 'batch');
    expect(within(batch, 'lock').ms).toBeGreaterThanOrEqual(held);
    expect(within(batch, 'decide').ms).toBeLessThan(held);
    expect(within(batch, 'commit').attributes).toEqual({ 'db.system.name': 'postgresql' });

    const traces = await Promise.all(['second', 'third'].map(traceOf));
    const transactions = traces.map((trace) => trace.within(trace.request, 'transaction'));
    for (const trace of traces) expect(trace.within(trace.request, 'wait for batch').ms).toBeGreaterThanOrEqual(held);
    expect(transactions.map(({ attributes }) => attributes['token_pool.batch_size'])).toEqual([2, 2]);
    // Their batch stands in one of the two traces; it is linked with both requests, and the other one with it.
    const host = traces.findIndex((_, place) => transactions[place]!.links.length === 0);
    const common = traces[host]!.within(transactions[host]!, 'batch');
    expect([...common.links].sort()).toEqual(traces.map((trace) => trace.request.id).sort());
    expect(transactions[1 - host]!.links).toEqual([common.id]);
  });

  test('a request that failed says so, with the transaction that never got its lock', async () => {
    const lock = await lockPool();
    const answer = await ask('in-vain', '/api/tokens/allocate', { user_id: USER });
    await lock.release();
    expect(answer).toMatchObject({ status: 503 });
    const { request, within } = await traceOf('in-vain');
    expect(request).toMatchObject({ hasFailed: true, attributes: { 'error.type': '503' } });
    const transaction = within(request, 'transaction');
    expect(transaction).toMatchObject({ hasFailed: true, attributes: { 'token_pool.tries': 0 } });
    expect(within(within(transaction, 'batch'), 'lock').ms).toBeGreaterThan(2000);
  });

  test('work on a whole pool is a transaction of its own', async () => {
    await ask('whole-pool', '/api/tokens/cleanup', {});
    const { request, within } = await traceOf('whole-pool');
    const transaction = within(request, 'transaction');
    expect(transaction.attributes).toMatchObject({ 'token_pool.pool': 'default', 'token_pool.tries': 1 });
    for (const phase of ['lock', 'decide', 'commit']) expect(within(transaction, phase).hasFailed).toBe(false);
  });

  test('nothing that users send is told, and the service is named', async () => {
    const grant = await ask('secretive', '/api/tokens/allocate?x=hidden', {
      user_id: USER,
      metadata: { note: 'hidden' },
    });
    await ask('discreet', '/api/tokens/allocate', { user_id: USER, metadata: { note: 'hidden' } });
    const secret = { authorization: 'Bearer tp_hidden_hidden' };
    const allocated = await ask('given-back', '/api/tokens/allocate', { user_id: USER }, secret);
    await ask('at-last', `/api/tokens/${String(allocated['token_id'])}/release`, { lease_id: allocated['lease_id'] });
    const { request } = await traceOf('at-last');
    expect(request.name).toBe('POST /api/tokens/:id/release');
    expect(grant).toMatchObject({ status: 400 });
    const received = collector.received();
    for (const text of [USER, 'hidden', String(allocated['token_id']), String(allocated['lease_id'])]) {
      expect(received).not.toContain(text);
    }
    expect(collector.resource()).toMatchObject({
      'service.name': 'tokens-of-tests',
      'service.instance.id': expect.any(String) as string,
    });
  });

  test('at its end it has told the figures of /metrics, and what is left of the spans', async () => {
    await ask('last', '/api/tokens/allocate', { user_id: USER });
    const text = await exposition();
    service.signal('SIGTERM');
    expect(await service.ended).toBe(0);
    await traceOf('last');
    const metrics = collector.metrics();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name as string);
    // Those of the database are not asked for when it is gone.
    const gone =
      /^token_pool_(tokens|waiting|oldest_(active_lease_age|wait)_seconds|sweep_(backlog|lag_seconds)|clock_behind_seconds|database_\w+)$/;
    expect(names.filter((name) => !metrics.has(name) && !gone.test(name))).toEqual([]);
    expect([...metrics.keys()].filter((name) => gone.test(name))).toEqual([]);

    const grants = metrics.get('token_pool_grants_total')!;
    expect(grants.find(isOf({ pool: 'default', reason: 'allocated' }))!.asDouble).toBe(
      Number(/^token_pool_grants_total\{pool="default",reason="allocated"\} (\d+)$/m.exec(text)![1]),
    );
    const [waits] = metrics.get('token_pool_queue_wait_seconds')!;
    const upTo = [...text.matchAll(/^token_pool_queue_wait_seconds_bucket\{le="(.+?)"\} (\d+)$/gm)];
    expect(waits!.explicitBounds).toEqual(upTo.slice(0, -1).map(([, bound]) => Number(bound)));
    let sum = 0;
    expect(waits!.bucketCounts!.map((count) => (sum += Number(count)))).toEqual(
      upTo.map(([, , count]) => Number(count)),
    );
    expect(Number(waits!.count)).toBe(sum);
    expect(waits!.sum).toBe(Number(/^token_pool_queue_wait_seconds_sum (\S+)$/m.exec(text)![1]));
  });
});

const isOf =
  (labels: Record<string, string>) =>
  (point: Point): boolean =>
    Object.entries(labels).every(([name, value]) => point.labels[name] === value);

test('a collector that is not there, or never answers, holds up no request and no end', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const service = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    OTEL_BSP_SCHEDULE_DELAY: '20',
    OTEL_METRIC_EXPORT_INTERVAL: '50',
  });
  for (let count = 0; count < 50; count++) {
    const asked = performance.now();
    expect((await service.ask('POST', '/api/tokens/allocate', {})).status).toBe(200);
    expect(performance.now() - asked).toBeLessThan(1000);
  }
  const began = performance.now();
  service.signal('SIGTERM');
  expect(await service.ended).toBe(0);
  expect(performance.now() - began).toBeLessThan(5000);
  // It says so, in a line of its own log.
  expect(service.output()).toMatch(/"msg":"telemetry/);
  silent.close();
});

test('a sampler that takes none leaves out the spans', async () => {
  const collector = await startCollector();
  const service = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_TRACES_SAMPLER: 'always_off',
    OTEL_METRICS_EXPORTER: 'none',
  });
  expect((await service.ask('POST', '/api/tokens/allocate', {})).status).toBe(200);
  service.signal('SIGTERM');
  expect(await service.ended).toBe(0);
  expect(collector.received()).toBe('');
  collector.close();
});

test.each([
  ['is not loaded unless it is asked for', {}, false],
  [
    'is not loaded when it is switched off',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' },
    false,
  ],
  ['is loaded when it is asked for', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, true],
])(
  'the SDK %s',
  async (_, env, isLoaded) => {
    // Names every script that a process has loaded.
    const coverage = await mkdtemp(join(tmpdir(), 'token-pool-loaded-'));
    const service = await start({ ...env, NODE_V8_COVERAGE: coverage });
    service.signal('SIGTERM');
    expect(await service.ended).toBe(0);
    const [file] = await readdir(coverage);
    const scripts = await readFile(join(coverage, file as string), 'utf8');
    await rm(coverage, { recursive: true });
    expect(scripts).toContain('dist/api/main.js');
    expect(scripts.includes('@opentelemetry/sdk-node')).toBe(isLoaded);
  },
  60_000,
);

test('OTEL_EXPORTER_OTLP_ENDPOINT must be a URL', async () => {
  await expect(start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' })).rejects.toThrow(
    /OTEL_EXPORTER_OTLP_ENDPOINT is \(not shown\); allowed is http/,
  );
});

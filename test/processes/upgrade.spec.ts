// The last release and this version side by side on one database: a rolling restart that nobody notices, there and back.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditPool, sweep } from '@app/tokens';
import { ReleasedService, releases } from '../../tools/release/released-service.js';
import { upgrade } from '../../tools/chaos/upgrade/upgrade.js';
import { ApiProcess } from '../../tools/harness/api-process.js';
import { ask } from '../../tools/harness/ask.js';
import { openService } from '../../tools/harness/service.js';
import { createTestDatabase } from '../support/database.js';
import { build, MAIN } from '../support/process.js';

const USER = 'c0ffee00-0000-4000-8000-000000000001';

let directory: string;
let released: ReleasedService;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'token-pool-upgrade-'));
  [released] = await Promise.all([ReleasedService.unpack(releases().at(-1) as string), build()]);
});
afterAll(async () => {
  released.remove();
  await rm(directory, { recursive: true, force: true });
});

test('a rolling restart from the last release to this version, and back, fails no request and leaves a sound audit', async () => {
  const from = { name: released.version, main: released.main };
  const to = { name: 'this version', main: MAIN };
  const options = { from, to, quietMs: 300, clients: 8, backAgain: 1, seed: 1, directory, say: () => undefined };
  const { steps, requests, failed, findings } = await upgrade(options);
  expect(failed).toEqual([]);
  expect(findings).toEqual([]);
  expect(steps).toHaveLength(3);
  // Nobody waits for a migration for long; other tests may take the processor for some seconds.
  for (const { slowestMs } of steps) expect(slowestMs).toBeLessThan(8000);
  expect(requests).toBeGreaterThan(200);
});

test('the last release cannot make or delete a token in a listed pool, and only this one sweeps it', async () => {
  const database = await createTestDatabase();
  const service = await openService(database.url);
  const log = join(directory, 'listed.log');
  const env = { DATABASE_URL: database.url, SWEEP_INTERVAL_MS: '20' };
  const api = await ApiProcess.prepare(1, released.main, env, log);
  try {
    await service.service.createPool('things', 'listed', { ttlSeconds: 0.2 });
    await service.service.importThings('things', [{ name: 'a' }, { name: 'b' }], false);
    await api.start();
    const made = await ask(api.port, { method: 'POST', path: '/api/tokens', body: { pool: 'things' } });
    expect(made.status).toBeGreaterThanOrEqual(500);
    const { tokenId } = await service.service.allocate('things', { userId: USER, name: 'a' });
    const deleted = await ask(api.port, { method: 'DELETE', path: `/api/tokens/${tokenId}?force=true` });
    expect(deleted.status).toBeGreaterThanOrEqual(500);
    // It takes the pool for a fixed one, whose sweep makes the tokens that are missing.
    while (!/"things"/.test(await readFile(log, 'utf8'))) await ask(api.port, { method: 'GET', path: '/health/ready' });
    while ((await service.readers.pools.pool('things')).last_seq < 4) await sweep(service.repository, service.executor);
    expect((await service.readers.pools.pool('things')).counts).toEqual({ total: 2, available: 2, active: 0 });
    expect((await auditPool(service.readers.audit, 'things')).findings).toEqual([]);
  } finally {
    await api.kill();
    await service.close();
    await database.drop();
  }
});

test('the last release changes nothing in a pool that keeps tokens back between two users', async () => {
  const database = await createTestDatabase();
  const service = await openService(database.url);
  const env = { DATABASE_URL: database.url, SWEEP_INTERVAL_MS: '20' };
  const api = await ApiProcess.prepare(1, released.main, env, join(directory, 'upkeep.log'));
  try {
    await service.service.createPool('vms', 'fixed', { size: 2, onExhausted: 'reject' });
    await api.start();
    const take = () => ask(api.port, { method: 'POST', path: '/api/tokens/allocate', body: { pool: 'vms' } });
    const { status, body } = await take();
    expect(status).toBe(200);
    await service.service.changePool('vms', { afterUse: 'clean' });
    expect((await take()).status).toBeGreaterThanOrEqual(500);
    const path = `/api/tokens/${String(body['token_id'])}/release`;
    expect((await ask(api.port, { method: 'POST', path, body: {} })).status).toBeGreaterThanOrEqual(500);
    await service.service.release(String(body['token_id']), {});
    expect((await service.readers.pools.pool('vms')).counts).toMatchObject({ total: 2, available: 1, dirty: 1 });
    expect((await auditPool(service.readers.audit, 'vms')).findings).toEqual([]);
  } finally {
    await api.kill();
    await service.close();
    await database.drop();
  }
});

// The last release and this version side by side on one database: a rolling restart that nobody notices, there and back.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReleasedService, releases } from '../../tools/release/released-service.js';
import { upgrade } from '../../tools/chaos/upgrade/upgrade.js';
import { build, MAIN } from '../support/process.js';

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

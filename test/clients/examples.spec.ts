// The programs in examples/ run against the service as they are.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startApp, type TestApp } from '../support/app.js';

const UUIDS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ ELASTIC_POOL_SIZE: '2' });
});
afterAll(() => app.close());

async function example(file: string): Promise<string[]> {
  const path = join(__dirname, '../../examples', file);
  const env = { PATH: process.env['PATH'], TOKEN_POOL_URL: app.url };
  const { stdout } = await promisify(execFile)(process.execPath, [path], { env });
  const tokens = [...new Set(stdout.match(UUIDS))];
  return stdout
    .replace(UUIDS, (token) => `<${tokens.indexOf(token) + 1}>`)
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('#'));
}

test('the client of the elastic pool uses each of the five short routes, and leaves no token behind', async () => {
  const expected = [
    'POST /generate-token',
    '  201 <1>',
    'POST /generate-token',
    '  201 <2>',
    'POST /generate-token',
    '  403 pool elastic has its 2 tokens',
    'POST /assign-token {"client_id":"kiosk-7"}',
    '  200 <1>',
    'POST /keep-alive {"token":"<1>","client_id":"kiosk-7"}',
    '  200 Token keep-alive refreshed',
    'POST /keep-alive {"token":"<1>","client_id":"kiosk-8"}',
    expect.stringMatching(/^ {2}403 /),
    'POST /unblock-token {"token":"<1>"}',
    '  200 Token unblocked',
    'POST /delete-token {"token":"<1>"}',
    '  200 Token deleted successfully!',
    'POST /delete-token {"token":"<2>"}',
    '  200 Token deleted successfully!',
  ];
  // A second run finds the pool as the first did.
  for (let run = 1; run <= 2; run++) expect(await example('elastic-client.mjs')).toEqual(expected);
});

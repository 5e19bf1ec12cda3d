// `npm run keys`: the program as it is built, on databases that nobody has prepared.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readKey } from '../libs/keys/src/key-text.js';
import { Client } from 'pg';
import { build, killServices, startService } from './support/process.js';
import { createTestDatabase, type TestDatabase } from './support/database.js';

const ROOT = join(__dirname, '..');
const MAIN = join(ROOT, 'dist/keys/main.js');

let database: TestDatabase;
let url: string;

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['tools/build.mjs', 'keys'], { cwd: ROOT });
  database = await createTestDatabase();
  await onServer(`CREATE DATABASE "keys-at-first"`);
  url = Object.assign(new URL(database.url), { pathname: '/keys-at-first' }).href;
}, 120_000);
afterAll(async () => {
  await onServer(`DROP DATABASE "keys-at-first" WITH (FORCE)`);
  await database.drop();
});

async function onServer(sql: string): Promise<void> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

function run(line: string, env: Record<string, string> = { DATABASE_URL: url }) {
  return new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
    const args = [MAIN, ...line.split(' ').filter(Boolean)];
    execFile(process.execPath, args, { env: { PATH: process.env['PATH'], ...env } }, (error, out, err) => {
      resolve({ code: error ? error.code : 0, out, err });
    });
  });
}

test('a key is made on an empty database, listed, rotated and revoked', async () => {
  const made = await run('create --name kiosk --scopes use,read --pools seats --expires 90d');
  expect(made).toMatchObject({ code: 0, err: '' });
  const [key = ''] = made.out.split('\n');
  const { id } = readKey(key)!;

  const list = await run('list');
  expect(list.out).toMatch(new RegExp(`^ID .*\n${id} +kiosk +read,use +seats +\\d{4}-\\S+ +never +- +good\n$`));
  expect(list.out).not.toContain(readKey(key)?.secret);

  const rotated = await run(`rotate ${id} --old-for 60`);
  expect(readKey(rotated.out.split('\n')[0]!)).toMatchObject({ id });
  expect(rotated.out).toMatch(/two secrets until \d{4}-/);

  expect((await run(`revoke ${id}`)).out).toMatch(/^revoked: .*revoked \d{4}-/s);
  expect(await run(`rotate ${id}`)).toEqual({ code: 1, out: '', err: expect.stringContaining(`key ${id} is over`) });
});

test('a key that is revoked is good for nothing within 5 s, in every process, and its streams end', async () => {
  await build();
  const start = () => startService({ DATABASE_URL: url, AUTH: 'keys', SWEEP_INTERVAL_MS: '0' });
  const services = await Promise.all([start(), start()]);
  const { key, id } = JSON.parse((await run('create --name a --scopes read --json')).out) as {
    key: string;
    id: string;
  };
  const headers = { authorization: `Bearer ${key}` };
  const statuses = (): Promise<number[]> =>
    Promise.all(services.map(async (one) => (await fetch(`${one.url}/api/pools`, { headers })).status));
  expect(await statuses()).toEqual([200, 200]);
  const stream = await fetch(`${services[0].url}/api/pools/default/events/stream?after=latest`, { headers });
  const streamEnds = stream.text();

  const revoked = performance.now();
  expect((await run(`revoke ${id}`)).code).toBe(0);
  while (!(await statuses()).every((status) => status === 401)) {
    expect(performance.now() - revoked).toBeLessThan(5000);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await streamEnds;
  expect(performance.now() - revoked).toBeLessThan(5000);
  await killServices();
});

test('--json is what the API answers, one object a line', async () => {
  const made = JSON.parse((await run('create --name a --scopes all --json')).out) as { key: string; id: string };
  expect(made).toMatchObject({ name: 'a', pools: null, expires_at: null, scopes: expect.arrayContaining(['operate']) });
  const lines = (await run('list --json')).out.trim().split('\n');
  const { key: _, ...view } = made;
  expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual(view);
});

test('what goes wrong has its exit code, and one line that says what', async () => {
  const away = { DATABASE_URL: 'postgres://me:hidden@127.0.0.1:1/tokens' };
  expect(await run('revoke 000000000000')).toEqual({ code: 1, out: '', err: 'keys: there is no key 000000000000\n' });
  expect(await run('create --name a')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^keys: --scopes is missing/),
  });
  expect(await run('list', away)).toEqual({ code: 3, out: '', err: 'keys: connect ECONNREFUSED 127.0.0.1:1\n' });
  expect(await run('list', { NODE_ENV: 'production' })).toMatchObject({
    code: 3,
    err: expect.stringMatching(/DATABASE_URL/),
  });
  expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringMatching(/^keys: who may use the service/) });
});

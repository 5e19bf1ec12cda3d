// `npm run admin`: the program as it is built, on databases that nobody has prepared.

import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { SecretBox, secretsKeysOf } from '@app/tokens';
import { readKey } from '../../libs/keys/src/key-text.js';
import { openService } from '../../tools/harness/service.js';
import { Client } from 'pg';
import { build, killServices, startService } from '../support/process.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const ROOT = join(__dirname, '../..');
const MAIN = join(ROOT, 'dist/admin/main.js');

let database: TestDatabase;
let url: string;

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['tools/build.mjs', 'admin'], { cwd: ROOT });
  database = await createTestDatabase();
  await onServer(`CREATE DATABASE "keys-at-first"`);
  url = Object.assign(new URL(database.url), { pathname: '/keys-at-first' }).href;
});
afterAll(async () => {
  await onServer(`DROP DATABASE "keys-at-first" WITH (FORCE)`);
  await database.drop();
});

async function onServer(sql: string): Promise<void> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

const run = (line: string, env?: Record<string, string>) => admin(`keys ${line}`, env);

function admin(line: string, env: Record<string, string> = { DATABASE_URL: url }) {
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

test('secrets are encrypted with a new key while the service runs, and the old one is not needed any more', async () => {
  const own = await createTestDatabase();
  const { url } = own;
  const [old, young] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  const service = await openService(url, undefined, { secrets: new SecretBox(secretsKeysOf(`${young},${old}`)) });
  await service.service.createPool('phones', 'listed', { onExhausted: 'evict_oldest' });
  const before = await openService(url, undefined, { secrets: new SecretBox(secretsKeysOf(old)) });
  const things = Array.from({ length: 1001 }, (_, n) => ({ name: `n${n}`, secret: { pin: `pin ${n}` } }));
  for (const some of [things.slice(0, 1000), things.slice(1000)])
    await before.service.importThings('phones', some, false);
  await before.close();

  const env = { DATABASE_URL: url, SECRETS_KEY: `${young},${old}` };
  const rotated = await admin('secrets rotate', env);
  expect(rotated).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^1001 secrets.*; 1001 of them/) });
  expect((await admin('secrets rotate', env)).out).toMatch(/^1001 secrets.*; 0 of them/);
  const after = await openService(url, undefined, { secrets: new SecretBox(secretsKeysOf(young)) });
  for (const name of ['n0', 'n1000']) {
    const { secret } = await after.service.allocate('phones', { userId: randomUUID(), name });
    expect(secret).toEqual({ pin: `pin ${name.slice(1)}` });
  }
  await Promise.all([service.close(), after.close()]);

  const foreign = await admin('secrets rotate', { DATABASE_URL: url, SECRETS_KEY: old });
  expect(foreign).toMatchObject({ code: 1, err: expect.stringContaining('no key in SECRETS_KEY opens') });
  for (const SECRETS_KEY of ['short', `${old},`, old.slice(1)]) {
    const refused = await admin('secrets rotate', { DATABASE_URL: url, SECRETS_KEY });
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('SECRETS_KEY is (not shown)') });
  }
  await own.drop();
});

test('what goes wrong has its exit code, and one line that says what', async () => {
  const away = { DATABASE_URL: 'postgres://me:hidden@127.0.0.1:1/tokens' };
  expect(await run('revoke 000000000000')).toEqual({ code: 1, out: '', err: 'keys: there is no key 000000000000\n' });
  expect(await run('create --name a')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^keys: --scopes is missing/),
  });
  expect(await run('list', away)).toEqual({ code: 1, out: '', err: 'keys: connect ECONNREFUSED 127.0.0.1:1\n' });
  expect(await run('list', { NODE_ENV: 'production' })).toMatchObject({
    code: 1,
    err: expect.stringMatching(/DATABASE_URL/),
  });
  expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringMatching(/^keys: who may use the service/) });
});

describe('the job that migrates', () => {
  const migrateJob = (env: Record<string, string>): Promise<{ code: number; said: string }> =>
    new Promise((resolve) => {
      execFile(process.execPath, [MAIN, 'migrate'], { env }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, said: stdout + stderr }),
      );
    });

  test('goes to its own URL, makes the schema there, and finds nothing to do the second time', async () => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    const { username } = new URL(database.url);
    const env = { MIGRATION_DATABASE_URL: database.url, DATABASE_URL: `postgres://${username}@127.0.0.1:1/nowhere` };
    expect(await migrateJob(env)).toEqual({
      code: 0,
      said: expect.stringMatching(/migrations that ran: PoolsTokensEvents\d+, KeptAnswers\d+/),
    });
    expect(await migrateJob({ DATABASE_URL: database.url })).toEqual({
      code: 0,
      said: "the schema is this version's; migrations that ran: none; events are kept for ever\n",
    });
    const { rows } = await client.query(`SELECT to_regclass('token_events') IS NOT NULL AS made`);
    expect(rows).toEqual([{ made: true }]);
    await client.end();
  });

  test('fails with one line, and without the password, when the database is not there', async () => {
    const { code, said } = await migrateJob({ DATABASE_URL: 'postgres://owner:secret@127.0.0.1:1/nowhere' });
    expect(code).toBe(1);
    expect(said).toMatch(/^migrate: [^\n]*ECONNREFUSED[^\n]*\n$/);
    expect(said).not.toContain('secret');
  });

  test('fails without a URL', async () => {
    expect(await migrateJob({})).toEqual({ code: 2, said: expect.stringContaining('must name the database') });
  });
});

test('a line that is wrong is answered with one line and exit code 2, before anything is opened', async () => {
  for (const line of ['', 'toString', 'audit', 'audit --loud', 'export', 'migrate now', 'after-restore --margin 0']) {
    const { code, out, err } = await admin(line, {});
    expect([line, code, out]).toEqual([line, 2, '']);
    expect(err).toMatch(/^[a-z-]+: [^\n]+; --help says what there is\n$/);
  }
});

test('--help says what there is, of the program and of each command', async () => {
  for (const line of ['', 'keys', 'audit', 'export', 'migrate', 'after-restore'].map((name) => `${name} --help`)) {
    expect(await admin(line, {})).toMatchObject({ code: 0, err: '', out: expect.stringContaining('npm run -s admin') });
  }
});

test('the events of a pool become a file, which is verified by itself and against the database', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'token-pool-admin-'));
  expect(await admin('audit')).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^default: 100 events/) });
  expect(await admin(`export --to ${folder}`)).toMatchObject({ code: 0, err: '' });
  expect(readdirSync(folder)).toEqual(['default.jsonl.gz', 'elastic.jsonl.gz']);
  const file = join(folder, 'default.jsonl.gz');
  expect(await admin(`export --verify ${file}`)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/✔ whole, and in/),
  });
  writeFileSync(file, gzipSync(String(gunzipSync(readFileSync(file))).replace('generated', 'activated')));
  expect(await admin(`export --verify ${file}`)).toMatchObject({ code: 1, out: expect.stringMatching(/✘ 1 findings/) });
  rmSync(folder, { recursive: true });
});

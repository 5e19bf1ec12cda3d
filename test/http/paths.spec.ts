// One path in all the forms in which it is served: it counts, is limited, allowed and logged as the one that it is.

import { once } from 'node:events';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { Client } from 'pg';
import { jsonLogger } from '../../apps/api/src/logger.js';
import { startApp, startAppOn, type TestApp } from '../support/app.js';

const ALLOCATE = ['/api/tokens/allocate/', '/API/Tokens/Allocate', '/api/tokens/allocate#a', '/api\\tokens/allocate'];
/** As in admission.ts. */
const TAKING = 1000;

let app: TestApp;
const lines: { method: string; path: string; status: number }[] = [];

beforeAll(async () => {
  const stream = new Writable({
    write: (chunk, _, done) => {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  app = await startApp({ POOL_SIZE: '50', ELASTIC_POOL_SIZE: '50' }, jsonLogger('info', stream));
});
afterAll(() => app.close());

/** As it is: no library would send some of them. */
async function statusOf(target: string, { port }: TestApp = app, method = 'POST'): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${method} ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  await once(socket, 'close');
  return Number(answer.split(' ')[1]);
}

const absolute = (path: string): string => `http://localhost:${app.port}${path}`;
const metrics = async (): Promise<string> => (await fetch(`${app.url}/metrics`)).text();

test('every form of a path that is served has one line in the log and one label in the metrics', async () => {
  const forms = [...ALLOCATE, absolute('/Api/tokens/allocate/')];
  for (const form of forms) expect({ form, status: await statusOf(form) }).toEqual({ form, status: 200 });
  const paths = lines.filter(({ method }) => method === 'POST').map(({ path }) => path);
  expect(paths).toEqual(forms.map(() => '/api/tokens/allocate'));
  expect(await metrics()).toMatch(
    new RegExp(`requests_total\\{method="POST",route="/api/tokens/allocate",status="200"\\} ${forms.length}\\n`),
  );
  const pool = await fetch(`${app.url}/API/Pools/default/`);
  expect(await pool.json()).toMatchObject({ name: 'default' });
  expect(lines.at(-1)).toMatchObject({ path: '/api/pools/default', status: 200 });
});

test('what stands for a parameter is not spelled anew, and a path without a route stays as it is', async () => {
  expect((await fetch(`${app.url}/API/Pools/Default`)).status).toBe(400);
  expect(lines.at(-1)).toMatchObject({ path: '/api/pools/Default' });
  expect((await fetch(`${app.url}/API/Nothing/`)).status).toBe(404);
  expect(lines.at(-1)).toMatchObject({ path: '/API/Nothing/' });
  expect(await statusOf('/api/pools/%')).toBe(400);
});

test('the short routes say their message in every form', async () => {
  for (const path of ['/delete-token', '/Delete-Token', '/delete-token/']) {
    const answer = await fetch(`${app.url}${path}`, { method: 'POST' });
    const body = (await answer.json()) as { message?: string };
    expect({ path, message: body.message }).toEqual({ path, message: expect.stringMatching(/\w/) });
  }
});

test('what takes a token is turned away as such in every form, while a release is let in', async () => {
  const held = (await (await fetch(`${app.url}/api/tokens/allocate`, { method: 'POST' })).json()) as {
    token_id: string;
  };
  const holder = new Client({ connectionString: app.databaseUrl });
  await holder.connect();
  await holder.query('BEGIN');
  await holder.query(`SELECT FROM pools WHERE name = 'default' FOR UPDATE`);
  const forms = [...ALLOCATE, absolute('/api/tokens/allocate')];
  const turnedAway: number[] = [];
  let enough = (): void => undefined;
  const jammed = new Promise<void>((resolve) => (enough = resolve));
  const all = Array.from({ length: TAKING + forms.length }, async (_, i) => {
    const status = await statusOf(forms[i % forms.length] as string);
    if (status === 503 && turnedAway.push(i) === forms.length) enough();
  });
  await jammed;
  for (const form of [...forms, '/Assign-Token/']) expect(await statusOf(form)).toBe(503);
  const release = statusOf(`/api/tokens/${held.token_id}/release/`);
  await holder.query('COMMIT');
  await holder.end();
  expect(await release).not.toBe(503);
  await Promise.all(all);
  expect(await metrics()).toContain('turned_away_total{command="other"} 0\n');
});

test('with AUTH=keys what is for everybody is so in every form, and nothing else is', async () => {
  const guarded = await startAppOn(app.databaseUrl, { AUTH: 'keys' });
  const asked = async (path: string): Promise<number> => statusOf(path, guarded, 'GET');
  for (const path of ['/Health/Live/', '/OpenAPI.json', '/DOCS', '/docs/', 'http://localhost/health/live'])
    expect({ path, status: await asked(path) }).toEqual({ path, status: 200 });
  for (const path of ['/API/Pools/', '/Metrics', 'http://localhost/api/pools'])
    expect({ path, status: await asked(path) }).toEqual({ path, status: 401 });
  await guarded.close();
});

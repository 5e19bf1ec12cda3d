// The built service as the process that users run: started, asked over HTTP, and killed.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freePort } from '../../tools/harness/port.js';
import { mustBeDocumented, type Answer } from './documented.js';

const ROOT = join(__dirname, '../..');
/** Compiled by `build`. */
export const BUILT = join(ROOT, 'dist/api');
export const MAIN = join(BUILT, 'main.js');

export interface ServiceProcess {
  readonly url: string;
  readonly pid: number;
  /** All that it has printed so far. */
  output(): string;
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
  signal(signal: NodeJS.Signals): void;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Compiles the service, without its console: once a run, for all test files that ask. */
export async function build(): Promise<void> {
  const { TEST_CLUSTER_URL, TEST_RUN } = process.env;
  const mark = join(ROOT, `dist/api/built-by-${TEST_RUN}`);
  const turn = new Client({ connectionString: TEST_CLUSTER_URL });
  await turn.connect();
  try {
    await turn.query('SELECT pg_advisory_lock(hashtext($1))', [mark]);
    if (existsSync(mark)) return;
    await promisify(execFile)(process.execPath, ['tools/build.mjs', 'api'], { cwd: ROOT });
    writeFileSync(mark, '');
  } finally {
    await turn.end();
  }
}

/** Starts a process and does not wait; it is killed when the test run ends before it. */
export async function spawnService(env: Record<string, string>, cwd = ROOT): Promise<Omit<ServiceProcess, 'ask'>> {
  const port = env['PORT'] ?? String(await freePort());
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [MAIN], {
    cwd,
    env: { PATH, HOME, LOG_FORMAT: 'json', PORT: port, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += String(bytes)));
  running.add(child);
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return (code ?? signal) as number | NodeJS.Signals;
  });
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid as number,
    output: () => output,
    signal: (signal) => child.kill(signal),
    ended,
  };
}

/** Starts a process and waits until it is ready. @throws Error with what it printed when it ends instead */
export async function startService(env: Record<string, string>, cwd?: string): Promise<ServiceProcess> {
  const service = await spawnService(env, cwd);
  let hasEnded = false;
  void service.ended.then(() => (hasEnded = true));
  while (!(await isReady(service.url))) {
    if (hasEnded) throw new Error(`the service ended instead of getting ready: ${service.output()}`);
  }
  return { ...service, ask: (method, path, body) => ask(service.url, method, path, body) };
}

export async function ask(url: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(new URL(path, url), {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const answer = { status: response.status, headers: response.headers, body: await response.json() };
  mustBeDocumented(method, path, answer);
  return answer;
}

/** After every test file: nothing may be left running. */
export async function killServices(): Promise<void> {
  await Promise.all(
    [...running].map((child) => {
      child.kill('SIGKILL');
      return once(child, 'close');
    }),
  );
}

const running = new Set<ChildProcess>();

async function isReady(url: string): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  const response = await fetch(new URL('/health/ready', url)).catch(() => null);
  await response?.arrayBuffer();
  return response?.status === 200;
}

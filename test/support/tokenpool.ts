// Runs the program `tokenpool` as a process.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '../..');
const MAIN = join(ROOT, 'apps/cli/dist/main.js');

/** Compiles the program. */
export async function buildCli(): Promise<void> {
  await promisify(execFile)(process.execPath, ['tools/build.mjs', 'cli', '--to', 'apps/cli/dist'], { cwd: ROOT });
}

const running = new Set<ChildProcess>();

export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL');
}

export interface Program {
  readonly child: ChildProcess;
  out(): string;
  err(): string;
  /** Resolves when the program has printed text that matches. */
  printed(what: RegExp): Promise<void>;
  /** Resolves when the program and all processes that it has started have ended. */
  readonly over: Promise<{ code: number | NodeJS.Signals; out: string; err: string }>;
}

/**
 * @param url of the service
 * @param input for the program; left out, it gets none
 */
export function startTokenpool(
  url: string,
  args: readonly string[],
  env: Record<string, string> = {},
  input?: string,
): Program {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env['PATH'], TOKEN_POOL_URL: url, ...env },
    stdio: 'pipe',
  });
  // A program that wants no input may end before it.
  child.stdin.on('error', () => undefined).end(input);
  running.add(child);
  let [out, err] = ['', ''];
  child.stdout.on('data', (bytes) => (out += String(bytes)));
  child.stderr.on('data', (bytes) => (err += String(bytes)));
  return {
    child,
    out: () => out,
    err: () => err,
    printed: async (what) => {
      while (!what.test(out + err)) await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')]);
    },
    over: once(child, 'close').then(([code, signal]) => {
      running.delete(child);
      return { code: (code ?? signal) as number | NodeJS.Signals, out, err };
    }),
  };
}

// Starts a server in a process of its own, as in production, from this same program (serve.ts); asks it for its memory
// and processor time, and stops it.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Profiler } from 'node:inspector';
import type { Resources } from './resources.js';
import { freePort, isListening } from '../harness/port.js';
import type { Answers, Question, ServerKind } from './serve.js';

const START_MS = 30_000;

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  vitals(): Promise<Answers['vitals']>;
  /** Profiles the server during `work`. */
  profile(work: () => Promise<unknown>): Promise<Profiler.Profile>;
  stop(): Promise<void>;
}

/** Starts a server whose log goes to a file, as in production. */
export async function startServer(
  kind: ServerKind,
  env: Record<string, string>,
  logFile: string,
  resources: Resources,
): Promise<ServerProcess> {
  const port = await freePort();
  const log = openSync(logFile, 'a');
  const child = fork(process.argv[1] as string, ['serve', kind], {
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', LOG_FORMAT: 'json', PORT: String(port), ...env },
    stdio: ['ignore', log, 'inherit', 'ipc'],
    execArgv: [],
  });
  const stop = () => stopped(child);
  resources.add(stop);
  await untilListening(port, child);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid as number,
    vitals: () => ask(child, 'vitals'),
    profile: async (work) => {
      await ask(child, 'start profile');
      await work();
      return ask(child, 'stop profile');
    },
    stop,
  };
}

async function ask<Q extends Question>(child: ChildProcess, question: Q): Promise<Answers[Q]> {
  const answered = once(child, 'message') as Promise<[Answers[Q]]>;
  child.send(question);
  const [answer] = await answered;
  return answer;
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

export async function untilListening(port: number, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + START_MS; !(await isListening(port)); await sleep(50)) {
    if (child.exitCode !== null)
      throw new Error(`the server ended with exit code ${child.exitCode} instead of serving`);
    if (Date.now() > deadline) throw new Error(`the server does not listen after ${START_MS} ms`);
  }
}

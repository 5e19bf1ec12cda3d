// Runs a program in the background, as a user other than root.

import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isListening } from '../../harness/port.js';

const READY_MS = 20_000;

interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** PostgreSQL and PgBouncer refuse to run as root. Root uses the user `postgres`, which their packages create. */
export const ACCOUNT: Account = process.getuid?.() === 0 ? accountOf('postgres') : {};

function accountOf(user: string): Account {
  const number = (option: string): number => Number(execFileSync('id', [option, user], { encoding: 'utf8' }));
  return { uid: number('-u'), gid: number('-g') };
}

/** Runs a program to its end. @throws Error with its output */
export async function finish(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
  try {
    await promisify(execFile)(program, args, { ...ACCOUNT, cwd: '/', env: { ...ENVIRONMENT, ...env } });
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(`${program}: ${stderr.trim() || message}`, { cause: error });
  }
}

const ENVIRONMENT = { PATH: process.env['PATH'], LC_ALL: 'C' };

export interface DaemonOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The port on 127.0.0.1 on which it listens. */
  readonly port: number;
  readonly log: string;
}

export class Daemon {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(private readonly options: DaemonOptions) {
    const log = openSync(options.log, 'a');
    const { program, args, env } = options;
    const stdio = ['ignore', log, log] as const;
    this.#child = spawn(program, args, { ...ACCOUNT, cwd: '/', env: { ...ENVIRONMENT, ...env }, stdio: [...stdio] });
    closeSync(log);
    this.#ended = once(this.#child, 'exit');
  }

  /** Resolves when it listens. @throws Error when it ends instead, or takes too long */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    for (const deadline = Date.now() + READY_MS; !(await isListening(options.port)); await sleep(20)) {
      if (daemon.isRunning && Date.now() < deadline) continue;
      await daemon.kill();
      throw new Error(`${options.program} does not listen: see ${options.log}`);
    }
    return daemon;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  ended(): Promise<unknown> {
    return this.#ended;
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#ended;
  }
}

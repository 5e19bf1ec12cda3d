// Starts, signals and restarts one process of the API on the same port.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './port.js';

const START_MS = 30_000;

export class ApiProcess {
  #child: ChildProcess | null = null;
  #ended: Promise<number | NodeJS.Signals> = Promise.resolve(0);

  private constructor(
    readonly number: number,
    readonly port: number,
    private readonly main: string,
    private readonly env: Readonly<Record<string, string>>,
    private readonly log: string,
  ) {}

  /** Chooses the port; `start` starts the process. */
  static async prepare(
    number: number,
    main: string,
    env: Readonly<Record<string, string>>,
    log: string,
  ): Promise<ApiProcess> {
    return new ApiProcess(number, await freePort(), main, env, log);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it is ready. @throws Error when it ends instead, or takes too long */
  async start(): Promise<void> {
    const log = openSync(this.log, 'a');
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(process.execPath, [this.main], {
      env: { PATH, HOME, LOG_FORMAT: 'json', LOG_LEVEL: 'warn', PORT: String(this.port), ...this.env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#child = child;
    let hasEnded = false;
    this.#ended = once(child, 'exit').then(([code, signal]) => {
      hasEnded = true;
      return (code ?? signal) as number | NodeJS.Signals;
    });
    for (const deadline = Date.now() + START_MS; !(await this.#isReady()); await sleep(30)) {
      if (hasEnded) throw new Error(`process ${this.number} ended instead of getting ready: see ${this.log}`);
      if (Date.now() > deadline) throw new Error(`process ${this.number} is not ready after 30 s: see ${this.log}`);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves at the end of the process with its exit code or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#ended;
  }

  #isReady(): Promise<boolean> {
    return new Promise((resolve) => {
      const options = { port: this.port, host: '127.0.0.1', path: '/health/ready', agent: false, timeout: 2000 };
      const asked = get(options, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      });
      asked.on('timeout', () => asked.destroy());
      asked.on('error', () => resolve(false));
    });
  }
}

// A command that is running: signals go on to it, and it can be stopped with all that it has started.

import { spawn, type ChildProcess } from 'node:child_process';
import { EXIT, exitCodeOf } from './exit-code.js';

export class Supervised {
  readonly #child: ChildProcess;
  /**
   * A process group of its own can be stopped as a whole. At a terminal it stays in that of the terminal, where it can
   * ask questions, and gets what is typed (Ctrl-C) from there.
   */
  readonly #hasOwnGroup = !process.stdin.isTTY && process.platform !== 'win32';

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(file, args, { stdio: 'inherit', env, detached: this.#hasOwnGroup });
  }

  pass(signal: NodeJS.Signals): void {
    const isTyped = signal === 'SIGINT' || signal === 'SIGHUP';
    if (this.#hasOwnGroup || !isTyped) this.#send(signal);
  }

  /** Resolves with the exit code. When `stop` aborts, it is ended: at first in good manner, after `graceMs` in any case. */
  end(stop: AbortSignal, graceMs: number): Promise<number> {
    return new Promise((resolve) => {
      let patience: NodeJS.Timeout | undefined;
      const ask = (): void => {
        this.#send('SIGTERM');
        patience = setTimeout(() => this.#send('SIGKILL'), graceMs);
      };
      const isOver = (code: number): void => {
        clearTimeout(patience);
        stop.removeEventListener('abort', ask);
        // What it has left behind must not go on without the lease.
        if (stop.aborted) this.#send('SIGKILL');
        resolve(code);
      };
      this.#child.once('error', ({ message, code }: NodeJS.ErrnoException) => {
        console.error(`tokenpool: the command was not started: ${message}`);
        isOver(code === 'ENOENT' ? EXIT.notFound : EXIT.notStarted);
      });
      this.#child.once('exit', (code, signal) => isOver(code ?? exitCodeOf(signal as NodeJS.Signals)));
      stop.addEventListener('abort', ask);
      if (stop.aborted) ask();
    });
  }

  #send(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      if (this.#hasOwnGroup) process.kill(-pid, signal);
      else this.#child.kill(signal);
    } catch {
      // Nobody of it is left.
    }
  }
}

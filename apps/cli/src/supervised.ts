// A command that is running: signals go on to it, and it can be stopped with all that it has started.
// What ends this program, or stops it, does the same to the command: it never goes on alone with a lease that nobody keeps.

import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { EXIT, exitCodeOf } from './exit-code.js';

const known = (names: readonly NodeJS.Signals[]): NodeJS.Signals[] => names.filter((name) => name in constants.signals);

/**
 * Signals that would end this program. Those of a fault in it (SIGSEGV and the like) cannot be handled, SIGKILL cannot be
 * caught, and Node ignores SIGPIPE.
 */
export const ENDING_SIGNALS = known(
  process.platform === 'win32'
    ? ['SIGINT', 'SIGTERM', 'SIGHUP']
    : [
        ...([
          'SIGINT',
          'SIGTERM',
          'SIGHUP',
          'SIGQUIT',
          'SIGUSR1',
          'SIGUSR2',
          'SIGALRM',
          'SIGVTALRM',
          'SIGPROF',
        ] as const),
        ...(['SIGIO', 'SIGPWR', 'SIGSTKFLT', 'SIGXCPU', 'SIGXFSZ', 'SIGABRT', 'SIGTRAP', 'SIGSYS'] as const),
      ],
);

/** Signals that would stop this program until SIGCONT. */
export const STOPPING_SIGNALS = known(process.platform === 'win32' ? [] : ['SIGTSTP', 'SIGTTIN', 'SIGTTOU']);

/** What a terminal sends to its whole group by itself. */
const TYPED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGHUP', 'SIGQUIT'];

export class Supervised {
  readonly #child: ChildProcess;
  /**
   * A process group of its own can be stopped as a whole. At a terminal it stays in that of the terminal, where it can
   * ask questions, and gets what is typed (Ctrl-C) from there.
   */
  readonly #hasOwnGroup = !process.stdin.isTTY && process.platform !== 'win32';

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(file, args, { stdio: 'inherit', env, detached: this.#hasOwnGroup });
    process.once('exit', this.#kill);
  }

  pass(signal: NodeJS.Signals): void {
    if (this.#hasOwnGroup || !TYPED.includes(signal)) this.#send(signal);
  }

  /** Not by the signal that came: a group without a terminal ignores all but this one. */
  suspend(): void {
    this.#send('SIGSTOP');
  }

  resume(): void {
    this.#send('SIGCONT');
  }

  /** Resolves with the exit code. When `stop` aborts, it is ended: at first in good manner, after `graceMs` in any case. */
  end(stop: AbortSignal, graceMs: number): Promise<number> {
    return new Promise((resolve) => {
      let patience: NodeJS.Timeout | undefined;
      const ask = (): void => {
        this.#send('SIGTERM');
        // A command that is stopped hears of it only when it goes on.
        this.#send('SIGCONT');
        patience = setTimeout(() => this.#send('SIGKILL'), graceMs);
      };
      const isOver = (code: number): void => {
        clearTimeout(patience);
        process.off('exit', this.#kill);
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

  readonly #kill = (): void => this.#send('SIGKILL');

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

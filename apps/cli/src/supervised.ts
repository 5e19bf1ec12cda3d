// Runs a command: passes signals on to it, and ends it with all processes that it has started. A signal that ends or
// stops this program does the same to the command, so that the command never runs without a process that renews its
// lease.

import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { EXIT, exitCodeOf } from './exit-code.js';

const known = (names: readonly NodeJS.Signals[]): NodeJS.Signals[] => names.filter((name) => name in constants.signals);

/**
 * Signals that would end this program. A program cannot handle the signals of its own faults (SIGSEGV and the like),
 * nor catch SIGKILL, and Node ignores SIGPIPE.
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

/** Signals that a terminal sends to its whole process group by itself. */
const TYPED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGHUP', 'SIGQUIT'];

export class Supervised {
  readonly #child: ChildProcess;
  /**
   * With a process group of its own, signals reach all processes of the command. At a terminal the command stays in the
   * terminal's group, where it can ask questions and gets the signals of the keyboard (Ctrl-C).
   */
  readonly #hasOwnGroup = !process.stdin.isTTY && process.platform !== 'win32';

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(file, args, { stdio: 'inherit', env, detached: this.#hasOwnGroup });
    process.once('exit', this.#kill);
  }

  pass(signal: NodeJS.Signals): void {
    if (this.#hasOwnGroup || !TYPED.includes(signal)) this.#send(signal);
  }

  /** Stops the command with SIGSTOP, because a group without a terminal ignores the other stopping signals. */
  suspend(): void {
    this.#send('SIGSTOP');
  }

  resume(): void {
    this.#send('SIGCONT');
  }

  /** Resolves with the exit code. When `stop` aborts, the command gets SIGTERM, and SIGKILL after `graceMs`. */
  end(stop: AbortSignal, graceMs: number): Promise<number> {
    return new Promise((resolve) => {
      let patience: NodeJS.Timeout | undefined;
      const ask = (): void => {
        this.#send('SIGTERM');
        // A stopped command handles SIGTERM only after it resumes.
        this.#send('SIGCONT');
        patience = setTimeout(() => this.#send('SIGKILL'), graceMs);
      };
      const isOver = (code: number): void => {
        clearTimeout(patience);
        process.off('exit', this.#kill);
        stop.removeEventListener('abort', ask);
        // Processes that the command has left behind must not run on without the lease.
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
      // No process of the command is left.
    }
  }
}

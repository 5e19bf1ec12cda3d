// Lets a signal that would end the program end what it waits for first, so that nothing is left behind.

import { exitCodeOf } from './exit-code.js';
import { ENDING_SIGNALS } from './supervised.js';

class Interruption extends Error {
  constructor(readonly by: NodeJS.Signals) {
    super(by);
  }
}

/**
 * Runs work whose signal aborts when one arrives that would end the program.
 * @param onSignal takes the signal in place of that, and returns whether it has
 * @returns what the work returns, or the exit code of the signal
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  onSignal: (signal: NodeJS.Signals) => boolean = () => false,
): Promise<T | number> {
  const interruption = new AbortController();
  const listener = (signal: NodeJS.Signals): void => {
    if (!onSignal(signal)) interruption.abort(new Interruption(signal));
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, listener);
  try {
    return await work(interruption.signal);
  } catch (error) {
    if (error instanceof Interruption) return exitCodeOf(error.by);
    throw error;
  } finally {
    for (const signal of ENDING_SIGNALS) process.off(signal, listener);
  }
}

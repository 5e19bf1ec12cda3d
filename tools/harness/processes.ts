// Processes of the operating system, by their ids.

import { readFileSync } from 'node:fs';

/** @returns the ids of the children that the main thread started; none without /proc */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Signals the children first and without a pause, so that none of them reacts to the end of another. */
export function signalWithChildren(pid: number, signal: NodeJS.Signals): void {
  for (const one of [...childrenOf(pid), pid]) signalIfThere(one, signal);
}

/** A process that has already ended is no error. */
export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// What the result of a run depends on, beside what is run.

import { loadavg } from 'node:os';
import { commit, machine } from './surroundings.js';

export interface About {
  readonly begun: string;
  readonly machine: string;
  readonly commit: string;
  readonly node: string;
  /** How many processes wanted to run before it began. */
  readonly loadBefore: number;
}

/** To be asked before anything is run. */
export const about = (): About => ({
  begun: new Date().toISOString(),
  machine: machine(),
  commit: commit(),
  node: process.version,
  loadBefore: loadavg()[0] as number,
});

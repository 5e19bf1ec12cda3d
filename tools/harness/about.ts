// The circumstances on which the result of a run depends.

import { loadavg } from 'node:os';
import { commit, machine } from './surroundings.js';

export interface About {
  readonly begun: string;
  readonly machine: string;
  readonly commit: string;
  readonly node: string;
  /** The load average of the machine before the run. */
  readonly loadBefore: number;
}

/** The caller asks before the run, which would raise the load. */
export const about = (): About => ({
  begun: new Date().toISOString(),
  machine: machine(),
  commit: commit(),
  node: process.version,
  loadBefore: loadavg()[0] as number,
});

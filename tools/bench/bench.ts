// What every section gets.

import type { Resources } from './resources.js';
import type { Cluster } from './cluster.js';

export interface Bench {
  readonly isShort: boolean;
  readonly rounds: number;
  readonly cluster: Cluster;
  readonly resources: Resources;
  /** Prints a line about the progress. */
  readonly say: (what: string) => void;
  /** @returns the path for a server's log */
  readonly logFile: (name: string) => string;
}

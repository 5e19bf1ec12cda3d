// What every section is given.

import type { Belongings } from './resources.js';
import type { Cluster } from './cluster.js';

export interface Bench {
  readonly isShort: boolean;
  readonly rounds: number;
  readonly cluster: Cluster;
  readonly belongings: Belongings;
  /** A line about how far it is. */
  readonly say: (what: string) => void;
  /** A file for what a server logs. */
  readonly logFile: (name: string) => string;
}

// What a nemesis can lay its hands on.

import type { ApiProcess } from '../../harness/api-process.js';
import type { DatabaseServer } from '../../harness/database-server.js';
import type { PoolSetting } from '../history.js';
import type { Proxy } from '../../harness/proxy.js';
import type { Random } from '../../harness/random.js';

/** An API process, and its own way to the database. */
export interface Replica {
  readonly number: number;
  readonly api: ApiProcess;
  readonly proxy: Proxy;
  /** Seconds by which its clock is wrong; undefined where clocks cannot be moved. */
  readonly moveClock: ((seconds: number) => void) | undefined;
}

export interface World {
  readonly random: Random;
  readonly replicas: readonly Replica[];
  readonly database: DatabaseServer;
  readonly pools: readonly PoolSetting[];
  /** Sends a process several commands for each pool at once, as recorded as all others; does not wait for answers. */
  readonly rush: (process: number) => void;
}

/** What was done; the fault is over by now. */
export interface Strike {
  readonly detail: string;
  /** Numbers of the processes it was done to, or whose way to the database was bad. */
  readonly hit: readonly number[];
  /** Those that have to serve again by themselves. */
  readonly survivors: readonly number[];
  readonly complaints?: readonly string[];
  /** Starts again what was ended, after the survivors have shown that they serve. */
  readonly repair?: () => Promise<void>;
}

export interface Nemesis {
  readonly name: string;
  /** What it lays its hands on: two of one family would undo each other. */
  readonly family: 'process' | 'database' | 'network' | 'clock';
  /** True: what it proves holds only while nothing else is broken. */
  readonly isAlone?: boolean;
  /** Why it cannot be had here; null when it can. */
  readonly obstacle?: () => string | null;
  readonly strike: (world: World) => Promise<Strike>;
}

export const numbersOf = (replicas: readonly Replica[]): number[] => replicas.map(({ number }) => number);

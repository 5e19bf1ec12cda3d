// What a nemesis can break.

import type { ApiProcess } from '../../harness/api-process.js';
import type { DatabaseServer } from '../../harness/database-server.js';
import type { PoolSetting } from '../history.js';
import type { Proxy } from '../../harness/proxy.js';
import type { Random } from '../../harness/random.js';

/** An API process with its own proxy to the database. */
export interface Replica {
  readonly number: number;
  readonly api: ApiProcess;
  readonly proxy: Proxy;
  /** Sets its clock wrong by so many seconds; undefined where clocks cannot move. */
  readonly moveClock: ((seconds: number) => void) | undefined;
}

export interface World {
  readonly random: Random;
  readonly replicas: readonly Replica[];
  readonly database: DatabaseServer;
  readonly pools: readonly PoolSetting[];
  /** Sends a process several recorded commands for each pool at once; does not wait for answers. */
  readonly rush: (process: number) => void;
}

/** The record of a fault that is over. */
export interface Strike {
  readonly detail: string;
  /** Numbers of the processes that were hit, or whose connections to the database were. */
  readonly hit: readonly number[];
  /** Numbers of the processes that must serve again by themselves. */
  readonly survivors: readonly number[];
  readonly complaints?: readonly string[];
  /** Restarts what was ended, after the survivors have shown that they serve. */
  readonly repair?: () => Promise<void>;
}

export interface Nemesis {
  readonly name: string;
  /** What it breaks: two nemeses of one family would undo each other. */
  readonly family: 'process' | 'database' | 'network' | 'clock';
  /** Whether its proof holds only while nothing else is broken. */
  readonly isAlone?: boolean;
  /** @returns why it cannot run here; null when it can */
  readonly obstacle?: () => string | null;
  readonly strike: (world: World) => Promise<Strike>;
}

export const numbersOf = (replicas: readonly Replica[]): number[] => replicas.map(({ number }) => number);

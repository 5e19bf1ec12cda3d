// Measures after a fault how long each surviving process takes to serve each pool again.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault, HistoryWriter, PoolSetting } from './history.js';
import type { Recorder } from './load/recorder.js';

/** Longer than the limit, so that the result shows how long it really takes. */
const GIVE_UP_NS = 20e9;

interface Serving {
  readonly replicas: readonly {
    readonly number: number;
    readonly api: { readonly port: number; readonly isRunning: boolean };
  }[];
  readonly pools: readonly PoolSetting[];
}

let asked = 0;

/** @returns the longest time, in nanoseconds */
export async function recover(
  world: Serving,
  fault: Fault,
  history: HistoryWriter,
  recorder: Recorder,
): Promise<number> {
  const survivors = world.replicas.filter(({ number }) => fault.survivors.includes(number));
  const times = survivors.flatMap(({ number, api }) =>
    world.pools.map(async ({ name: pool }) => {
      let isBack = false;
      while (!isBack && api.isRunning && history.now() - fault.healed < GIVE_UP_NS) {
        const call = { do: 'allocate', user: randomUUID() } as const;
        const { status } = await recorder.perform({ number, port: api.port }, `probe-${++asked}`, pool, call);
        isBack = status !== null && status < 500;
        if (!isBack) await sleep(50);
      }
      const ns = history.now() - fault.healed;
      history.write({ kind: 'recovery', after: fault.name, process: number, pool, ns, isBack });
      return ns;
    }),
  );
  return Math.max(0, ...(await Promise.all(times)));
}

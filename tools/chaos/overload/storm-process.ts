// Runs the storm in a process of its own, which takes orders over IPC, so that its cost is apart from the service's. It
// has less priority than all other processes of the run.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Storm } from './storm.js';
import type { Figures } from './tally.js';

type Order =
  | { readonly do: 'connect'; readonly upTo: number }
  | { readonly do: 'closed loop'; readonly seconds: number }
  | { readonly do: 'open loop'; readonly seconds: number; readonly perSecond: number }
  | { readonly do: 'close' };

export interface Done {
  readonly connections: number;
  /** The number of requests; absent for orders that send none. */
  readonly sent?: number;
  readonly figures?: Figures;
}

export interface StormProcess {
  readonly pid: number;
  readonly obey: (order: Order) => Promise<Done>;
  readonly end: () => void;
}

export function startStorm(port: number, pool: string): StormProcess {
  const child = fork(fileURLToPath(import.meta.url), ['storm', String(port), pool]);
  const end = once(child, 'exit').then(() => null);
  return {
    pid: child.pid ?? 0,
    obey: async (order) => {
      child.send(order);
      const told = (await Promise.race([once(child, 'message'), end])) as [Done] | null;
      if (told === null) throw new Error('the process of the storm has ended');
      return told[0];
    },
    end: () => void child.kill('SIGKILL'),
  };
}

async function obey(storm: Storm, order: Order): Promise<Done> {
  switch (order.do) {
    case 'connect':
      return { connections: await storm.connect(order.upTo) };
    case 'closed loop': {
      const tally = await storm.closedLoop(order.seconds);
      return { connections: storm.connections, sent: tally.all, figures: tally.figures(order.seconds) };
    }
    case 'open loop': {
      const { tally, sent } = await storm.openLoop(order.seconds, order.perSecond);
      return { connections: storm.connections, sent, figures: tally.figures(order.seconds) };
    }
    case 'close':
      storm.close();
      return { connections: 0 };
  }
}

if (process.argv[2] === 'storm' && process.send) {
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const storm = new Storm(Number(process.argv[3]), process.argv[4] ?? '');
  process.on('message', (order: Order) => void obey(storm, order).then((done) => process.send?.(done)));
  process.on('disconnect', () => process.exit());
}

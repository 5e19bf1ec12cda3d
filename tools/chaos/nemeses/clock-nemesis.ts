// Sets the clock of API processes ten minutes fast or slow while they run.

import { setTimeout as sleep } from 'node:timers/promises';
import { availableClock } from './movable-clock.js';
import { numbersOf, type Nemesis } from './world.js';

const TEN_MINUTES = 600;

export const clockNemesis: Nemesis = {
  name: 'clock',
  family: 'clock',
  obstacle: () => (availableClock() === null ? 'neither libfaketime nor an injected clock works here' : null),
  strike: async ({ random, replicas }) => {
    const victim = random.pick(replicas);
    const shifts = replicas.map((replica) => ({
      replica,
      seconds: random.pick([TEN_MINUTES, -TEN_MINUTES, ...(replica === victim ? [] : [0])]),
    }));
    for (const { replica, seconds } of shifts) replica.moveClock?.(seconds);
    await sleep(random.between(2000, 3500));
    for (const { replica } of shifts) replica.moveClock?.(0);
    const hit = shifts.filter(({ seconds }) => seconds !== 0).map(({ replica }) => replica);
    return {
      detail: shifts.map(({ seconds }) => `${seconds < 0 ? '' : '+'}${seconds / 60} min`).join(', '),
      hit: numbersOf(hit),
      survivors: numbersOf(replicas),
    };
  },
};

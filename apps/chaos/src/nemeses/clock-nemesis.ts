// The API's clock ten minutes fast or slow, jumping while it runs, by libfaketime (Debian: faketime).

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { numbersOf, type Nemesis } from './world.js';

const TEN_MINUTES = 600;
const HOMES = ['/usr/lib', '/usr/local/lib', '/usr/lib64'];

/** Looked for where packages put it. */
function findLibrary(): string | null {
  const folders = HOMES.filter(existsSync).flatMap((home) => [
    join(home, 'faketime'),
    ...readdirSync(home).map((name) => join(home, name, 'faketime')),
  ]);
  return folders.map((folder) => join(folder, 'libfaketime.so.1')).find(existsSync) ?? null;
}

export interface MovableClock {
  /** For the process whose clock it is to be. */
  readonly env: Readonly<Record<string, string>>;
  readonly move: (seconds: number) => void;
}

/** @param file where the library reads by how much to be wrong, once a second */
export function movableClock(file: string): MovableClock | undefined {
  const library = findLibrary();
  if (library === null) return undefined;
  const move = (seconds: number): void => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  move(0);
  return {
    move,
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      // Timers go on: it is the calendar that is wrong.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
  };
}

export const clockNemesis: Nemesis = {
  name: 'clock',
  family: 'clock',
  obstacle: () => (findLibrary() === null ? 'libfaketime is not installed' : null),
  strike: async ({ random, replicas }) => {
    const shifts = replicas.map((replica) => ({ replica, seconds: random.pick([TEN_MINUTES, -TEN_MINUTES, 0]) }));
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

// A clock that can be set wrong for one process while it runs: by libfaketime (Debian: faketime) where that works, else
// by a replacement of Date that the process loads before its first module.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface MovableClock {
  /** The environment of the process that gets this clock. */
  readonly env: Readonly<Record<string, string>>;
  /** Takes effect within a second. */
  readonly move: (seconds: number) => void;
}

export type ClockKind = 'libfaketime' | 'injected Date';

const HOMES = ['/usr/lib', '/usr/local/lib', '/usr/lib64'];

/** @param file holds the seconds by which the clock is wrong */
const MAKE: Record<ClockKind, (file: string) => MovableClock | undefined> = {
  libfaketime: (file) => {
    const library = findLibrary();
    return library === undefined
      ? undefined
      : {
          move: (seconds) => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`),
          env: {
            LD_PRELOAD: library,
            FAKETIME_TIMESTAMP_FILE: file,
            FAKETIME_CACHE_DURATION: '1',
            // Timers stay right; only the wall clock is wrong. The variable's name depends on the version.
            FAKETIME_DONT_FAKE_MONOTONIC: '1',
            DONT_FAKE_MONOTONIC: '1',
          },
        };
  },
  'injected Date': (file) => {
    const module = `${file}.mjs`;
    writeFileSync(module, MOVED_DATE);
    return {
      move: (seconds) => writeFileSync(file, String(seconds)),
      env: { NODE_OPTIONS: `--import=${pathToFileURL(module).href}`, MOVED_BY_FILE: file },
    };
  },
};

const MOVED_DATE = `
import { readFileSync } from 'node:fs';
let shift = 0;
const read = () => void (shift = Number(readFileSync(process.env.MOVED_BY_FILE, 'utf8')) * 1000);
read();
setInterval(read, 500).unref();
const { now } = Date;
Date.now = () => now() + shift;
globalThis.Date = new Proxy(Date, {
  construct: (real, given, self) => Reflect.construct(real, given.length > 0 ? given : [Date.now()], self),
  apply: () => String(new Date()),
});
`;

/** @throws Error when this kind does not work here; `availableClock` tells */
export function movableClock(kind: ClockKind, file: string): MovableClock {
  const clock = MAKE[kind](file);
  if (!clock) throw new Error(`${kind} is not installed`);
  clock.move(0);
  return clock;
}

/** Whether a clock of this kind works here: a process with it must see another time. */
export function works(kind: ClockKind): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'token-pool-clock-'));
  try {
    const clock = MAKE[kind](join(folder, 'clock'));
    if (!clock) return false;
    return [-600, 600].every((seconds) => {
      clock.move(seconds);
      const before = Date.now();
      const options = { env: { ...process.env, ...clock.env }, encoding: 'utf8' as const };
      const { stdout } = spawnSync(process.execPath, ['-p', 'Date.now()'], options);
      const isOff = Number(stdout) - before - seconds * 1000;
      return isOff >= -1000 && isOff < 60_000;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let found: ClockKind | null | undefined;

/** @returns the best kind that works here; null when none does */
export const availableClock = (): ClockKind | null =>
  (found ??= (Object.keys(MAKE) as ClockKind[]).find(works) ?? null);

/** Looks where Linux packages install it. */
function findLibrary(): string | undefined {
  const folders = HOMES.filter((home) => existsSync(home)).flatMap((home) => [
    join(home, 'faketime'),
    ...readdirSync(home).map((name) => join(home, name, 'faketime')),
  ]);
  return folders.map((folder) => join(folder, 'libfaketime.so.1')).find((file) => existsSync(file));
}

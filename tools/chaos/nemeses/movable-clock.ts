// A clock that can be put wrong for one process while it runs: by libfaketime (Debian: faketime) where it works, else
// by a Date of its own that is loaded before the process's first module.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface MovableClock {
  /** For the process whose clock it is to be. */
  readonly env: Readonly<Record<string, string>>;
  /** By so many seconds, after a second at most. */
  readonly move: (seconds: number) => void;
}

export type ClockKind = 'libfaketime' | 'injected Date';

const HOMES = ['/usr/lib', '/usr/local/lib', '/usr/lib64'];

/** @param file that tells the process by how much to be wrong */
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
            // Timers go on: it is the calendar that is wrong. The name of this depends on the version.
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

/** @throws Error when the kind cannot be had here: ask `availableClock` before */
export function movableClock(kind: ClockKind, file: string): MovableClock {
  const clock = MAKE[kind](file);
  if (!clock) throw new Error(`${kind} is not installed`);
  clock.move(0);
  return clock;
}

/** Whether a clock of this kind can be had here, and really moves. */
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

/** The best that works here; null: none does. */
export const availableClock = (): ClockKind | null =>
  (found ??= (Object.keys(MAKE) as ClockKind[]).find(works) ?? null);

/** Looked for where packages put it. */
function findLibrary(): string | undefined {
  const folders = HOMES.filter((home) => existsSync(home)).flatMap((home) => [
    join(home, 'faketime'),
    ...readdirSync(home).map((name) => join(home, name, 'faketime')),
  ]);
  return folders.map((folder) => join(folder, 'libfaketime.so.1')).find((file) => existsSync(file));
}

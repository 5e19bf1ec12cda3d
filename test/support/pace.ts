// The pace of this machine at the moment, for tests in which programs race against the clock of a lease.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** How long an idle machine takes to start Node and end it again, in milliseconds. */
const IDLE_START_MS = 60;

/** A time of an idle machine as the time that this machine needs now: never less, in the same unit, rounded up. */
export async function paced(time: number): Promise<number> {
  const begun = performance.now();
  await promisify(execFile)(process.execPath, ['-e', '']);
  return Math.ceil(time * Math.max(1, (performance.now() - begun) / IDLE_START_MS));
}

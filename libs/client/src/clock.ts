// Time that goes on while the machine is suspended.

/** What the wall clock may run ahead in between two looks without that counting, in milliseconds. */
const SLACK_MS = 100;

let skippedMs = 0;
let last = { monotonic: performance.now(), wall: Date.now() };

/**
 * Milliseconds since some moment; never goes back. The monotonic clock stands still on a suspended machine, the wall
 * clock may be set: of the time since the last look, what is longer by either counts. A wall clock that is set ahead makes
 * leases end too early here, which is the safe side.
 */
export function now(): number {
  const [monotonic, wall] = [performance.now(), Date.now()];
  const aheadMs = wall - last.wall - (monotonic - last.monotonic);
  if (aheadMs > SLACK_MS) skippedMs += aheadMs;
  last = { monotonic, wall };
  return monotonic + skippedMs;
}

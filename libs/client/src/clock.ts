// A clock that includes the time for which the machine was suspended.

/** How far the wall clock may run ahead of the monotonic one between two calls before the difference counts. */
const SLACK_MS = 100;

let skippedMs = 0;
let last = { monotonic: performance.now(), wall: Date.now() };

/**
 * Milliseconds since an arbitrary instant; never goes back. The monotonic clock stops while the machine is suspended,
 * and the wall clock may be set. So the longer of the two times since the last call counts. If the wall clock is set
 * ahead, leases end too early here, which is the safe side.
 */
export function now(): number {
  const [monotonic, wall] = [performance.now(), Date.now()];
  const aheadMs = wall - last.wall - (monotonic - last.monotonic);
  if (aheadMs > SLACK_MS) skippedMs += aheadMs;
  last = { monotonic, wall };
  return monotonic + skippedMs;
}

// The promise of a place in a line: the latest instant at which its tokens are offered to it. The line is served
// strictly in order, so the bound is that of a queue with several servers (Kiefer and Wolfowitz, 1955): each place
// takes the tokens that come free first, and keeps them as long as it may. promise.spec.ts tries it on random lines.

import type { Instant } from '../kernel/instant.js';

/** What a token must pass after a lease before it can be granted again, in microseconds. */
export interface AfterUse {
  readonly cooldown: number;
  /** The longest time for which it is cleaned; Infinity where nothing limits it. */
  readonly cleaning: number;
}

export const USABLE_AT_ONCE: AfterUse = { cooldown: 0, cleaning: 0 };

/** A token, and the latest instant at which it can be granted next; Infinity when nothing says so. */
export interface Expected<T> {
  readonly token: T;
  readonly freeAt: Instant;
}

/** A place in the line. */
export interface Place<T> {
  /** How many tokens it takes, all at once. */
  readonly count: number;
  /** For how long it may keep them in microseconds, the time to claim them included; Infinity without a limit. */
  readonly keeps: number;
  /** Which tokens serve it; null stands for all of them. */
  readonly wants: ((token: T) => boolean) | null;
}

/** The latest instant from which a token can be granted whose lease ends at an instant. */
export const usableAfter = (end: Instant, { cooldown, cleaning }: AfterUse): Instant => end + cooldown + cleaning;

/**
 * The latest instant at which a place is served; null where none can be proven: where leases have no hard end, where
 * there are not enough tokens, and where some want certain tokens while some want several at once.
 * @param ahead the places before it, in order
 * @param surplus how many of the tokens that come free first the pool deletes, because it shrinks
 */
export function promise<T>(
  now: Instant,
  tokens: readonly Expected<T>[],
  ahead: readonly Place<T>[],
  place: Place<T>,
  afterUse: AfterUse = USABLE_AT_ONCE,
  surplus = 0,
): Instant | null {
  const mine = tokens.filter(({ token }) => place.wants === null || place.wants(token));
  const rivals = ahead.filter(({ wants }) => wants === null || mine.some(({ token }) => wants(token)));
  const all = [...rivals, place];
  if (all.some(({ wants }) => wants !== null) && all.some(({ count }) => count > 1)) return null;
  // Who wants only some of these tokens may be passed by others, so it matters who keeps one for how long. The bound
  // counts the longest time for each then.
  const isInOrder = rivals.every(({ wants }) => wants === null || mine.every(({ token }) => wants(token)));
  const longest = isInOrder ? 0 : Math.max(...rivals.map(({ keeps }) => keeps));
  const schedule = new Schedule(now, mine, afterUse, surplus);
  for (const { count, keeps } of rivals) schedule.serve(count, Math.max(keeps, longest));
  return orNull(schedule.serve(place.count, 0));
}

/** The promises of all places of a line. If none wants certain tokens, one pass gives them all. */
export function promises<T>(
  now: Instant,
  tokens: readonly Expected<T>[],
  line: readonly Place<T>[],
  afterUse: AfterUse = USABLE_AT_ONCE,
  surplus = 0,
): (Instant | null)[] {
  if (line.some(({ wants }) => wants !== null)) {
    return line.map((place, at) => promise(now, tokens, line.slice(0, at), place, afterUse, surplus));
  }
  const schedule = new Schedule(now, tokens, afterUse, surplus);
  return line.map(({ count, keeps }) => orNull(schedule.serve(count, keeps)));
}

/** The latest instants at which tokens come free, as places are served one after the other. */
class Schedule {
  /** In ascending order. */
  readonly #free: Instant[];

  constructor(
    private at: Instant,
    tokens: readonly Expected<unknown>[],
    private readonly afterUse: AfterUse,
    surplus: number,
  ) {
    this.#free = tokens
      .map(({ freeAt }) => freeAt)
      .sort((a, b) => (a < b ? -1 : Number(a > b)))
      .slice(surplus);
  }

  /** Serves the next place, and returns when. No place is served before the one ahead of it. */
  serve(count: number, keeps: number): Instant {
    this.at = Math.max(this.at, this.#free[count - 1] ?? Infinity);
    this.#free.splice(0, count);
    const again = usableAfter(this.at + keeps, this.afterUse);
    let place = this.#free.length;
    while (place > 0 && this.#free[place - 1]! > again) place--;
    this.#free.splice(place, 0, ...Array<Instant>(count).fill(again));
    return this.at;
  }
}

const orNull = (instant: Instant): Instant | null => (instant === Infinity ? null : instant);

// The server's clock, as well as it can be known from here. Leases end by it; the reader's clock plays no part.
//
// Each answer tells that the server's clock showed some time at a moment between sending and receiving: an interval
// for the difference to the steady clock of this page. Intervals that agree make each other smaller.
//
// A browser's monotonic clock may stand still while the machine sleeps, the reader's own goes on but may be set. So the
// steady clock follows the monotonic one, and leaps with the reader's: if that was set, the next answer puts it right.

interface Interval {
  readonly least: number;
  readonly most: number;
}

/** What the reader's clock is ahead of the monotonic one between two looks that are no sleep: a clock that is adjusted. */
const LEAP_MS = 1_000;

const UNKNOWN: Interval = { least: -Infinity, most: Infinity };

export class ServerClock {
  /** By the process that answers; whole seconds. */
  #process = UNKNOWN;
  /** By the database, which is the one that decides. */
  #database = UNKNOWN;

  /** How long the machine has slept. */
  #slept = 0;
  /** Of the reader's clock to the monotonic one, when last looked at. */
  #ahead: number;

  /** @param monotonic milliseconds since some moment; may stand still while the machine sleeps */
  constructor(
    private readonly monotonic: () => number,
    private readonly readersClock: () => number,
  ) {
    this.#ahead = readersClock() - monotonic();
  }

  /** Milliseconds since some moment, those that the machine slept included. For `sent` and `received`. */
  steady(): number {
    const monotonic = this.monotonic();
    const ahead = this.readersClock() - monotonic;
    if (ahead - this.#ahead >= LEAP_MS) this.#slept += ahead - this.#ahead;
    this.#ahead = ahead;
    return monotonic + this.#slept;
  }

  /** Milliseconds since the epoch. */
  now(): number {
    const both = common(this.#process, this.#database);
    const { least, most } = both ?? this.#database;
    if (least === -Infinity) return this.readersClock();
    return this.steady() + (most === Infinity ? least : (least + most) / 2);
  }

  /** Of any answer. Header `Date` is cut to the second. */
  readDateHeader(date: string | null, sent: number, received: number): void {
    const at = date === null ? NaN : Date.parse(date);
    if (!Number.isNaN(at)) this.#process = narrowed(this.#process, { least: at - received, most: at + 999 - sent });
  }

  /** Of an answer that was made at this time of the database. */
  readAnswer(madeAt: string, sent: number, received: number): void {
    const at = Date.parse(madeAt);
    if (Number.isNaN(at)) return;
    this.#database = narrowed(this.#database, { least: at - received, most: at + 1 - sent });
  }

  /** Of an event that came by itself: the database's clock shows at least this much. */
  readEvent(recordedAt: string, received: number): void {
    const at = Date.parse(recordedAt);
    if (Number.isNaN(at)) return;
    this.#database = narrowed(this.#database, { least: at - received, most: Infinity });
  }
}

/** Where two tellings contradict each other a clock was set, or drifts: the newer one is right. */
const narrowed = (known: Interval, told: Interval): Interval => common(known, told) ?? told;

function common(a: Interval, b: Interval): Interval | null {
  const least = Math.max(a.least, b.least);
  const most = Math.min(a.most, b.most);
  return least <= most ? { least, most } : null;
}

export const serverClock = new ServerClock(
  () => performance.now(),
  () => Date.now(),
);

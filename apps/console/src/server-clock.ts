// An estimate of the server's clock. Leases end by that clock, so the reader's own clock must not matter.
//
// Each answer shows the server's time at some moment between sending and receiving. This gives an interval for the
// difference to the steady clock of this page; intersecting the intervals narrows the estimate.
//
// A browser's monotonic clock may stop while the machine sleeps; the reader's clock goes on but can be set. So the
// steady clock follows the monotonic one, and leaps with the reader's. If somebody set the reader's clock, the next
// answer corrects the estimate.

interface Interval {
  readonly least: number;
  readonly most: number;
}

/** A smaller gain of the reader's clock over the monotonic one is an adjustment of the clock, not sleep. */
const LEAP_MS = 1_000;

const UNKNOWN: Interval = { least: -Infinity, most: Infinity };

export class ServerClock {
  /** The offset of the answering process's clock, from headers that show whole seconds. */
  #process = UNKNOWN;
  /** The offset of the database's clock, which decides when leases end. */
  #database = UNKNOWN;

  /** How long the machine has slept, in milliseconds. */
  #slept = 0;
  /** The reader's clock minus the monotonic one, at the last look. */
  #ahead: number;

  /** @param monotonic milliseconds since some moment; may stop while the machine sleeps */
  constructor(
    private readonly monotonic: () => number,
    private readonly readersClock: () => number,
  ) {
    this.#ahead = readersClock() - monotonic();
  }

  /** Milliseconds since some moment, including sleep. The clock for `sent` and `received`. */
  steady(): number {
    const monotonic = this.monotonic();
    const ahead = this.readersClock() - monotonic;
    if (ahead - this.#ahead >= LEAP_MS) this.#slept += ahead - this.#ahead;
    this.#ahead = ahead;
    return monotonic + this.#slept;
  }

  /** The server's time, in milliseconds since the epoch. */
  now(): number {
    const both = common(this.#process, this.#database);
    const { least, most } = both ?? this.#database;
    if (least === -Infinity) return this.readersClock();
    return this.steady() + (most === Infinity ? least : (least + most) / 2);
  }

  /** Learns from the header `Date` of an answer, which is cut to the second. */
  readDateHeader(date: string | null, sent: number, received: number): void {
    const at = date === null ? NaN : Date.parse(date);
    if (!Number.isNaN(at)) this.#process = narrowed(this.#process, { least: at - received, most: at + 999 - sent });
  }

  /** Learns from an answer that contains the database's time. */
  readAnswer(madeAt: string, sent: number, received: number): void {
    const at = Date.parse(madeAt);
    if (Number.isNaN(at)) return;
    this.#database = narrowed(this.#database, { least: at - received, most: at + 1 - sent });
  }

  /** Learns from an event of the stream: the database's clock shows at least the event's time. */
  readEvent(recordedAt: string, received: number): void {
    const at = Date.parse(recordedAt);
    if (Number.isNaN(at)) return;
    this.#database = narrowed(this.#database, { least: at - received, most: Infinity });
  }
}

/** If two intervals contradict each other, a clock was set or drifts, so the newer interval replaces the older. */
const narrowed = (known: Interval, newer: Interval): Interval => common(known, newer) ?? newer;

function common(a: Interval, b: Interval): Interval | null {
  const least = Math.max(a.least, b.least);
  const most = Math.min(a.most, b.most);
  return least <= most ? { least, most } : null;
}

export const serverClock = new ServerClock(
  () => performance.now(),
  () => Date.now(),
);

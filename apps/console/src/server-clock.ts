// The server's clock, as well as it can be known from here. Leases end by it; the reader's clock plays no part.
//
// Each answer tells that the server's clock showed some time at a moment between sending and receiving: an interval
// for the difference to the monotonic clock of this page. Intervals that agree make each other smaller.

interface Interval {
  readonly least: number;
  readonly most: number;
}

const UNKNOWN: Interval = { least: -Infinity, most: Infinity };

export class ServerClock {
  /** By the process that answers; whole seconds. */
  #process = UNKNOWN;
  /** By the database, which is the one that decides. */
  #database = UNKNOWN;

  /** @param monotonic milliseconds since some moment */
  constructor(
    private readonly monotonic: () => number,
    private readonly readersClock: () => number,
  ) {}

  /** Milliseconds since the epoch. */
  now(): number {
    const both = common(this.#process, this.#database);
    const { least, most } = both ?? this.#database;
    const difference =
      least === -Infinity ? this.readersClock() - this.monotonic() : most === Infinity ? least : (least + most) / 2;
    return this.monotonic() + difference;
  }

  /** Of any answer. Header `Date` is cut to the second. */
  readDateHeader(date: string | null, sent: number, received: number): void {
    const at = date === null ? NaN : Date.parse(date);
    if (!Number.isNaN(at)) this.#process = narrowed(this.#process, { least: at - received, most: at + 999 - sent });
  }

  /** Of an answer that was made at this time of the database. */
  readAnswer(madeAt: string, sent: number, received: number): void {
    const at = Date.parse(madeAt);
    this.#database = narrowed(this.#database, { least: at - received, most: at + 1 - sent });
  }

  /** Of an event that came by itself: the database's clock shows at least this much. */
  readEvent(recordedAt: string, received: number): void {
    this.#database = narrowed(this.#database, { least: Date.parse(recordedAt) - received, most: Infinity });
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

// What happened lately, kept small: for counts over time, for grants and ends by reason, and for how long leases were held.

import type { PoolEvent } from '../api.js';
import { kindOf, type Kind, type Lease } from './pool-state.js';

/** A lease that was evicted before this age shows that the pool is too small. */
export const YOUNG_MS = 60_000;

/** How many events are kept. */
const MOST = 100_000;

interface Entry {
  readonly kind: Kind;
  readonly fence: number | null;
  /** When it happened, in milliseconds since the epoch; of an expiry, the deadline. */
  readonly at: number;
  /** Of an end: how long the lease was held, in milliseconds; null where its beginning is not known. */
  held: number | null;
}

export interface Summary {
  readonly counts: Readonly<Record<Kind, number>>;
  /** Milliseconds; null without any end of a lease whose beginning is known. */
  readonly medianHeld: number | null;
  readonly p99Held: number | null;
  /** Evictions of leases younger than `YOUNG_MS`. */
  readonly youngEvictions: number;
  readonly youngest: number | null;
}

/** Columns of the same length, one row a bucket. */
export interface Series {
  /** Ends of the buckets, in milliseconds since the epoch. */
  readonly times: readonly number[];
  /** At the end of the bucket. */
  readonly held: readonly number[];
  readonly total: readonly number[];
  readonly counts: Readonly<Record<Kind, readonly number[]>>;
  readonly medianHeld: readonly (number | null)[];
  readonly p99Held: readonly (number | null)[];
}

/** How the pool is at the end of the series. */
export interface Present {
  readonly held: number;
  readonly total: number;
  /** Deadlines of leases that are over and of which no event tells yet. */
  readonly lapsed: readonly number[];
}

const KINDS: readonly Kind[] = [
  'granted',
  'renewed',
  'released',
  'evicted',
  'cleaned',
  'expired',
  'ended-by-deletion',
  'generated',
  'deleted',
];

const ENDS: ReadonlySet<Kind> = new Set(['released', 'evicted', 'cleaned', 'expired', 'ended-by-deletion']);

export const isEnd = (kind: Kind): boolean => ENDS.has(kind);

export class EventLog {
  #entries: Entry[] = [];
  /** Of the leases that the log saw begin, by fence. */
  readonly #beginnings = new Map<number, number>();
  #isCut = false;

  /** When the oldest event known was recorded; Infinity without any. What was before it is not known. */
  since = Infinity;

  /**
   * The newest event.
   * @param ended the lease that it ended, where that is known
   * @returns how long that was held, in milliseconds
   */
  append(event: PoolEvent, ended: Lease | null): number | null {
    const entry = this.#entryOf(event);
    if (entry.held === null && ended !== null) entry.held = entry.at - ended.activatedAt;
    this.#entries.push(entry);
    this.since = Math.min(this.since, Date.parse(event.recorded_at));
    if (this.#entries.length > MOST * 1.1) this.#cut();
    return entry.held;
  }

  /** Events before those known, oldest first. */
  prepend(events: readonly PoolEvent[]): void {
    if (events.length === 0 || this.#isCut) return;
    const older = events.map((event) => this.#entryOf(event));
    for (const entry of this.#entries) entry.held ??= this.#lengthAt(entry);
    this.#entries = [...older, ...this.#entries];
    this.since = Date.parse(events[0]!.recorded_at);
  }

  /** How long the lease was held that an event ended, in milliseconds; null where that is not known. */
  heldUntil(event: PoolEvent): number | null {
    return this.#lengthAt({ kind: kindOf(event), fence: event.fence, at: Date.parse(event.occurred_at) });
  }

  /** Of the time from `from` on. */
  summary(from: number): Summary {
    const counts = zeros();
    const held: number[] = [];
    let youngEvictions = 0;
    let youngest: number | null = null;
    for (const entry of this.#entries) {
      if (entry.at < from) continue;
      counts[entry.kind]++;
      if (entry.held === null) continue;
      held.push(entry.held);
      if (entry.kind !== 'evicted' || entry.held >= YOUNG_MS) continue;
      youngEvictions++;
      youngest = Math.min(youngest ?? Infinity, entry.held);
    }
    const sorted = Float64Array.from(held).sort();
    return { counts, medianHeld: quantile(sorted, 0.5), p99Held: quantile(sorted, 0.99), youngEvictions, youngest };
  }

  /** `buckets` of equal length from `from` to `to`, which is now. */
  series(from: number, to: number, buckets: number, { held, total, lapsed }: Present): Series {
    const width = (to - from) / buckets;
    const column = (): number[] => Array<number>(buckets).fill(0);
    const counts = Object.fromEntries(KINDS.map((kind) => [kind, column()])) as Record<Kind, number[]>;
    const [heldMore, totalMore] = [column(), column()];
    const lengths: number[][] = Array.from({ length: buckets }, () => []);
    const bucketOf = (at: number): number => Math.min(Math.max(Math.ceil((at - from) / width) - 1, -1), buckets - 1);
    for (const { kind, at, held: length } of this.#entries) {
      const bucket = bucketOf(at);
      if (bucket < 0) continue;
      counts[kind][bucket]!++;
      if (kind === 'granted') heldMore[bucket]!++;
      else if (kind === 'generated') totalMore[bucket]!++;
      else if (kind === 'deleted') totalMore[bucket]!--;
      else if (isEnd(kind)) {
        heldMore[bucket]!--;
        if (length !== null) lengths[bucket]!.push(length);
      }
    }
    for (const at of lapsed) if (bucketOf(at) >= 0) heldMore[bucketOf(at)]!--;
    const sorted = lengths.map((of) => Float64Array.from(of).sort());
    return {
      times: Array.from({ length: buckets }, (_, i) => from + width * (i + 1)),
      held: backwards(held, heldMore),
      total: backwards(total, totalMore),
      counts,
      medianHeld: sorted.map((of) => quantile(of, 0.5)),
      p99Held: sorted.map((of) => quantile(of, 0.99)),
    };
  }

  #entryOf(event: PoolEvent): Entry {
    const { fence } = event;
    const kind = kindOf(event);
    const at = Date.parse(event.occurred_at);
    if (kind === 'granted' && fence !== null) this.#beginnings.set(fence, at);
    const entry: Entry = { kind, fence, at, held: null };
    entry.held = this.#lengthAt(entry);
    return entry;
  }

  #lengthAt({ kind, fence, at }: Pick<Entry, 'kind' | 'fence' | 'at'>): number | null {
    const begun = isEnd(kind) && fence !== null ? this.#beginnings.get(fence) : undefined;
    return begun === undefined ? null : at - begun;
  }

  /** Memory ends somewhere: the oldest go. */
  #cut(): void {
    this.#isCut = true;
    this.#entries.splice(0, this.#entries.length - MOST);
    const { at, fence } = this.#entries.find(({ kind }) => kind === 'granted') ?? this.#entries[0]!;
    this.since = at;
    // A lease that is still open keeps its beginning with its token.
    for (const known of this.#beginnings.keys()) if (fence !== null && known < fence) this.#beginnings.delete(known);
  }
}

/** The smallest value that a part `q` of all do not exceed. */
export function quantile(sorted: Float64Array, q: number): number | null {
  return sorted.length === 0 ? null : sorted[Math.max(Math.ceil(sorted.length * q) - 1, 0)]!;
}

const zeros = (): Record<Kind, number> => Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;

/** The values at the end of each bucket, from the last one and the changes within each. */
function backwards(last: number, changes: readonly number[]): number[] {
  const values = Array<number>(changes.length);
  let value = last;
  for (let i = changes.length - 1; i >= 0; i--) {
    values[i] = value;
    value -= changes[i]!;
  }
  return values;
}

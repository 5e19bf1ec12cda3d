// A compact log of recent events: for counts over time, grants and ends by reason, and how long users held leases.

import type { PoolEvent } from '../api.js';
import { kindOf, type Kind, type Lease } from './pool-state.js';

/** An eviction before this age shows that the pool is too small. */
export const YOUNG_MS = 60_000;

/** The most events that the log keeps. */
const MOST = 100_000;

interface Entry {
  readonly kind: Kind;
  readonly fence: number | null;
  /** When it happened, in milliseconds since the epoch; for an expiry, the deadline. */
  readonly at: number;
  /** For an end, how long the lease was held, in milliseconds; null when its beginning is unknown. */
  held: number | null;
}

export interface Summary {
  readonly counts: Readonly<Record<Kind, number>>;
  /** In milliseconds; null when the log has no end of a lease whose beginning is known. */
  readonly medianHeld: number | null;
  readonly p99Held: number | null;
  /** Evictions of leases younger than `YOUNG_MS`. */
  readonly youngEvictions: number;
  readonly youngest: number | null;
}

/** Columns of equal length, with one row for each bucket. */
export interface Series {
  /** The ends of the buckets, in milliseconds since the epoch. */
  readonly times: readonly number[];
  /** The value at the end of each bucket. */
  readonly held: readonly number[];
  readonly total: readonly number[];
  readonly counts: Readonly<Record<Kind, readonly number[]>>;
  readonly medianHeld: readonly (number | null)[];
  readonly p99Held: readonly (number | null)[];
}

/** The state of the pool at the end of the series. */
export interface Present {
  readonly held: number;
  readonly total: number;
  /** The deadlines of overdue leases whose end no event has reported yet. */
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
  'described',
  'deleted',
  'soiled',
  'made-clean',
  'disabled',
  'enabled',
  'policy-changed',
  'pool-deleted',
  'pool-opened',
  'queued',
  'left',
  'promised',
];

const ENDS: ReadonlySet<Kind> = new Set(['released', 'evicted', 'cleaned', 'expired', 'ended-by-deletion']);

export const isEnd = (kind: Kind): boolean => ENDS.has(kind);

export class EventLog {
  #entries: Entry[] = [];
  /** When leases began, by fence, for those whose grant is in the log. */
  readonly #beginnings = new Map<number, number>();
  #isCut = false;

  /** When the oldest known event was recorded, the start of the time that the log covers; Infinity without events. */
  since = Infinity;

  /**
   * Appends the newest event.
   * @param ended the lease that it ended, where that is known
   * @returns how long that lease was held, in milliseconds
   */
  append(event: PoolEvent, ended: Lease | null): number | null {
    const entry = this.#entryOf(event);
    if (entry.held === null && ended !== null) entry.held = entry.at - ended.activatedAt;
    this.#entries.push(entry);
    this.since = Math.min(this.since, Date.parse(event.recorded_at));
    if (this.#entries.length > MOST * 1.1) this.#cut();
    return entry.held;
  }

  /** Adds events from before the known ones, oldest first. */
  prepend(events: readonly PoolEvent[]): void {
    if (events.length === 0 || this.#isCut) return;
    const older = events.map((event) => this.#entryOf(event));
    for (const entry of this.#entries) entry.held ??= this.#lengthAt(entry);
    this.#entries = [...older, ...this.#entries];
    this.since = Date.parse(events[0]!.recorded_at);
  }

  /** How long the lease that an event ended was held, in milliseconds; null when its beginning is unknown. */
  heldUntil(event: PoolEvent): number | null {
    return this.#lengthAt({ kind: kindOf(event), fence: event.fence, at: Date.parse(event.occurred_at) });
  }

  /** Summarises the time from `from` on. */
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

  /** Divides the time from `from` to `to`, which is now, into equal buckets. */
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

  /** Drops the oldest events beyond the limit. */
  #cut(): void {
    this.#isCut = true;
    this.#entries.splice(0, this.#entries.length - MOST);
    const { at, fence } = this.#entries.find(({ kind }) => kind === 'granted') ?? this.#entries[0]!;
    this.since = at;
    // The token of an open lease also knows its beginning.
    for (const known of this.#beginnings.keys()) if (fence !== null && known < fence) this.#beginnings.delete(known);
  }
}

/** The smallest value that is not less than a share `q` of all values. */
export function quantile(sorted: Float64Array, q: number): number | null {
  return sorted.length === 0 ? null : sorted[Math.max(Math.ceil(sorted.length * q) - 1, 0)]!;
}

const zeros = (): Record<Kind, number> => Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;

/** The value at the end of each bucket, computed backwards from the last value and the change within each bucket. */
function backwards(last: number, changes: readonly number[]): number[] {
  const values = Array<number>(changes.length);
  let value = last;
  for (let i = changes.length - 1; i >= 0; i--) {
    values[i] = value;
    value -= changes[i]!;
  }
  return values;
}

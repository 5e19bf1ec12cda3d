// Checks the line of a run by its feed and by what those who waited were answered. It shares no code with the auditor.

import { fromIso, type OwnedEvent } from '@app/tokens';
import type { Fault, History, PoolHistory, Recovery, Wait } from '../history.js';
import type { Wall } from './instants.js';

/** How late an offer may be for which nobody asked: the process that watched the line died, and another one sweeps. */
const SWEPT_US = 1_000_000;

interface Place {
  readonly place: number;
  readonly count: number;
  readonly queuedAt: number;
  promise: number | null;
  readonly fences: number[];
}

export interface LineFigures {
  /** The places that were taken, and those that were offered their tokens. */
  readonly places: number;
  readonly offers: number;
  /** Offers later than promised, each by no more than the faults since its place was taken. */
  readonly lateByFaults: number;
  /** The longest time for which an offer that nobody claimed kept its token, in seconds. */
  readonly idleSeconds: number;
}

interface Verdict {
  readonly findings: readonly string[];
  readonly figures: LineFigures;
}

export function checkLine({ line, waits, faults, recoveries }: History, wall: Wall): Verdict | null {
  if (!line) return null;
  const { claim_seconds: claimSeconds = 0 } = line.setting;
  const fold = new LineFold(claimSeconds * 1e6, faultsOf(faults, recoveries, wall));
  for (const event of line.events) fold.add(event);
  const findings = [...fold.findings, ...answers(line, waits, fold)];
  return { findings, figures: fold.figures };
}

/** Metadata of events that tell a promise. */
interface Promised {
  readonly not_later_than: string | null;
}

const instantOf = (at: string | null): number | null => (at === null ? null : fromIso(at));

type Span = readonly [from: number, to: number];

/** When something was broken or not yet served again, in microseconds since the Unix epoch. */
function faultsOf(faults: readonly Fault[], recoveries: readonly Recovery[], wall: Wall): Span[] {
  const slowest = new Map<string, number>();
  for (const { after, ns } of recoveries) slowest.set(after, Math.max(ns, slowest.get(after) ?? 0));
  return faults.map(({ name, begun, healed }) => [wall.at(begun), wall.at(healed + (slowest.get(name) ?? 0))]);
}

class LineFold {
  readonly findings: string[] = [];
  /** Those that wait, in the order of their places. */
  readonly #waiting = new Map<string, Place>();
  readonly #offered = new Map<string, Place>();
  readonly #left = new Set<string>();
  /** The instant of each offer that is not claimed, by the fence of its lease. */
  readonly #unclaimed = new Map<number, number>();
  #last = 0;
  #places = 0;
  #late = 0;
  #idle = 0;

  constructor(
    private readonly claimUs: number,
    private readonly faults: readonly Span[],
  ) {}

  get figures(): LineFigures {
    return {
      places: this.#places,
      offers: this.#offered.size,
      lateByFaults: this.#late,
      idleSeconds: this.#idle / 1e6,
    };
  }

  /** The fences that a ticket was offered. */
  fencesOf(ticket: string): readonly number[] {
    return (this.#offered.get(ticket) ?? this.#waiting.get(ticket))?.fences ?? [];
  }

  isKnown(ticket: string): boolean {
    return this.#waiting.has(ticket) || this.#offered.has(ticket) || this.#left.has(ticket);
  }

  add(event: OwnedEvent): void {
    const { event: kind, metadata, fence, reason, occurred_at } = event;
    const ticket = metadata['ticket_id'] as string;
    const at = fromIso(occurred_at);
    const say = (what: string): unknown => this.findings.push(`seq ${event.seq}: ${what}`);
    if (kind === 'queued') {
      const {
        place,
        count,
        not_later_than: promise,
      } = metadata as unknown as Promised & Pick<Place, 'place' | 'count'>;
      if (place !== this.#last + 1) say(`place ${place} after place ${this.#last}`);
      this.#last = place;
      this.#places++;
      this.#waiting.set(ticket, { place, count, queuedAt: at, promise: instantOf(promise), fences: [] });
    } else if (kind === 'promised') {
      const place = this.#waiting.get(ticket);
      if (place) place.promise = instantOf((metadata as unknown as Promised).not_later_than);
    } else if (kind === 'left') {
      if (!this.#waiting.delete(ticket)) say(`ticket ${ticket} leaves, and does not wait`);
      this.#left.add(ticket);
    } else if (kind === 'activated') {
      this.#granted(reason === 'offered' ? ticket : undefined, fence!, at, say);
    } else if (fence !== null) {
      const offeredAt = this.#unclaimed.get(fence);
      if (kind === 'expired' && offeredAt !== undefined) {
        const idle = at - offeredAt;
        if (idle > this.claimUs) say(`fence ${fence} was kept for ${idle / 1e6} s without a claim`);
        this.#idle = Math.max(this.#idle, idle);
      }
      this.#unclaimed.delete(fence);
    }
  }

  #granted(ticket: string | undefined, fence: number, at: number, say: (what: string) => unknown): void {
    const [first] = this.#waiting;
    if (ticket === undefined) {
      if (first) say(`fence ${fence} is granted past place ${first[1].place}`);
      return;
    }
    const place = this.#waiting.get(ticket);
    if (!place) {
      say(`fence ${fence} is offered to ticket ${ticket}, which does not wait`);
      return;
    }
    if (first?.[0] !== ticket) say(`place ${place.place} is served before place ${first?.[1].place}`);
    this.#unclaimed.set(fence, at);
    place.fences.push(fence);
    if (place.fences.length < place.count) return;
    this.#waiting.delete(ticket);
    this.#offered.set(ticket, place);
    const late = place.promise === null ? 0 : at - place.promise;
    if (late <= 0) return;
    const broken = this.faults.reduce(
      (sum, [from, to]) => sum + Math.max(0, Math.min(to, at) - Math.max(from, place.queuedAt)),
      0,
    );
    if (late <= broken + SWEPT_US) this.#late++;
    else say(`place ${place.place} is served ${(late / 1e6).toFixed(2)} s later than promised`);
  }
}

/** What those who waited were answered, against the feed. */
function answers({ events }: PoolHistory, waits: readonly Wait[], fold: LineFold): string[] {
  const granted = new Set(events.flatMap(({ event, fence }) => (event === 'activated' ? [fence] : [])));
  const had = new Map<number, string>();
  return waits.flatMap(({ id, ticket, count, outcome, fences = [], error }) => {
    const findings: string[] = [];
    if (outcome === 'lost') findings.push(`${id} lost its place: ticket ${ticket} is not known any more`);
    if (ticket !== undefined && !fold.isKnown(ticket))
      findings.push(`${id} has ticket ${ticket}, of which no event tells`);
    if (outcome === 'ended' && error === 'granted') findings.push(`${id} was not given what its ticket was granted`);
    if (outcome !== 'granted') return findings;
    if (fences.length !== count) findings.push(`${id} asked for ${count} tokens and got ${fences.length}`);
    if (ticket !== undefined && fences.join() !== fold.fencesOf(ticket).join())
      findings.push(`${id} got fences ${fences.join()}, and was offered ${fold.fencesOf(ticket).join()}`);
    for (const fence of fences) {
      if (!granted.has(fence)) findings.push(`${id} got fence ${fence}, which was not granted`);
      const other = had.get(fence);
      if (other !== undefined) findings.push(`${id} and ${other} both got fence ${fence}`);
      had.set(fence, id);
    }
    return findings;
  });
}

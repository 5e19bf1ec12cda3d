// Checks the line of a pool, event by event: places are taken in order, each ends once, nobody is granted past somebody
// who waits for the token, and no offer comes later than its promise. It shares no code with the aggregate.

import { isSelected } from './alike-tokens.js';
import type { FoldedToken } from './comparison.js';
import { fromIso, toIso, type Instant } from '../kernel/instant.js';
import { isEviction } from '../pool/token-event.js';
import type { StoredEventView } from '../reading/views.js';

type Find = (event: StoredEventView, what: string) => void;

interface FoldedTicket {
  readonly id: string;
  readonly place: number;
  readonly count: number;
  readonly select: Readonly<Record<string, unknown>> | null;
  promise: Instant | null;
  /** The outages until the place was taken, in microseconds. */
  readonly outagesBefore: number;
  offered: number;
}

export class LineJudge {
  /** Those that wait, in the order of their places. */
  readonly #waiting = new Map<string, FoldedTicket>();
  /** The ticket of each offer that is not claimed, by the fence of its lease. */
  readonly #offers = new Map<number, string>();
  /** The ticket that was offered some of its tokens, and not all yet. */
  #isOffered: FoldedTicket | null = null;
  #place = 0;
  /**
   * For how long the ends of leases were not noticed, in microseconds: while the service is down, nobody is served. A
   * promise is broken only by more than that.
   */
  #outages = 0;
  /** By when a dirty token must be cleaned, by its id. A cleaning that takes longer delays the line as an outage. */
  readonly #cleanBy = new Map<string, Instant>();
  /** The same of those that are disabled: nobody waits for them. */
  readonly #cleanByIfEnabled = new Map<string, Instant>();
  #before: StoredEventView | null = null;
  /** The instant of the transaction of the last event, and that of the one before it. */
  #now: Instant = -Infinity;
  #earlier: Instant = -Infinity;
  /** How many offers came later than promised, but within the outages. */
  late = 0;

  /** @param isWhole whether the feed is known from its first event: otherwise there may be tickets from before */
  constructor(
    private readonly isWhole: boolean,
    private readonly find: Find,
  ) {}

  /** Must be called with every event, before the auditor folds it. @param token the token of the event, before it */
  add(event: StoredEventView, token: FoldedToken | undefined): void {
    this.#expectWholeOffer(event);
    if (event.recorded_at > this.#now) [this.#earlier, this.#now] = [this.#now, event.recorded_at];
    switch (event.event) {
      case 'queued':
        this.#queued(event);
        break;
      case 'left':
        if (this.#waiting.delete(idIn(event)) || !this.isWhole) break;
        this.find(event, 'leaves a line in which the ticket does not wait');
        break;
      case 'promised':
        this.#promised(event);
        break;
      case 'activated':
        this.#activated(event, token);
        break;
      case 'renewed':
        this.#renewed(event);
        break;
      case 'expired':
        this.#expired(event);
        break;
      case 'released':
        if (event.fence !== null) this.#offers.delete(event.fence);
        break;
      case 'pool_deleted':
        if (this.#waiting.size > 0) this.find(event, `leaves ${this.#waiting.size} tickets waiting`);
        break;
      case 'soiled':
        this.#soiled(event);
        break;
      case 'cleaned':
        this.#noLongerDirty(event);
        break;
      case 'disabled':
        this.#disabled(event);
        break;
      case 'enabled':
        this.#enabled(event);
        break;
      case 'deleted':
        this.#noLongerDirty(event);
        break;
      case 'generated':
      case 'described':
      case 'policy_changed':
      case 'pool_opened':
    }
    this.#before = event;
  }

  /** Whether free tokens may be kept for somebody who waits for certain ones. */
  get keepsTokens(): boolean {
    for (const { select } of this.#waiting.values()) if (select !== null) return true;
    return false;
  }

  /** Must be called once, after the last event. */
  finish(): void {
    if (this.#before) this.#expectWholeOffer(null);
  }

  #queued(event: StoredEventView): void {
    const { place, position, count, select, not_later_than } = event.metadata ?? {};
    const id = idIn(event);
    const isNext = place === this.#place + 1 || (!this.isWhole && this.#place === 0);
    if (!isNext) this.find(event, `takes place ${asText(place)}, which follows ${this.#place}`);
    if (this.isWhole && position !== this.#waiting.size + 1) {
      this.find(event, `takes position ${asText(position)} where ${this.#waiting.size} wait`);
    }
    this.#place = typeof place === 'number' ? place : this.#place + 1;
    if (this.#waiting.has(id)) this.find(event, 'takes a second place for a ticket');
    this.#waiting.set(id, {
      id,
      place: this.#place,
      count: typeof count === 'number' ? count : 1,
      select: isObject(select) ? select : null,
      promise: instantOf(not_later_than),
      outagesBefore: this.#outagesUntil(event.recorded_at),
      offered: 0,
    });
  }

  #promised(event: StoredEventView): void {
    const ticket = this.#waiting.get(idIn(event));
    if (ticket) ticket.promise = instantOf(event.metadata?.['not_later_than']);
    else if (this.isWhole) this.find(event, 'is about a ticket that does not wait');
  }

  #activated(event: StoredEventView, token: FoldedToken | undefined): void {
    // Nobody waits for a token that is dirty.
    if (event.reason === 'cleaning') return;
    const ticket = event.reason === 'offered' ? this.#offeredTo(event) : undefined;
    for (const other of token ? this.#waiting.values() : []) {
      if (other.place >= (ticket?.place ?? Infinity)) break;
      if (other.select !== null && !isSelected(token?.thing?.attributes ?? {}, other.select)) continue;
      this.find(event, `is granted past ticket ${other.id}, which waits for it since place ${other.place}`);
      break;
    }
    if (event.reason !== 'offered' || event.fence === null) return;
    this.#offers.set(event.fence, idIn(event));
    if (!ticket) return;
    if (ticket.select !== null && !isSelected(token?.thing?.attributes ?? {}, ticket.select)) {
      this.find(event, 'offers a token that the ticket does not want');
    }
    this.#noticed(event, token);
    if (ticket.offered === 0) this.#expectInTime(event, ticket);
    ticket.offered++;
    this.#isOffered = ticket.offered < ticket.count ? ticket : null;
    if (this.#isOffered === null) this.#waiting.delete(ticket.id);
  }

  /** No event says that a token has rested: nobody has noticed it until the first transaction after that. */
  #noticed({ recorded_at }: StoredEventView, token: FoldedToken | undefined): void {
    const restedAt = token?.upkeep?.restsUntil ?? -Infinity;
    if (restedAt > this.#earlier) this.#outages += Math.max(0, recorded_at - restedAt);
  }

  #offeredTo(event: StoredEventView): FoldedTicket | undefined {
    const ticket = this.#waiting.get(idIn(event));
    if (!ticket && this.isWhole) this.find(event, 'is offered to a ticket that does not wait');
    return ticket;
  }

  #expectInTime(event: StoredEventView, { promise, outagesBefore }: FoldedTicket): void {
    if (promise === null || event.occurred_at <= promise) return;
    if (event.occurred_at <= promise + this.#outagesUntil(event.occurred_at) - outagesBefore) this.late++;
    else this.find(event, `is offered later than promised, ${toIso(promise)}`);
  }

  #soiled({ token_id, reason, metadata }: StoredEventView): void {
    const cleanBy = instantOf(metadata?.['clean_by']);
    if (token_id !== null && cleanBy !== null && reason !== 'not_cleaned') this.#cleanBy.set(token_id, cleanBy);
  }

  #noLongerDirty({ token_id, occurred_at }: StoredEventView): void {
    const cleanBy = this.#cleanBy.get(token_id ?? '');
    if (cleanBy !== undefined) this.#outages += Math.max(0, occurred_at - cleanBy);
    this.#cleanBy.delete(token_id ?? '');
  }

  #disabled(event: StoredEventView): void {
    const cleanBy = this.#cleanBy.get(event.token_id ?? '');
    if (cleanBy !== undefined) this.#cleanByIfEnabled.set(event.token_id ?? '', cleanBy);
    this.#noLongerDirty(event);
  }

  #enabled({ token_id, occurred_at }: StoredEventView): void {
    const cleanBy = this.#cleanByIfEnabled.get(token_id ?? '');
    if (cleanBy !== undefined) this.#cleanBy.set(token_id ?? '', Math.max(cleanBy, occurred_at));
    this.#cleanByIfEnabled.delete(token_id ?? '');
  }

  /** The outages until an instant, with the time for which tokens are dirty that should be clean. */
  #outagesUntil(at: Instant): number {
    let outages = this.#outages;
    for (const cleanBy of this.#cleanBy.values()) outages += Math.max(0, at - cleanBy);
    return outages;
  }

  #renewed(event: StoredEventView): void {
    const isOffer = event.fence !== null && this.#offers.has(event.fence);
    const isClaim = event.reason === 'claimed';
    if (isClaim && !isOffer && this.isWhole) this.find(event, 'claims a lease that is not offered');
    if (!isClaim && isOffer) this.find(event, 'renews an offer that is not claimed');
    if (isClaim && event.fence !== null) this.#offers.delete(event.fence);
  }

  #expired(event: StoredEventView): void {
    this.#outages += event.recorded_at - event.occurred_at;
    const isOffer = event.fence !== null && this.#offers.delete(event.fence);
    const isUnclaimed = event.reason === 'unclaimed';
    if (isUnclaimed && !isOffer && this.isWhole) this.find(event, 'ends an offer of a lease that is not offered');
    if (!isUnclaimed && isOffer) this.find(event, 'ends an offer as if it had been claimed');
  }

  /** All tokens of a ticket are offered together. Only evictions for it may come between. */
  #expectWholeOffer(next: StoredEventView | null): void {
    const ticket = this.#isOffered;
    if (!ticket || !this.#before) return;
    const isForIt = next && (isEviction(next.reason) || (next.reason === 'offered' && idIn(next) === ticket.id));
    if (isForIt && next.recorded_at === this.#before.recorded_at) return;
    this.find(this.#before, `offers ticket ${ticket.id} only ${ticket.offered} of its ${ticket.count} tokens`);
    this.#isOffered = null;
  }
}

const idIn = ({ metadata }: StoredEventView): string => String(metadata?.['ticket_id']);

const instantOf = (iso: unknown): Instant | null => (typeof iso === 'string' ? fromIso(iso) : null);

const asText = (value: unknown): string => JSON.stringify(value) ?? 'none';

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

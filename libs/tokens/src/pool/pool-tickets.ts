// The tickets of a pool that a transaction loaded, and which of them the pool has changed since. It can take changes
// back, so that the pool does all steps of a command or none.

import type { Instant } from '../kernel/instant.js';
import { isGivenUp, serves, type Ticket } from './ticket.js';
import type { Token } from './token.js';

/** The part of a line that a transaction loads. */
export interface LineSlice {
  /** The tickets that wait or have an offer, as far as the transaction needs them, and those that commands name. */
  readonly tickets: readonly Ticket[];
  /** Whether all that wait are among them. */
  readonly isWhole: boolean;
  /** The place up to which all that wait are among them; Infinity when there are no others. */
  readonly reach: number;
}

export class PoolTickets {
  readonly #tickets: Map<string, Ticket>;
  readonly #changed = new Set<string>();
  /** One entry a change, in the order of the changes. */
  readonly #undo: { readonly id: string; readonly before: Ticket | undefined; readonly wasChanged: boolean }[] = [];
  /** Those that wait, in order; undefined while nobody has asked for them. */
  #waiting: Ticket[] | undefined;
  readonly isWhole: boolean;
  readonly reach: number;

  constructor({ tickets, isWhole, reach }: LineSlice = { tickets: [], isWhole: true, reach: Infinity }) {
    this.#tickets = new Map(tickets.map((ticket) => [ticket.id, ticket]));
    this.isWhole = isWhole;
    this.reach = reach;
  }

  get changed(): Ticket[] {
    return [...this.#changed].map((id) => this.#tickets.get(id) as Ticket);
  }

  get(id: string): Ticket | undefined {
    return this.#tickets.get(id);
  }

  put(ticket: Ticket): void {
    const { id } = ticket;
    this.#undo.push({ id, before: this.#tickets.get(id), wasChanged: this.#changed.has(id) });
    this.#tickets.set(id, ticket);
    this.#changed.add(id);
    this.#replace(this.#undo.at(-1)?.before, ticket);
  }

  /** Keeps the list of those that wait, which is long, up to date. */
  #replace(before: Ticket | undefined, after: Ticket): void {
    if (!this.#waiting) return;
    const isWaiting = after.status === 'waiting';
    if (before?.status === 'waiting')
      this.#waiting.splice(this.#waiting.indexOf(before), 1, ...(isWaiting ? [after] : []));
    else if (isWaiting) this.#waiting.push(after);
  }

  /** The tickets that wait, in order. */
  get waiting(): readonly Ticket[] {
    return (this.#waiting ??= [...this.#tickets.values()]
      .filter(({ status }) => status === 'waiting')
      .sort((a, b) => a.place - b.place));
  }

  /** The tickets whose owners have shown no sign of life for too long, in order. */
  givenUp(now: Instant): Ticket[] {
    return this.waiting.filter((ticket) => isGivenUp(ticket, now));
  }

  /** Whether anybody waits, also among those that are not loaded. */
  get isEmpty(): boolean {
    return this.waiting.length === 0 && this.reach === Infinity;
  }

  /** Whether somebody may wait whom this token would serve. */
  isAwaited(token: Token): boolean {
    return this.reach < Infinity || this.waiting.some((ticket) => serves(token, ticket));
  }

  /** Whether all that are loaded are served, and the next ones are for another transaction. */
  get goesOn(): boolean {
    return this.reach < Infinity && !this.waiting.some(({ place }) => place <= this.reach);
  }

  /** How many tokens the tickets of a user or a key wait for. */
  awaited(isTheirs: (ticket: Ticket) => boolean): number {
    return this.waiting.reduce((sum, ticket) => (isTheirs(ticket) ? sum + ticket.count : sum), 0);
  }

  /** Returns a function that takes back every later change. */
  savepoint(): () => void {
    const changes = this.#undo.length;
    return () => {
      if (this.#undo.length > changes) this.#waiting = undefined;
      for (const { id, before, wasChanged } of this.#undo.splice(changes).reverse()) {
        if (before) this.#tickets.set(id, before);
        else this.#tickets.delete(id);
        if (!wasChanged) this.#changed.delete(id);
      }
    };
  }
}

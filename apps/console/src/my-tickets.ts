// The places in lines that this tab has taken. While the tab is open it shows signs of life and claims what is offered.
// The places survive a reload. One request at a time keeps all of them, because a browser has few connections; nor does
// it depend on timers, which a browser slows down in a hidden tab.

import { effect, signal } from '@preact/signals';
import { api, ApiError, grantsOf, type PlaceRequest, type Pool, type PoolEvent, type Ticket } from './api.js';
import { keepLease } from './my-leases.js';
import { recall, remember } from './storage.js';

export type MyTicket = Pick<
  Ticket,
  'id' | 'pool' | 'position' | 'waiting' | 'count' | 'not_later_than' | 'queued_at' | 'holder' | 'user_id'
> & {
  /** How long the place lives without a sign of life, in seconds. */
  readonly patience: number;
  /** How long an offer waits to be claimed, in seconds. */
  readonly claimWithin: number;
  /** Why the place was lost; null while it is kept. */
  readonly lost: string | null;
};

const KEY = 'token-pool.tickets';
/** The longest that one request waits, in seconds. */
const LONGEST_S = 10;
const PAUSE_MS = 1_000;

export const myTickets = signal<readonly MyTicket[]>(stored());

effect(() => {
  remember('sessionStorage', KEY, JSON.stringify(myTickets.value));
});

const kept = (): readonly MyTicket[] => myTickets.peek().filter(({ lost }) => lost === null);

/** Takes a place in the line of a pool, and keeps it. @throws ApiError */
export async function takePlace(pool: Pool, request: PlaceRequest): Promise<void> {
  const ticket = await api.queue(request);
  const { patience_seconds: patience, claim_seconds: claimWithin } = pool;
  myTickets.value = [...myTickets.peek(), { ...shownOf(ticket), patience, claimWithin, lost: null }];
  void keepPlaces();
}

/** Gives a place back. @throws ApiError */
export async function leave(id: string): Promise<void> {
  await api.leave(id);
  forget(id);
}

/** Takes a place out of the list. */
export function forget(id: string): void {
  myTickets.value = myTickets.peek().filter((ticket) => ticket.id !== id);
}

/** Claims at once what an event says is offered to a ticket of this tab. */
export function noteOffer({ event, reason, metadata }: PoolEvent): void {
  if (event !== 'activated' || reason !== 'offered') return;
  const ticket = kept().find(({ id }) => id === metadata['ticket_id']);
  if (ticket) void claim(ticket, 0);
}

let isKeeping = false;

/** Shows a sign of life for one ticket after the other, as long as there is one. */
export async function keepPlaces(): Promise<void> {
  if (isKeeping) return;
  isKeeping = true;
  try {
    for (let tickets = kept(); tickets.length > 0; tickets = kept()) {
      const round = Math.min(...tickets.map(({ patience, claimWithin }) => Math.min(patience, claimWithin) / 2));
      for (const ticket of tickets) await claim(ticket, Math.min(round / tickets.length, LONGEST_S));
    }
  } finally {
    isKeeping = false;
  }
}

async function claim({ id }: MyTicket, waitSeconds: number): Promise<void> {
  try {
    const answer = await api.claim(id, waitSeconds);
    // A place that was given back meanwhile stays out of the list.
    if ('queued_at' in answer) return set(id, shownOf(answer));
    forget(id);
    for (const grant of grantsOf(answer)) keepLease(grant);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === 'ticket_ended' || error.code === 'ticket_not_found') return set(id, { lost: error.message });
    // The service may be back in a moment, and the place outlives it.
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function set(id: string, change: Partial<MyTicket>): void {
  myTickets.value = myTickets.peek().map((ticket) => (ticket.id === id ? { ...ticket, ...change } : ticket));
}

const shownOf = ({ id, pool, position, waiting, count, not_later_than, queued_at, holder, user_id }: Ticket) => ({
  ...{ id, pool, position, waiting, count, not_later_than, queued_at, holder, user_id },
});

function stored(): MyTicket[] {
  try {
    const value: unknown = JSON.parse(recall('sessionStorage', KEY) ?? '[]');
    return Array.isArray(value) ? (value as MyTicket[]) : [];
  } catch {
    return [];
  }
}

// Waits in the line of a pool: takes a place, claims until its turn comes, and gives back what nobody wants any more.

import type { Grant, Ticket } from './api-types.js';
import type { RepeatableOptions } from './call-options.js';
import type { Calls, Timed } from './calls.js';
import { now } from './clock.js';
import { allocate, giveBack, RELEASE_TIMEOUT_MS } from './lease-calls.js';
import { limited } from './limited.js';
import { pause } from './pause.js';
import { pauseAfter } from './retrying.js';
import { claim, isTicket, type PlaceRequest } from './ticket-calls.js';
import { TokenPoolError } from './token-pool-error.js';
import { WaitEndedError } from './wait-ended-error.js';
import { secondsOf } from './wait-seconds.js';

export interface WaitOptions extends RepeatableOptions {
  /**
   * How long to wait in the line if no token is free: seconds, or such as `'90s'`, `'10m'`, `'2h'`. The pool must have
   * a line (`max_waiting`). `timeoutMs` limits only the request that takes the place.
   */
  readonly wait?: number | string;
  /** Called with the place when it is taken, and when its position or its promise has changed. */
  readonly onPlace?: (ticket: Ticket) => void;
}

/** The longest time for which the service holds a request. */
const LONGEST_CLAIM_MS = 60_000;
/** The same for the first in line, if its caller follows the place. */
const SHORTEST_LOOK_MS = 5000;
/** How long to leave a service alone that is about to stop. */
const STOPPING_MS = 500;
/** How long a call that fails waits until its place is given back. It goes on trying after that. */
const GIVE_BACK_MS = 2000;

/**
 * Allocates at once, or waits for its turn. A restart of the service delays it, and keeps its place.
 * @throws WaitEndedError; what `allocate` throws; what `onPlace` throws; the signal's reason
 */
export async function allocateInTurn(
  calls: Calls,
  pool: string,
  request: PlaceRequest,
  { wait = 0, onPlace, ...options }: WaitOptions,
): Promise<Timed<Grant>> {
  const end = now() + secondsOf(wait) * 1000;
  let had: Grant | Ticket = (await allocate(calls, pool, { ...request, wait_seconds: 0 }, options)).answer;
  try {
    if (isTicket(had)) {
      onPlace?.(had);
      had = await claimed(calls, had, end, onPlace, options.signal);
    }
    return await timed(calls, had, options.signal);
  } catch (error) {
    if (!(error instanceof WaitEndedError) || error.endReason === null) await givenBack(calls, had);
    throw error;
  }
}

async function claimed(
  calls: Calls,
  ticket: Ticket,
  end: number,
  onPlace: ((ticket: Ticket) => void) | undefined,
  signal: AbortSignal | undefined,
): Promise<Grant> {
  let [failures, lastError]: [number, unknown] = [0, undefined];
  for (let mayHold = true; ;) {
    const leftMs = end - now();
    if (leftMs <= 0) throw new WaitEndedError(ticket, null, { cause: lastError });
    const holdMs = mayHold ? Math.min(leftMs, onPlace ? longestLook(ticket) : LONGEST_CLAIM_MS) : 0;
    try {
      const { answer, sentAt } = await claim(calls, ticket.id, holdMs / 1000, { signal, isRepeatable: false });
      if (!isTicket(answer)) return answer;
      const hasMoved = answer.position !== ticket.position || answer.not_later_than !== ticket.not_later_than;
      ticket = answer;
      if (hasMoved) onPlace?.(ticket);
      // A service that stops answers early, and is gone a moment later.
      const isEarly = now() - sentAt < holdMs / 2;
      if (isEarly) await pause(STOPPING_MS, signal);
      else if (mayHold) [failures, lastError] = [0, undefined];
      mayHold = true;
    } catch (error) {
      signal?.throwIfAborted();
      if (TokenPoolError.is(error, 'ticket_ended')) {
        throw new WaitEndedError(ticket, error.problem.end_reason ?? 'cancelled', { cause: error });
      }
      const ms = pauseAfter(error, failures++);
      if (ms === null) throw error;
      lastError = error;
      await pause(Math.min(ms, Math.max(0, end - now())), signal);
      // The next claim is not held: a sign of life, also where as many requests are held as may.
      mayHold = false;
    }
  }
}

/** Whoever follows its place asks the more often the nearer it is to the front. */
const longestLook = ({ position }: Ticket): number =>
  Math.min(Math.max((position ?? 1) * 1000, SHORTEST_LOOK_MS), LONGEST_CLAIM_MS);

/**
 * The time of the lease counts from a claim that the service may have held for long, or from an offer before that. So
 * this asks how much of it is left.
 */
async function timed(calls: Calls, grant: Grant, signal: AbortSignal | undefined): Promise<Timed<Grant>> {
  const body = { lease_id: grant.lease_id };
  const { answer, sentAt } = await calls.timed((http, init) => http.POST('/api/leases/verify', { body, ...init }), {
    signal,
  });
  const lengthMs = Date.parse(grant.expires_at) - Date.parse(grant.activated_at);
  return { answer: grant, sentAt: sentAt + (answer.expires_in_ms ?? 0) - lengthMs };
}

/** Best effort: a place without signs of life is lost, and a lease expires. */
async function givenBack(calls: Calls, had: Grant | Ticket): Promise<void> {
  const isOver = limited(RELEASE_TIMEOUT_MS, undefined, (signal) => giveBack(calls, had, { signal }));
  await limited(GIVE_BACK_MS, undefined, () => isOver).catch(() => undefined);
}

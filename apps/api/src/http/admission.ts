// Refuses the requests that the service cannot answer in time, before they cost anything: if a refusal took as long as
// an answer, no time would be left for answers. Requests that return or renew a token have a higher limit than requests
// that take one. One key never has all places, so that other keys find some.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import type { Demand } from '../metrics/http-metrics.js';
import type { Headers } from './answer-headers.js';
import { CountsByKey } from './counts-by-key.js';
import { HttpProblem, sendProblem } from './problem.js';
import { pathOf, requestIdOf } from './request-log.js';

/** It changes nothing, although it is a POST: a lease id must not stand in an address. */
const VERIFY = '/api/leases/verify';
/** Paths of the commands that take a token; each is the whole route. */
const TAKING: ReadonlySet<string> = new Set(['/api/tokens/allocate', '/assign-token']);

/** The most requests under way, those in the queues behind included: some tenths of a second of work. */
const LIMITS: Record<Demand, number> = { taking: 1000, other: 2000, reading: 400 };
/** The most requests under way with one key. */
const LIMITS_OF_KEY: Record<Demand, number> = { taking: 500, other: 1000, reading: 100 };

/** Per this many refusals within a second, `Retry-After` may be one second longer. */
const A_SECOND_MORE = 300;
const LONGEST_RETRY_AFTER = 10;
/** How much longer than it was told a connection rests at most, in milliseconds. */
const SPREAD_MS = 250;

const TOO_MUCH = new HttpProblem('unavailable', 'more is asked than can be served in time; nothing was changed');

/** How the requests that have a place give it back. */
const places = new Map<ServerResponse, () => void>();

/** Gives the place of a request back that only waits from now on: it needs no time. */
export const leavePlace = (res: ServerResponse): void => places.get(res)?.();

export class Admission {
  /** The requests that have a place. */
  readonly #commands = new CountsByKey();
  readonly #reads = new CountsByKey();
  readonly #lately = new Lately();
  #onTurnedAway: (what: Demand) => void = () => undefined;

  /**
   * @param saysMessage paths whose errors also carry their detail as `message`
   * @param headers the headers of every answer to a page of an origin
   */
  constructor(
    private readonly saysMessage: ReadonlySet<string>,
    private readonly headers: (origin: string | undefined) => Headers,
  ) {}

  onTurnedAway(listener: (what: Demand) => void): void {
    this.#onTurnedAway = listener;
  }

  /**
   * Runs before anything else reads the body or looks up the key.
   * @returns false when it has answered the request with a refusal
   */
  admits(req: IncomingMessage, res: ServerResponse): boolean {
    const path = pathOf(req.url as string);
    const what = demandOf(req.method, path);
    if (what === null || this.#of(what).all < LIMITS[what]) return true;
    const requestId = requestIdOf(req);
    res.setHeader('x-request-id', requestId);
    for (const [name, value] of this.headers(req.headers.origin)) res.setHeader(name, value);
    this.#turnAway(what, req, res, requestId, path);
    return false;
  }

  /**
   * Middleware that gives the request a place. It runs when the whole body is there, so that a body that never ends
   * takes no place, and when the key is known. A request without a key has no limit of its own: one address may stand
   * for many callers.
   */
  readonly count: RequestHandler = (req, res, next) => {
    const what = demandOf(req.method, req.path);
    if (what === null) return next();
    const underWay = this.#of(what);
    const keyId = req.key?.id;
    const isTooMuch = underWay.all >= LIMITS[what] || underWay.of(keyId) >= LIMITS_OF_KEY[what];
    if (!isTooMuch) {
      underWay.add(keyId, 1);
      const leave = (): void => {
        if (places.delete(res)) underWay.add(keyId, -1);
      };
      places.set(res, leave);
      res.once('close', leave);
      return next();
    }
    this.#turnAway(what, req, res, res.requestId, req.path);
  };

  /** Answers without an exception and the filter for exceptions, which would cost as much as a grant. */
  #turnAway(what: Demand, req: IncomingMessage, res: ServerResponse, requestId: string, path: string): void {
    const retryAfterSeconds = this.#retryAfter();
    restAfter(req, retryAfterSeconds * 1000);
    res.setHeader('retry-after', retryAfterSeconds);
    sendProblem(res, TOO_MUCH, requestId, this.saysMessage.has(path));
    this.#onTurnedAway(what);
  }

  #of(what: Demand): CountsByKey {
    return what === 'reading' ? this.#reads : this.#commands;
  }

  /** @returns seconds, chosen at random so that the callers do not come back all at once */
  #retryAfter(): number {
    const longest = Math.min(1 + Math.floor(this.#lately.count() / A_SECOND_MORE), LONGEST_RETRY_AFTER);
    return 1 + Math.floor(Math.random() * longest);
  }
}

/** @returns null for requests that need no place: pages, health, and streams, which have a limit of their own */
function demandOf(method: string | undefined, path: string): Demand | null {
  if (path === VERIFY) return 'reading';
  if (method === 'POST' || method === 'PUT' || method === 'PATCH' || method === 'DELETE')
    return TAKING.has(path) ? 'taking' : 'other';
  return path.startsWith('/api/') && !path.endsWith('/events/stream') ? 'reading' : null;
}

/** Counts events in this second and in the one before. */
class Lately {
  #second = 0;
  #now = 0;
  #before = 0;

  /** Adds one. @returns the larger of the two counts */
  count(): number {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#before = second === this.#second + 1 ? this.#now : 0;
      this.#now = 0;
      this.#second = second;
    }
    return Math.max(++this.#now, this.#before);
  }
}

/**
 * Reads nothing from the request's connection for `ms` after the answer. Spares the connections of proxies, which carry
 * the requests of other callers, too.
 */
export function restAfter(req: IncomingMessage, ms: number): void {
  if (!('x-forwarded-for' in req.headers || 'via' in req.headers)) req.once('close', () => rest(req.socket, ms));
}

/**
 * Otherwise a client that comes back too soon would take all of the thread's time. Connections that were refused
 * together come back one after the other.
 */
function rest(socket: Socket, ms: number): void {
  if (socket.destroyed) return;
  socket.pause();
  resting.add(socket);
  setTimeout(() => wake(socket), ms + SPREAD_MS * Math.random()).unref();
}

const resting = new Set<Socket>();

function wake(socket: Socket): void {
  resting.delete(socket);
  socket.resume();
}

/** The process stops: what has arrived on the resting connections still gets its answer. */
export const wakeAll = (): void => resting.forEach(wake);

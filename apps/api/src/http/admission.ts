// Turns away what is more than can be served in time, before it costs anything: if a refusal took as long as an
// answer, there would be no time left for answers. What gives a token back or keeps it is let in for longer than
// what takes one; and one key never has all the places, so that others find some.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import type { Demand } from '../metrics/http-metrics.js';
import type { Headers } from './answer-headers.js';
import { HttpProblem, sendProblem } from './problem.js';
import { pathOf, requestIdOf } from './request-log.js';

/** Paths of the commands that take a token; each is the whole route. */
const TAKING: ReadonlySet<string> = new Set(['/api/tokens/allocate', '/assign-token']);

/** Under way, here and in the queues behind, when one more is turned away: some tenths of a second of work. */
const LIMITS: Record<Demand, number> = { taking: 1000, other: 2000, reading: 400 };
/** Those of one key among them. */
const LIMITS_OF_KEY: Record<Demand, number> = { taking: 500, other: 1000, reading: 100 };

/** For so many that were turned away within a second, the next are asked to stay away for a second more. */
const A_SECOND_MORE = 300;
const LONGEST_RETRY_AFTER = 10;

const TOO_MUCH = new HttpProblem('unavailable', 'more is asked than can be served in time; nothing was changed');

export class Admission {
  readonly #commands = new UnderWay();
  readonly #reads = new UnderWay();
  readonly #lately = new Lately();
  #onTurnedAway: (what: Demand) => void = () => undefined;

  /**
   * @param saysMessage paths whose errors carry their detail as `message`, too
   * @param headers of every answer to a page of this origin
   */
  constructor(
    private readonly saysMessage: ReadonlySet<string>,
    private readonly headers: (origin: string | undefined) => Headers,
  ) {}

  onTurnedAway(listener: (what: Demand) => void): void {
    this.#onTurnedAway = listener;
  }

  /** At the very front. False when the request was turned away, and so is answered: before it was read, or asked for its key. */
  admits(req: IncomingMessage, res: ServerResponse): boolean {
    const path = pathOf(req.url as string);
    const what = demandOf(req.method, path);
    if (what === null || this.#of(what).all < LIMITS[what]) return true;
    const requestId = requestIdOf(req);
    const retryAfterSeconds = this.#retryAfter();
    res.setHeader('x-request-id', requestId);
    for (const [name, value] of this.headers(req.headers.origin)) res.setHeader(name, value);
    res.setHeader('retry-after', retryAfterSeconds);
    sendProblem(res, TOO_MUCH, requestId, this.saysMessage.has(path));
    restAfter(req, retryAfterSeconds * 1000);
    this.#onTurnedAway(what);
    return false;
  }

  /**
   * Middleware, when the whole body is there and it is known who asks: from now on the request has a place. A body that does not
   * end has none. Without keys everybody may be behind one address, so that no share is taken of it.
   */
  readonly count: RequestHandler = (req, res, next) => {
    const what = demandOf(req.method, req.path);
    if (what === null) return next();
    const underWay = this.#of(what);
    const keyId = req.key?.id;
    const isTooMuch = underWay.all >= LIMITS[what] || underWay.of(keyId) >= LIMITS_OF_KEY[what];
    if (!isTooMuch) {
      underWay.add(keyId, 1);
      res.once('close', () => underWay.add(keyId, -1));
      return next();
    }
    this.#onTurnedAway(what);
    const retryAfterSeconds = this.#retryAfter();
    restAfter(req, retryAfterSeconds * 1000);
    next(new HttpProblem(TOO_MUCH.code, TOO_MUCH.message, { retryAfterSeconds }));
  };

  #of(what: Demand): UnderWay {
    return what === 'reading' ? this.#reads : this.#commands;
  }

  /** In seconds; by lot, so that they do not come back all at once. */
  #retryAfter(): number {
    const longest = Math.min(1 + Math.floor(this.#lately.count() / A_SECOND_MORE), LONGEST_RETRY_AFTER);
    return 1 + Math.floor(Math.random() * longest);
  }
}

/** Null for what has no place: pages, health, and streams, which are counted for themselves. */
function demandOf(method: string | undefined, path: string): Demand | null {
  if (method === 'POST' || method === 'PATCH' || method === 'DELETE') return TAKING.has(path) ? 'taking' : 'other';
  return path.startsWith('/api/') && !path.endsWith('/events/stream') ? 'reading' : null;
}

/** Requests that have a place. */
class UnderWay {
  all = 0;
  readonly #byKey = new Map<string, number>();

  of(keyId: string | undefined): number {
    return keyId === undefined ? 0 : (this.#byKey.get(keyId) ?? 0);
  }

  add(keyId: string | undefined, more: 1 | -1): void {
    this.all += more;
    if (keyId === undefined) return;
    const left = this.of(keyId) + more;
    if (left === 0) this.#byKey.delete(keyId);
    else this.#byKey.set(keyId, left);
  }
}

/** How many in this second or in the one before, whichever is more. */
class Lately {
  #second = 0;
  #now = 0;
  #before = 0;

  /** One more. */
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

/** Once it is answered, nothing more is read from its connection for so long; a proxy's carries other people's requests, too. */
export function restAfter(req: IncomingMessage, ms: number): void {
  if (!('x-forwarded-for' in req.headers || 'via' in req.headers)) req.once('close', () => rest(req.socket, ms));
}

/** Who comes back too soon would otherwise have all of the time there is. */
function rest(socket: Socket, ms: number): void {
  if (socket.destroyed) return;
  socket.pause();
  setTimeout(() => socket.resume(), ms).unref();
}

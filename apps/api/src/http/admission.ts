// Turns away what is more than can be served in time, before it costs anything: if a refusal took as long as an
// answer, there would be no time left for answers. What gives a token back or keeps it is let in for longer than
// what takes one.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Demand } from '../metrics/http-metrics.js';
import type { Headers } from './answer-headers.js';
import { HttpProblem, sendProblem } from './problem.js';
import { pathOf, requestIdOf } from './request-log.js';

/** Paths of the commands that take a token; each is the whole route. */
const TAKING: ReadonlySet<string> = new Set(['/api/tokens/allocate', '/assign-token']);

/** Commands under way, here and in the queues behind, when one more is turned away: some tenths of a second of work. */
const LIMITS: Record<Demand, number> = { taking: 1000, other: 2000 };

/** For so many that were turned away within a second, the next are asked to stay away for a second more. */
const A_SECOND_MORE = 300;
const LONGEST_RETRY_AFTER = 10;

const TOO_MUCH = new HttpProblem('unavailable', 'more is asked than can be served in time; nothing was changed');

export class Admission {
  #underWay = 0;
  readonly #lately = new Lately();
  #onTurnedAway: (what: Demand) => void = () => undefined;

  /**
   * @param saysMessage paths whose errors carry their detail as `message`, too
   * @param headers of every answer
   */
  constructor(
    private readonly saysMessage: ReadonlySet<string>,
    private readonly headers: Headers,
  ) {}

  onTurnedAway(listener: (what: Demand) => void): void {
    this.#onTurnedAway = listener;
  }

  /** False when the request was turned away, and so is answered. Only commands are: reads wait for nobody's lock. */
  admits(req: IncomingMessage, res: ServerResponse): boolean {
    if (req.method !== 'POST') return true;
    const path = pathOf(req.url as string);
    const what = TAKING.has(path) ? 'taking' : 'other';
    if (this.#underWay >= LIMITS[what]) {
      this.#turnAway(path, req, res);
      this.#onTurnedAway(what);
      return false;
    }
    this.#underWay++;
    res.on('close', () => this.#underWay--);
    return true;
  }

  #turnAway(path: string, req: IncomingMessage, res: ServerResponse): void {
    const requestId = requestIdOf(req);
    const retryAfterSeconds = this.#retryAfter();
    res.setHeader('x-request-id', requestId);
    for (const [name, value] of this.headers) res.setHeader(name, value);
    res.setHeader('retry-after', retryAfterSeconds);
    sendProblem(res, TOO_MUCH, requestId, this.saysMessage.has(path));
    // A proxy's connection carries other people's requests, too.
    if (!('x-forwarded-for' in req.headers || 'via' in req.headers))
      req.once('close', () => rest(req.socket, retryAfterSeconds * 1000));
  }

  /** In seconds; by lot, so that they do not come back all at once. */
  #retryAfter(): number {
    const longest = Math.min(1 + Math.floor(this.#lately.count() / A_SECOND_MORE), LONGEST_RETRY_AFTER);
    return 1 + Math.floor(Math.random() * longest);
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

/** Nothing more is read from it until then: who comes back too soon would otherwise have all of the time there is. */
function rest(socket: Socket, ms: number): void {
  if (socket.destroyed) return;
  socket.pause();
  setTimeout(() => socket.resume(), ms).unref();
}

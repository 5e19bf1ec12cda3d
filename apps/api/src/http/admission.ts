// Turns away what is more than can be served in time, before it costs anything: if a refusal took as long as an
// answer, there would be no time left for answers. What gives a token back or keeps it is let in for longer than
// what takes one.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Demand } from '../metrics/http-metrics.js';
import { HttpProblem, problemDocument } from './problem.js';
import { pathOf, requestIdOf } from './request-log.js';

/** Paths of the commands that take a token; each is the whole route. */
const TAKING: ReadonlySet<string> = new Set(['/api/tokens/allocate', '/assign-token']);

/** Commands under way, here and in the queues behind, when one more is turned away: some tenths of a second of work. */
const LIMITS: Record<Demand, number> = { taking: 1000, other: 2000 };

const RETRY_AFTER_SECONDS = '1';

const TOO_MUCH = new HttpProblem('unavailable', 'more is asked than can be served in time; nothing was changed');

export class Admission {
  #underWay = 0;
  #onTurnedAway: (what: Demand) => void = () => undefined;

  onTurnedAway(listener: (what: Demand) => void): void {
    this.#onTurnedAway = listener;
  }

  /** False when the request was turned away, and so is answered. Only commands are: reads wait for nobody's lock. */
  admits(req: IncomingMessage, res: ServerResponse): boolean {
    if (req.method !== 'POST') return true;
    const path = pathOf(req.url as string);
    const what = TAKING.has(path) ? 'taking' : 'other';
    if (this.#underWay >= LIMITS[what]) {
      turnAway(path, req, res);
      this.#onTurnedAway(what);
      return false;
    }
    this.#underWay++;
    res.once('close', () => this.#underWay--);
    return true;
  }
}

function turnAway(path: string, req: IncomingMessage, res: ServerResponse): void {
  const requestId = requestIdOf(req);
  const document = problemDocument(TOO_MUCH, requestId);
  // The short routes say it as a message, too.
  const json = JSON.stringify(path.startsWith('/api/') ? document : { ...document, message: TOO_MUCH.message });
  res.writeHead(TOO_MUCH.status, {
    'x-request-id': requestId,
    'retry-after': RETRY_AFTER_SECONDS,
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(json),
  });
  res.end(json);
}

// Middleware, before the body is read: who asks. Finds the key that comes with a request, and counts the request.

import { containsKey, type KeyRing, type LiveKey } from '@app/keys';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Config } from '../config.js';
import { HttpProblem } from '../http/problem.js';
import { addressOf, networkOf } from './address.js';
import { FailedAttempts, RateLimit } from './rate-limits.js';
import { unauthenticated } from './unauthenticated.js';

declare module 'node:http' {
  interface IncomingMessage {
    /** The key that came with it, null without one. Undefined where none is asked for. */
    key?: LiveKey | null;
    /** Where it came from, where that is asked for. */
    address?: string;
  }
}

/**
 * What is served to everybody, without a key; the address counts for it. There is no route yet, whose mark would tell: `@Public` says
 * it again, and where the two differ nobody gets in, which test/http/access.spec.ts sees for every route.
 */
const FOR_EVERYBODY = /^\/(?:|health\/.*|console(?:\/.*)?|docs(?:\/.*)?|openapi(?:-3\.0)?\.json)$/;
/** Whoever asks whether the process lives must hear that it does, also amid a flood. */
const WITHOUT_LIMIT = '/health/live';
const BEARER = /^bearer +(\S+) *$/i;

/** Undefined where there is nothing to find out. */
export function identify(
  config: Pick<Config, 'auth' | 'rateLimit'>,
  ringOf: () => KeyRing,
): RequestHandler | undefined {
  const limit = config.rateLimit > 0 ? new RateLimit(config.rateLimit) : undefined;
  if (config.auth === 'open') return limit && ((req, res, next) => settled(byAddress(req, res), next));
  const ring = ringOf();
  const attempts = new FailedAttempts();

  return (req, res, next) => {
    req.key = null;
    if (containsKey(req.url)) {
      const detail = 'a key does not belong in a URL, which others keep: send it as Authorization: Bearer tp_…';
      return next(new HttpProblem('invalid_request', detail));
    }
    if (req.method === 'OPTIONS' || FOR_EVERYBODY.test(req.path)) return settled(byAddress(req, res), next);
    const text = BEARER.exec(req.headers.authorization ?? '')?.[1];
    const known = text === undefined ? null : ring.recall(text);
    req.address = addressOf(req);
    if (known === null) return settled(stranger(text, req, res), next);
    req.key = known;
    if (limit) return settled(limit.count('key', known.id, res), next);
    next();
  };

  /** A key that has to be looked up, or none. A good one gets in whatever else came from its address: that counts for bad ones. */
  async function stranger(text: string | undefined, req: Request, res: Response): Promise<void> {
    const network = networkOf(req.address as string);
    // Nobody waits any more for the answer to a request that was given up: whether its key is good stays open.
    const look = async (one: string): Promise<LiveKey | null | undefined> => (res.closed ? undefined : ring.check(one));
    const looked = (one: string): ReturnType<typeof look> =>
      ring.wasGood(one) ? look(one) : attempts.look(network, one, () => look(one));
    const key = text === undefined ? null : await looked(text);
    if (!key) {
      await limit?.count('address', network, res);
      throw unauthenticated();
    }
    req.key = key;
    await limit?.count('key', key.id, res);
  }

  async function byAddress(req: Request, res: Response): Promise<void> {
    if (req.path === WITHOUT_LIMIT) return;
    req.address = addressOf(req);
    await limit?.count('address', networkOf(req.address), res);
  }
}

const settled = (work: Promise<void>, next: NextFunction): void => void work.then(() => next(), next);

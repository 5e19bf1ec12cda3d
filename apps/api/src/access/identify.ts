// Middleware that runs before the body is read: authenticates the request's key and counts the request for rate limits.

import { containsKey, type KeyRing, type LiveKey } from '@app/keys';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Config } from '../config.js';
import { HttpProblem } from '../http/problem.js';
import { addressOf, networkOf } from './address.js';
import { FailedAttempts, RateLimit } from './rate-limits.js';
import { unauthenticated } from './unauthenticated.js';

declare module 'node:http' {
  interface IncomingMessage {
    /** The request's key; null without a valid one; undefined with AUTH=open. */
    key?: LiveKey | null;
    /** The client address, where a limit or a key check needed it. */
    address?: string;
  }
}

/**
 * The paths that need no key; their requests count for the client's address. This middleware runs before routing, so it
 * cannot read `@Public`, which repeats the list. Where the two differ, the request is refused; test/http/access.spec.ts
 * checks every route.
 */
const PUBLIC_PATHS = /^\/(?:|health\/.*|console(?:\/.*)?|docs(?:\/.*)?|openapi(?:-3\.0)?\.json)$/;
/**
 * An orchestrator restarts a process whose liveness probe fails, so a flood of requests must not use up the probe's
 * limit.
 */
const UNLIMITED_PATH = '/health/live';
const BEARER = /^bearer +(\S+) *$/i;

/** @returns undefined when the configuration asks for neither keys nor limits */
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
    if (req.method === 'OPTIONS' || PUBLIC_PATHS.test(req.path)) return settled(byAddress(req, res), next);
    const text = BEARER.exec(req.headers.authorization ?? '')?.[1];
    const known = text === undefined ? null : ring.recall(text);
    req.address = addressOf(req);
    if (known === null) return settled(lookUp(text, req, res), next);
    req.key = known;
    if (limit) return settled(limit.count('key', known.id, res), next);
    next();
  };

  /**
   * Handles a request without a key, or with one that the ring does not remember. Bad attempts slow down their network
   * but never refuse a valid key.
   */
  async function lookUp(text: string | undefined, req: Request, res: Response): Promise<void> {
    const network = networkOf(req.address as string);
    // A client that has hung up needs no look-up: the key's validity stays unknown.
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
    if (req.path === UNLIMITED_PATH) return;
    req.address = addressOf(req);
    await limit?.count('address', networkOf(req.address), res);
  }
}

const settled = (work: Promise<void>, next: NextFunction): void => void work.then(() => next(), next);

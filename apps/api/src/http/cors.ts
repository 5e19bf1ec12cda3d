// Lets pages of the listed origins use the API from a browser. Other origins get no CORS headers, so browsers keep the
// answer from their pages. https://fetch.spec.whatwg.org/#http-cors-protocol

import type { RequestHandler } from 'express';
import type { Headers } from './answer-headers.js';

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const REQUEST_HEADERS =
  'authorization, content-type, idempotency-key, last-event-id, traceparent, tracestate, x-request-id';
const ANSWER_HEADERS =
  'x-request-id, retry-after, idempotency-replayed, ratelimit, ratelimit-policy, www-authenticate, date';
/** The longest time that browsers accept. */
const PREFLIGHT_SECONDS = '7200';

/** @returns a function that gives the headers of an answer to a page of an origin */
export function corsHeaders(origins: readonly string[]): (origin: string | undefined) => Headers {
  if (origins.length === 0) return () => [];
  const listed = new Set(origins);
  // A cache must not give one origin's answer to another one.
  const vary = ['vary', 'origin'] as const;
  return (origin) =>
    origin === undefined || !listed.has(origin)
      ? [vary]
      : [vary, ['access-control-allow-origin', origin], ['access-control-expose-headers', ANSWER_HEADERS]];
}

/** Sets the headers; `answerPreflight` answers a preflight request. */
export function cors(allow: ReturnType<typeof corsHeaders>): RequestHandler {
  return (req, res, next) => {
    for (const [name, value] of allow(req.headers.origin)) res.setHeader(name, value);
    if (!res.hasHeader('access-control-allow-origin')) return next();
    if (req.method !== 'OPTIONS' || req.headers['access-control-request-method'] === undefined) return next();
    res.setHeader('access-control-allow-methods', METHODS);
    res.setHeader('access-control-allow-headers', REQUEST_HEADERS);
    res.setHeader('access-control-max-age', PREFLIGHT_SECONDS);
    next();
  };
}

/** Runs after the limits, so that they count preflight requests, too. */
export const answerPreflight: RequestHandler = (_req, res, next) => {
  if (!res.hasHeader('access-control-allow-methods')) return next();
  res.statusCode = 204;
  res.end();
};

// Whose pages may ask from a browser: those of the origins that are listed. Nothing is told to others, so browsers keep
// the answer from them. https://fetch.spec.whatwg.org/#http-cors-protocol

import type { RequestHandler } from 'express';

const METHODS = 'GET, HEAD, POST, PATCH, DELETE';
const REQUEST_HEADERS =
  'authorization, content-type, idempotency-key, last-event-id, traceparent, tracestate, x-request-id';
const ANSWER_HEADERS =
  'x-request-id, retry-after, idempotency-replayed, ratelimit, ratelimit-policy, www-authenticate, date';
/** As long as browsers will remember it. */
const PREFLIGHT_SECONDS = '7200';

/** What every answer says; `answerPreflight` ends it when the request was a question about another one. */
export function cors(origins: readonly string[]): RequestHandler {
  const listed = new Set(origins);
  return (req, res, next) => {
    // What is kept of an answer on its way is for one origin.
    res.setHeader('vary', 'origin');
    const { origin } = req.headers;
    if (origin === undefined || !listed.has(origin)) return next();
    res.setHeader('access-control-allow-origin', origin);
    res.setHeader('access-control-expose-headers', ANSWER_HEADERS);
    if (req.method !== 'OPTIONS' || req.headers['access-control-request-method'] === undefined) return next();
    res.setHeader('access-control-allow-methods', METHODS);
    res.setHeader('access-control-allow-headers', REQUEST_HEADERS);
    res.setHeader('access-control-max-age', PREFLIGHT_SECONDS);
    next();
  };
}

/** Behind the limits, which count it. */
export const answerPreflight: RequestHandler = (_req, res, next) => {
  if (!res.hasHeader('access-control-allow-methods')) return next();
  res.statusCode = 204;
  res.end();
};

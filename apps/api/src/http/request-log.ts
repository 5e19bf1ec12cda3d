// The first middleware: gives each request its id and the headers of every answer; at the end counts it and writes one
// line to the log.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { containsKey, withoutKeys } from '@app/keys';
import type { NextFunction, Request, Response } from 'express';
import type { Logger } from 'pino';
import type { HttpMetrics } from '../metrics/http-metrics.js';
import type { Headers } from './answer-headers.js';
import { HttpProblem } from './problem.js';
import { routeOf } from './route-of.js';

declare module 'node:http' {
  interface ServerResponse {
    requestId: string;
    /** The request's trace; undefined without tracing. */
    trace?: unknown;
  }
}

const ACCEPTED_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** Prometheus reads it every few seconds, so the log has it at level debug only. */
const METRICS = '/metrics';

export function requestLog(
  logger: Logger,
  metrics: HttpMetrics,
  headers: Headers,
): (req: Request, res: Response, next: NextFunction) => void {
  return (req, res, next) => {
    const start = performance.now();
    const { method } = req;
    const path = withoutKeys(pathOf(req.url));
    const requestId = requestIdOf(req);
    res.requestId = requestId;
    res.setHeader('x-request-id', requestId);
    for (const [name, value] of headers) res.setHeader(name, value);
    res.on('close', () => {
      const duration_ms = Math.round((performance.now() - start) * 1000) / 1000;
      metrics.record(method, routeOf(req), res.writableFinished ? res.statusCode : undefined, duration_ms);
      const { statusCode: status } = res;
      const line = { request_id: requestId, method, path, status, duration_ms, key: req.key?.id, address: req.address };
      if (path === METRICS) logger.debug(line, 'request');
      else if (res.writableFinished) logger.info(line, 'request');
      else logger.info({ ...line, status: null }, 'request given up by the client');
    });
    next(lacksHost(req) ? new HttpProblem('invalid_request', 'the header Host must be given') : undefined);
  };
}

/** @returns the client's own id if it is valid, else a new one */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && ACCEPTED_ID.test(given) && !containsKey(given) ? given : randomUUID();
}

/** RFC 9112 section 3.2 demands a refusal of HTTP/1.1 without Host. Node's own refusal has no problem document. */
const lacksHost = ({ headers, httpVersion }: Request): boolean => headers.host === undefined && httpVersion === '1.1';

/** @returns the path without the query, which may hold private data and does not belong in a log */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

// A span for each request, the parent of the spans of its work. It continues the trace of a W3C `traceparent` header. A
// span contains neither the path nor any input: a token's id alone may suffice to release the token.
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server

import { api } from '@opentelemetry/sdk-node';
import type { NextFunction, Request, Response } from 'express';
import { pathOf } from '../http/request-log.js';
import { routeOf } from '../http/route-of.js';

/** Probes and scrapers request these every few seconds; their spans would only cost. */
const UNTRACED = /^\/(health\/|metrics$)/;

export function traceRequests(tracer: api.Tracer): (req: Request, res: Response, next: NextFunction) => void {
  return (req, res, next) => {
    if (UNTRACED.test(pathOf(req.url))) return next();
    const { method, httpVersion } = req;
    const sender = api.propagation.extract(api.ROOT_CONTEXT, req.headers);
    const attributes = {
      'http.request.method': method,
      'url.scheme': req.protocol,
      'network.protocol.version': httpVersion,
    };
    const span = tracer.startSpan(method, { kind: api.SpanKind.SERVER, attributes }, sender);
    if (!span.isRecording()) return next();
    res.trace = span;
    res.once('close', () => {
      const route = routeOf(req);
      if (route !== undefined) span.updateName(`${method} ${route}`).setAttribute('http.route', route);
      span.setAttribute('token_pool.request_id', res.requestId);
      if (!res.writableFinished) fail(span, 'aborted');
      else {
        span.setAttribute('http.response.status_code', res.statusCode);
        if (res.statusCode >= 500) fail(span, String(res.statusCode));
      }
      span.end();
    });
    next();
  };
}

function fail(span: api.Span, type: string): void {
  span.setAttribute('error.type', type).setStatus({ code: api.SpanStatusCode.ERROR });
}

// The errors of the API: code, status and title of each, and the problem document (RFC 9457).

import type { ServerResponse } from 'node:http';
import { type DomainError, type DomainErrorCode, type DomainErrorFacts } from '@app/tokens';

/** Codes of the HTTP layer. */
type HttpErrorCode =
  | 'invalid_status'
  | 'invalid_token_id'
  | 'route_not_found'
  | 'unauthenticated'
  | 'rate_limited'
  | 'request_timeout'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'header_too_large'
  | 'internal_error';

export type ProblemCode = DomainErrorCode | HttpErrorCode;

/** Exhaustive: a code without a status does not compile. */
export const PROBLEMS: Readonly<Record<ProblemCode, { readonly status: number; readonly title: string }>> = {
  invalid_request: { status: 400, title: 'The request breaks a rule' },
  invalid_status: { status: 400, title: 'There is no such status' },
  secrets_off: { status: 400, title: 'The service keeps no secrets' },
  invalid_token_id: { status: 400, title: 'The token id is not a UUID' },
  unauthenticated: { status: 401, title: 'There is no key that is good' },
  pool_is_fixed: { status: 403, title: 'The tokens of a fixed pool stay as they are' },
  pool_limit_reached: { status: 403, title: 'The pool has all the tokens it may have' },
  insufficient_scope: { status: 403, title: 'The key is not for this' },
  lease_handle_required: { status: 403, title: 'The pool asks for the lease_id' },
  token_not_found: { status: 404, title: 'There is no such token' },
  pool_not_found: { status: 404, title: 'There is no such pool' },
  ticket_not_found: { status: 404, title: 'There is no such ticket' },
  key_not_found: { status: 404, title: 'There is no such key' },
  route_not_found: { status: 404, title: 'There is no such route' },
  nothing_dirty: { status: 404, title: 'Nothing waits to be cleaned' },
  token_not_active: { status: 404, title: 'The token has no open lease' },
  request_timeout: { status: 408, title: 'The request did not arrive in time' },
  stale_lease: { status: 409, title: 'The lease named is not the open one' },
  pool_exhausted: { status: 409, title: 'No token is free' },
  pool_paused: { status: 409, title: 'The pool is paused' },
  not_renewable: { status: 409, title: 'Leases of the pool cannot be renewed' },
  token_exists: { status: 409, title: 'There is a token of that name' },
  pool_not_listed: { status: 409, title: 'The pool is not listed' },
  token_in_use: { status: 409, title: 'The token is held' },
  token_disabled: { status: 409, title: 'The token is out of service' },
  pool_exists: { status: 409, title: 'There is a pool of that name' },
  pool_deleted: { status: 410, title: 'The pool was deleted' },
  ticket_ended: { status: 410, title: 'The ticket is over' },
  lease_ended: { status: 410, title: 'The lease is over' },
  token_deleted: { status: 410, title: 'The token was deleted' },
  position_unknown: { status: 410, title: 'The position is not of this database' },
  history_dropped: { status: 410, title: 'Events that old are not kept' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body is not JSON in UTF-8' },
  idempotency_key_reused: { status: 422, title: 'The idempotency key was used for another request' },
  unsatisfiable: { status: 422, title: 'Nothing in the pool could ever match' },
  quota_exceeded: { status: 429, title: 'As many leases are held as the pool allows' },
  line_full: { status: 429, title: 'As many wait as may' },
  rate_limited: { status: 429, title: 'Asked too often' },
  header_too_large: { status: 431, title: 'The headers are too large' },
  internal_error: { status: 500, title: 'Something went wrong here' },
  unavailable: { status: 503, title: 'Not possible at the moment' },
};

/** An error of the HTTP layer, or one of the domain to which a route gives another status. */
export class HttpProblem extends Error {
  constructor(
    readonly code: ProblemCode,
    detail: string,
    readonly facts: DomainErrorFacts = {},
    readonly status: number = PROBLEMS[code].status,
  ) {
    // A refusal is no bug, and its stack trace would cost more than its answer.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(detail);
    Error.stackTraceLimit = stackTraceLimit;
  }

  static of({ code, message, facts }: DomainError, status?: number): HttpProblem {
    return new HttpProblem(code, message, facts, status);
  }
}

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly error: ProblemCode;
  readonly request_id: string;
}

export const problemDocument = ({ code, status, message, facts }: HttpProblem, requestId: string): ProblemDocument => ({
  type: `urn:problem-type:token-pool:${code}`,
  title: PROBLEMS[code].title,
  status,
  detail: message,
  error: code,
  request_id: requestId,
  ...facts.fields,
});

/** @param saysMessage whether the document also has its detail as `message`, as on the short routes */
export function sendProblem(res: ServerResponse, problem: HttpProblem, requestId: string, saysMessage: boolean): void {
  const document = problemDocument(problem, requestId);
  const json = JSON.stringify(saysMessage ? { ...document, message: problem.message } : document);
  const { retryAfterSeconds } = problem.facts;
  if (retryAfterSeconds !== undefined) res.setHeader('retry-after', retryAfterSeconds);
  if (problem.code === 'unauthenticated') res.setHeader('www-authenticate', 'Bearer realm="token-pool"');
  res.statusCode = problem.status;
  res.setHeader('content-type', 'application/problem+json; charset=utf-8');
  res.setHeader('content-length', Buffer.byteLength(json));
  res.end(json);
}

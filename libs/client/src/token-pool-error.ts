// The error for a request that the service has refused.

import type { ErrorCode, Problem } from './api-types.js';

export class TokenPoolError extends Error {
  override readonly name = 'TokenPoolError';
  /** The stable code, for programs. */
  readonly code: ErrorCode;
  /** The HTTP status. */
  readonly status: number;
  /** What was wrong, and with which field, for people. */
  readonly detail: string;
  /** The request's id in the service's log. */
  readonly requestId: string;

  constructor(
    /** The whole body of the response. */
    readonly problem: Problem,
    /** Seconds to wait before another attempt, if the service has sent them. */
    readonly retryAfter?: number,
  ) {
    super(`${problem.error}: ${problem.detail}`);
    this.code = problem.error;
    this.status = problem.status;
    this.detail = problem.detail;
    this.requestId = problem.request_id;
  }

  /** Whether `error` is a refusal with one of these codes. */
  static is<Code extends ErrorCode>(
    error: unknown,
    ...codes: Code[]
  ): error is TokenPoolError & { readonly code: Code } {
    return error instanceof TokenPoolError && (codes as ErrorCode[]).includes(error.code);
  }
}

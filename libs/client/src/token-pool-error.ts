// What the service refused, and why.

import type { ErrorCode, Problem } from './api-types.js';

export class TokenPoolError extends Error {
  override readonly name = 'TokenPoolError';
  /** The stable code: what programs decide by. */
  readonly code: ErrorCode;
  /** Of HTTP. */
  readonly status: number;
  /** What was wrong, and with which field: for people. */
  readonly detail: string;
  /** Names the request in the log of the service. */
  readonly requestId: string;

  constructor(
    /** All that the service answered. */
    readonly problem: Problem,
    /** Seconds after which asking again makes sense, if the service said so. */
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

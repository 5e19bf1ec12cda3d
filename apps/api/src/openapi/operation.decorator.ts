// Declares a route in the OpenAPI document, and sets the status of its successful answer.

import { applyDecorators, HttpCode, type Type } from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { ProblemCode } from '../http/problem.js';
import { Problems, type Declared } from './problems.decorator.js';

interface Operation {
  readonly summary: string;
  readonly description: string;
  readonly answer: Type;
  /** Default: 200. */
  readonly status?: 200 | 201;
  /** Another successful answer. */
  readonly also?: { readonly status: number; readonly answer: Type; readonly description: string };
  /** The errors of the route, beside those of every request (`ALWAYS`). */
  readonly problems?: readonly Declared[];
}

const ALWAYS: readonly ProblemCode[] = ['invalid_request', 'internal_error', 'unavailable'];

/** The errors of every request with a body. */
export const BODY: readonly ProblemCode[] = ['body_too_large', 'unsupported_media_type'];

/** The errors of every request with a token in its path. */
export const OF_TOKEN: readonly ProblemCode[] = ['invalid_token_id', 'token_not_found'];

/** The errors of every request to a pool that was not deleted. */
export const OF_POOL: readonly ProblemCode[] = ['pool_not_found', 'pool_deleted'];

/** The errors of every request that lists the tokens of a pool. */
export const OF_LIST: readonly ProblemCode[] = [...OF_POOL, 'position_unknown'];

/** The errors of every request that renews or ends the open lease of a token. */
export const OF_LEASE: readonly ProblemCode[] = [
  ...OF_TOKEN,
  'token_deleted',
  'token_not_active',
  'lease_handle_required',
  'stale_lease',
  'lease_ended',
];

/** @param operationId the method name in generated clients; a change breaks them */
export function Operation(
  operationId: string,
  { summary, description, answer, status = 200, also, problems = [] }: Operation,
): MethodDecorator {
  return applyDecorators(
    HttpCode(status),
    ApiOperation({ operationId, summary, description }),
    ApiResponse({ status, type: answer, description: 'Done.' }),
    ...(also ? [ApiResponse({ status: also.status, type: also.answer, description: also.description })] : []),
    Problems(...ALWAYS, ...problems),
  );
}

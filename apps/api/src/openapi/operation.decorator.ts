// A route's entry in the OpenAPI document, and the status that goes with it.

import { applyDecorators, HttpCode, type Type } from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { ProblemCode } from '../http/problem.js';
import { Problems, type Declared } from './problems.decorator.js';

interface Operation {
  readonly summary: string;
  readonly description: string;
  readonly answer: Type;
  /** 200 when left out. */
  readonly status?: 200 | 201;
  /** What may go wrong, beside what may happen to every request: a bug, and a database out of reach. */
  readonly problems?: readonly Declared[];
}

const ALWAYS: readonly ProblemCode[] = ['invalid_request', 'internal_error', 'unavailable'];

/** What may happen to every request with a body. */
export const BODY: readonly ProblemCode[] = ['body_too_large', 'unsupported_media_type'];

/** … with a token in its path. */
export const OF_TOKEN: readonly ProblemCode[] = ['invalid_token_id', 'token_not_found'];

/** … that lists the tokens of a pool. */
export const OF_LIST: readonly ProblemCode[] = ['pool_not_found', 'position_unknown'];

/** … that is about the open lease of a token. */
export const OF_LEASE: readonly ProblemCode[] = [
  ...OF_TOKEN,
  'token_deleted',
  'token_not_active',
  'lease_handle_required',
  'stale_lease',
  'lease_ended',
];

/** @param operationId becomes the method name of generated clients: never changed */
export function Operation(
  operationId: string,
  { summary, description, answer, status = 200, problems = [] }: Operation,
): MethodDecorator {
  return applyDecorators(
    HttpCode(status),
    ApiOperation({ operationId, summary, description }),
    ApiResponse({ status, type: answer, description: 'Done.' }),
    Problems(...ALWAYS, ...problems),
  );
}

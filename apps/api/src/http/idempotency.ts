// Requests that may be sent again: `Idempotency-Key` read from a request, and declared in the OpenAPI document.

import { createHash } from 'node:crypto';
import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import { ANSWERS_ARE_KEPT_HOURS, type Caller, type Idempotency } from '@app/tokens';
import type { Request, Response } from 'express';
import { Problems } from '../openapi/problems.decorator.js';
import { callerOf } from './current-caller.decorator.js';
import { isGone } from './gone.decorator.js';
import { HttpProblem } from './problem.js';

const KEY = /^[\x21-\x7e]{1,255}$/;

export interface RequestContext {
  readonly caller: Caller;
  /** Undefined when the request carries no key for it. */
  readonly idempotency: Idempotency | undefined;
  readonly isGone: () => boolean;
}

/** Who asks, and whether the request is the same as an earlier one. In one parameter: each costs a request its time. */
export const CurrentRequest = createParamDecorator((_: unknown, context: ExecutionContext): RequestContext => {
  const http = context.switchToHttp();
  const [req, res] = [http.getRequest<Request>(), http.getResponse<Response>()];
  return { caller: callerOf(req, res), idempotency: idempotencyOf(req, res), isGone: () => isGone(res) };
});

function idempotencyOf(req: Request, res: Response): Idempotency | undefined {
  const key = req.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw new HttpProblem('invalid_request', 'Idempotency-Key must be 1 to 255 visible ASCII characters');
  }
  const onReplay = (): unknown => res.setHeader('idempotency-replayed', 'true');
  // Nobody gets what another key was granted.
  const ofKey = req.key ? `${req.key.id} ${key}` : key;
  return { key: ofKey, fingerprint: fingerprintOf(req), onReplay };
}

/** Declares the header and the error of a route that takes `@CurrentRequest()`. */
export const Idempotent = (): MethodDecorator =>
  applyDecorators(
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description:
        'Makes the request safe to send again: within the pool, for ' +
        `${ANSWERS_ARE_KEPT_HOURS} hours, the same key and request get the same answer and have one effect.`,
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]+$' },
    }),
    Problems('idempotency_key_reused'),
  );

/** Over what is asked for, wherever in the request it stands: a route and its alias ask for the same. */
function fingerprintOf({ params, query, body }: Request): string {
  const asked = { ...params, ...query, ...(body as object | undefined) };
  try {
    return createHash('sha256').update(JSON.stringify(asked, sorted)).digest('base64url');
  } catch {
    throw new HttpProblem('invalid_request', 'the body nests too deep');
  }
}

/** Objects with their keys in order: JSON has none. */
const sorted = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

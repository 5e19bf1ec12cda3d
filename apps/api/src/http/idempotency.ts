// Reads `Idempotency-Key` from a request, and declares it in the OpenAPI document.

import { createHash } from 'node:crypto';
import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import { IDEMPOTENCY_RECORD_HOURS, type Caller, type Idempotency } from '@app/tokens';
import type { Request, Response } from 'express';
import { Problems } from '../openapi/problems.decorator.js';
import { callerOf } from './current-caller.decorator.js';
import { ifUndelivered, isGone } from './gone.decorator.js';
import { HttpProblem } from './problem.js';

const KEY = /^[\x21-\x7e]{1,255}$/;

export interface RequestContext {
  readonly caller: Caller;
  /** undefined without an `Idempotency-Key` */
  readonly idempotency: Idempotency | undefined;
  readonly isGone: () => boolean;
  readonly ifUndelivered: (work: () => void) => void;
}

/** The caller and the idempotency of a request. One parameter for both, since each decorated parameter costs time. */
export const CurrentRequest = createParamDecorator((_: unknown, context: ExecutionContext): RequestContext => {
  const http = context.switchToHttp();
  const [req, res] = [http.getRequest<Request>(), http.getResponse<Response>()];
  return {
    caller: callerOf(req, res),
    idempotency: idempotencyOf(req, res),
    isGone: () => isGone(res),
    ifUndelivered: (work) => ifUndelivered(res, work),
  };
});

function idempotencyOf(req: Request, res: Response): Idempotency | undefined {
  const key = req.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw new HttpProblem('invalid_request', 'Idempotency-Key must be 1 to 255 visible ASCII characters');
  }
  const onReplay = (): unknown => res.setHeader('idempotency-replayed', 'true');
  // The key's id is part of it, so that no caller gets the answer of another key.
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
        `${IDEMPOTENCY_RECORD_HOURS} hours, the same key and request get the same answer and have one effect.`,
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]+$' },
    }),
    Problems('idempotency_key_reused'),
  );

/**
 * Hashes path parameters, query and body together, so that a route and its alias have the same fingerprint. A secret
 * does not count: the fingerprint is stored, and a PIN of four digits would be guessed from its hash.
 */
function fingerprintOf({ params, query, body }: Request): string {
  const asked = { ...params, ...query, ...(body as object | undefined), secret: undefined };
  try {
    return createHash('sha256').update(JSON.stringify(asked, sorted)).digest('base64url');
  } catch {
    throw new HttpProblem('invalid_request', 'the body nests too deep');
  }
}

/** Sorts the names of objects, since their order has no meaning in JSON. */
const sorted = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

// The access rule of a route, which every route declares. The guard refuses all requests to a route without one.

import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { Scope } from '@app/keys';
import { Problems } from '../openapi/problems.decorator.js';

/** Where a request names the pool that its key must have access to. */
export type PoolPlace =
  | 'the path'
  | 'the body'
  /** `pool` in the body; without it, all pools that the key has access to. */
  | 'the body, or all'
  | 'the query'
  /** The pool of the token in the path. */
  | 'its token'
  /** The pool of the ticket in the path. */
  | 'its ticket'
  /** The pool `elastic`, which the short routes use. */
  | 'elastic'
  /** `name` in the body: the pool to create. */
  | 'its name'
  /** The request names no pool: the answer leaves out what the key has no access to. */
  | 'the answer';

export interface Access {
  /** The key needs one of them. */
  readonly scopes: readonly Scope[];
  readonly pool: PoolPlace;
}

const ACCESS = Symbol('ACCESS');
const PUBLIC = 'public';

/**
 * Restricts a route to keys that have one of the scopes, and access to the pool that the request names. Declares the
 * scopes and the errors 401, 403 and 429 in the OpenAPI document.
 */
export const RequireScope = (scope: Scope | readonly Scope[], pool: PoolPlace): MethodDecorator => {
  const scopes = typeof scope === 'string' ? [scope] : scope;
  return applyDecorators(
    SetMetadata(ACCESS, { scopes, pool } satisfies Access),
    ApiExtension('x-scopes', scopes),
    ApiSecurity('key'),
    Problems('unauthenticated', 'insufficient_scope', 'rate_limited'),
  );
};

/** Opens a route to everybody, with or without a key. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(ACCESS, PUBLIC);

/** The access rule of a route; undefined when neither the handler nor its controller declares one. */
export const accessOf = (handler: object, controller: object): Access | typeof PUBLIC | undefined =>
  (Reflect.getMetadata(ACCESS, handler) ?? Reflect.getMetadata(ACCESS, controller)) as ReturnType<typeof accessOf>;

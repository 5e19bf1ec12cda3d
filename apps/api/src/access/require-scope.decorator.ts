// Who may use a route: a mark that every route carries. What carries none is for nobody.

import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { Scope } from '@app/keys';
import { Problems } from '../openapi/problems.decorator.js';

/** Where a request names the pool that its key must be for. */
export type PoolPlace =
  | 'the path'
  | 'the body'
  | 'the query'
  /** That of the token in the path. */
  | 'its token'
  /** The short routes. */
  | 'elastic'
  /** The name of the pool that is to be made. */
  | 'its name'
  /** None: the answer leaves out what the key is not for. */
  | 'the answer';

export interface Access {
  /** One of them will do. */
  readonly scopes: readonly Scope[];
  readonly pool: PoolPlace;
}

const ACCESS = Symbol('ACCESS');
const PUBLIC = 'public';

/** For keys with one of the scopes, each for its pools. */
export const RequireScope = (scope: Scope | readonly Scope[], pool: PoolPlace): MethodDecorator => {
  const scopes = typeof scope === 'string' ? [scope] : scope;
  return applyDecorators(
    SetMetadata(ACCESS, { scopes, pool } satisfies Access),
    ApiExtension('x-scopes', scopes),
    ApiSecurity('key'),
    Problems('unauthenticated', 'insufficient_scope', 'rate_limited'),
  );
};

/** For everybody, with or without a key. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(ACCESS, PUBLIC);

/** What a route carries; undefined when nobody has said it. */
export const accessOf = (handler: object, controller: object): Access | typeof PUBLIC | undefined =>
  (Reflect.getMetadata(ACCESS, handler) ?? Reflect.getMetadata(ACCESS, controller)) as ReturnType<typeof accessOf>;

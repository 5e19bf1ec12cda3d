// Refuses a body or a query that the route does not declare, so that no input is silently ignored.

import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/internal';
import { withoutKeys } from '@app/keys';
import type { Request } from 'express';
import { HttpProblem } from './problem.js';

interface Declared {
  readonly body: boolean;
  readonly query: boolean;
}

@Injectable()
export class DeclaredInputGuard implements CanActivate {
  readonly #declared = new Map<unknown, Declared>();

  canActivate(context: ExecutionContext): boolean {
    const req = context.switchToHttp().getRequest<Request>();
    const { body, query } = this.#declaredBy(context);
    if (!query && req.url.includes('?')) refuseAny(req.query, 'the query');
    if (!body && req.body !== undefined) refuseAny(req.body, 'the body');
    return true;
  }

  #declaredBy(context: ExecutionContext): Declared {
    const handler = context.getHandler();
    let declared = this.#declared.get(handler);
    if (!declared) {
      const args = Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), handler.name) as object | undefined;
      // `3:0` is a body as the first parameter. Our own decorators have keys that begin with a random word.
      const types = Object.keys(args ?? {}).map((place) => Number(place.split(':')[0]));
      declared = { body: types.includes(RouteParamtypes.BODY), query: types.includes(RouteParamtypes.QUERY) };
      this.#declared.set(handler, declared);
    }
    return declared;
  }
}

function refuseAny(given: unknown, where: string): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new HttpProblem('invalid_request', `${where} must be empty: this route takes none`);
  }
  const [name] = Object.keys(given);
  if (name !== undefined) throw unknownField(name, where);
}

export const unknownField = (name: string, where: string): HttpProblem =>
  new HttpProblem(
    'invalid_request',
    `${JSON.stringify(withoutKeys(name).slice(0, 64))} in ${where} is not known to this route`,
  );

// The name of a pool in a path.

import { Param, type PipeTransform } from '@nestjs/common';
import { POOL_NAME } from '@app/tokens';
import { HttpProblem } from '../http/problem.js';

class PoolNamePipe implements PipeTransform<string, string> {
  transform(name: string): string {
    if (POOL_NAME.test(name)) return name;
    throw new HttpProblem('invalid_request', `the name of the pool in the path must match ${POOL_NAME.source}`);
  }
}

export const PoolName = (): ParameterDecorator => Param('name', new PoolNamePipe());

/** Declares the path parameter in the OpenAPI document. */
export const POOL_NAME_PARAM = {
  name: 'name',
  schema: { type: 'string', pattern: POOL_NAME.source },
  description: 'The pool.',
} as const;

// The key that asks for something about keys. Where none is asked for there is nobody who could give one away: keys that
// anybody made would be good later, when keys are asked for.

import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { LiveKey } from '@app/keys';
import type { Request } from 'express';
import { HttpProblem } from '../http/problem.js';

export const Issuer = createParamDecorator((_: unknown, context: ExecutionContext): LiveKey => {
  const { key } = context.switchToHttp().getRequest<Request>();
  if (key) return key;
  throw new HttpProblem(
    'insufficient_scope',
    'with AUTH=open keys are made on the command line: npm run -s admin -- keys --help',
  );
});

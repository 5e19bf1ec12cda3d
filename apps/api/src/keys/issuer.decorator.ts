// The key that authorises a request about keys. With AUTH=open there is none, so the routes refuse: a key that anybody
// created now would stay valid when the service runs with AUTH=keys later.

import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { LiveKey } from '@app/keys';
import type { Request } from 'express';
import { HttpProblem } from '../http/problem.js';

/** @throws HttpProblem `insufficient_scope` with AUTH=open */
export const Issuer = createParamDecorator((_: unknown, context: ExecutionContext): LiveKey => {
  const { key } = context.switchToHttp().getRequest<Request>();
  if (key) return key;
  throw new HttpProblem(
    'insufficient_scope',
    'with AUTH=open keys are made on the command line: npm run -s admin -- keys --help',
  );
});

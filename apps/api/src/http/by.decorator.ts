// Who asks, for whatever the audit will name it with.

import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ANYBODY, type Caller } from '@app/tokens';
import type { Response } from 'express';

export const By = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { requestId, trace } = context.switchToHttp().getResponse<Response>();
  return { ...ANYBODY, requestId, trace };
});

// Who asks, for whatever the audit will name it with.

import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { LiveKey } from '@app/keys';
import { ANYBODY, type Caller } from '@app/tokens';
import type { Request, Response } from 'express';

export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const http = context.switchToHttp();
  return callerOf(http.getRequest<Request>(), http.getResponse<Response>());
});

export function callerOf({ key }: Request, { requestId, trace }: Response): Caller {
  return { ...(key === undefined ? ANYBODY : rightsOf(key)), requestId, trace };
}

function rightsOf(key: LiveKey | null): Omit<Caller, 'requestId' | 'trace'> {
  // Behind the guard there is always one; if ever there is not, nobody may do nothing.
  if (key === null) return { keyId: '', pools: new Set(), mayOperate: false };
  const { id: keyId, pools, scopes } = key;
  return { keyId, pools, mayOperate: scopes.includes('operate') };
}

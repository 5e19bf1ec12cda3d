// The caller of a request: its rights, and the ids by which the audit names the request.

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
  // The guard lets no request pass without a key. If one did, it would have no rights.
  if (key === null) return { keyId: '', pools: new Set(), mayOperate: false };
  const { id: keyId, pools, scopes } = key;
  return { keyId, pools, mayOperate: scopes.includes('operate') };
}

// A signal that the client of a request hung up before it was answered: what is done for it alone ends then.

import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Response } from 'express';

export const Gone = createParamDecorator((_: unknown, context: ExecutionContext): AbortSignal =>
  goneOf(context.switchToHttp().getResponse<Response>()),
);

function goneOf(res: Response): AbortSignal {
  const gone = new AbortController();
  // Also emitted after the answer. A signal that nobody looks at any more is a cheap one.
  if (isGone(res)) gone.abort();
  else res.once('close', () => gone.abort());
  return gone.signal;
}

/** Nobody can be answered on this connection any more: it was reset, or the client has closed its side of it. */
export const isGone = (res: Response): boolean => !res.req.socket.writable;

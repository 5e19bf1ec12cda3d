// A signal that the client hung up before the answer, so that work for this request alone can end.

import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Response } from 'express';

export const Gone = createParamDecorator((_: unknown, context: ExecutionContext): AbortSignal =>
  goneOf(context.switchToHttp().getResponse<Response>()),
);

function goneOf(res: Response): AbortSignal {
  const gone = new AbortController();
  // 'close' also follows an answer; by then nothing listens to the signal.
  if (isGone(res)) gone.abort();
  else res.once('close', () => gone.abort());
  return gone.signal;
}

/** Whether the connection cannot carry an answer: it was reset, or the client has closed its side. */
export const isGone = (res: Response): boolean => !res.req.socket.writable;

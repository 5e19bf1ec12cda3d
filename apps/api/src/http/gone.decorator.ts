// A signal that the client hung up before the answer, so that work for this request alone can end.

import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Response } from 'express';

export const Gone = createParamDecorator((_: unknown, context: ExecutionContext): AbortSignal =>
  goneOf(context.switchToHttp().getResponse<Response>()),
);

/** A signal costs more than a look at the connection, so routes that rarely need it make it when they do. */
export function goneOf(res: Response): AbortSignal {
  const gone = new AbortController();
  if (isGone(res)) gone.abort();
  // 'close' also follows an answer; by then nothing listens, and an abort would make an exception for nobody.
  else res.on('close', () => res.writableFinished || gone.abort());
  return gone.signal;
}

/** Calls `work` if the connection ends before the operating system has the whole answer. Must be called before that. */
export function ifUndelivered(res: Response, work: () => void): void {
  if (isGone(res)) work();
  else
    res.on('close', () => {
      if (!res.writableFinished) work();
    });
}

/** Whether the connection cannot carry an answer: it was reset, or the client has closed its side. */
export const isGone = (res: Response): boolean => !res.req.socket.writable;

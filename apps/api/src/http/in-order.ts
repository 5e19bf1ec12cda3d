// Middleware as one: the router's way from each to the next would take longer than most of them.

import type { NextFunction, Request, RequestHandler, Response } from 'express';

/** One after the other; the first error ends it. */
export const inOrder = ([first, ...others]: readonly RequestHandler[]): RequestHandler => {
  if (first === undefined) return (_req, _res, next) => next();
  const rest = inOrder(others);
  return (req: Request, res: Response, next: NextFunction) =>
    first(req, res, (error?: unknown) => (error === undefined ? rest(req, res, next) : next(error)));
};

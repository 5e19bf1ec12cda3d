// Joins several middlewares into one: the router's own steps between them would take longer than most of them.

import type { NextFunction, Request, RequestHandler, Response } from 'express';

/** Runs one after the other, up to the first error. */
export const inOrder = ([first, ...others]: readonly RequestHandler[]): RequestHandler => {
  if (first === undefined) return (_req, _res, next) => next();
  const rest = inOrder(others);
  return (req: Request, res: Response, next: NextFunction) =>
    first(req, res, (error?: unknown) => (error === undefined ? rest(req, res, next) : next(error)));
};

// Answers every error with a problem document: errors of the domain, of HTTP and of the framework, and bugs.

import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { withoutKeys } from '@app/keys';
import { DomainError } from '@app/tokens';
import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import { HttpProblem, sendProblem } from './problem.js';
import { pathOf } from './request-log.js';

@Catch()
export class ProblemFilter implements ExceptionFilter {
  /** @param saysMessage paths whose errors also carry their detail as `message` */
  constructor(
    private readonly logger: Logger,
    private readonly saysMessage: ReadonlySet<string>,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const req = host.switchToHttp().getRequest<Request>();
    const res = host.switchToHttp().getResponse<Response>();
    const problem = asProblem(error, req);
    if (problem.status === 500) this.logger.error({ request_id: res.requestId, err: error }, 'internal error');
    if (res.headersSent) return void res.destroy();
    sendProblem(res, problem, res.requestId, this.saysMessage.has(pathOf(req.originalUrl)));
  }
}

function asProblem(error: unknown, req: Request): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof DomainError) return HttpProblem.of(error);
  const status = error instanceof HttpException ? error.getStatus() : 500;
  if (status >= 500) return new HttpProblem('internal_error', 'the cause is in the log, under the request_id');
  // Express and Nest raise only two errors here: for a path without a route, and for a path that cannot be decoded.
  const path = withoutKeys(pathOf(req.originalUrl)).slice(0, 200);
  if (status === 404 || status === 403) return new HttpProblem('route_not_found', `there is no ${req.method} ${path}`);
  return new HttpProblem('invalid_request', `the path ${path} is not validly encoded`);
}

// Lets the reads of a key take turns while other keys send requests.

import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import { defer, lastValueFrom, type Observable } from 'rxjs';
import { accessOf } from '../access/require-scope.decorator.js';
import { FAIR_QUEUE } from './fair-queue.js';

/** Only routes that the scope `read` opens take turns: audits have a limit of their own, and commands have a queue. */
@Injectable()
export class ReadingTurns implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { key } = context.switchToHttp().getRequest<Request>();
    const access = accessOf(context.getHandler(), context.getClass());
    if (!key || access === undefined || access === 'public' || !access.scopes.includes('read')) return next.handle();
    return defer(() => FAIR_QUEUE.read(key.id, () => lastValueFrom(next.handle())));
  }
}

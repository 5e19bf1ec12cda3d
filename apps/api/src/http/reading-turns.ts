// The reads of one key take turns: a large page costs the database a connection and this process its only thread, and
// one key must not have all of either.

import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { Gate } from '@app/tokens';
import type { Request } from 'express';
import { defer, lastValueFrom, type Observable } from 'rxjs';
import { accessOf } from '../access/needs.decorator.js';

const AT_ONCE = 1;

/** For controllers. Only what a `read` key may ask has turns: an audit has a limit of its own, and commands have their queue. */
@Injectable()
export class ReadingTurns implements NestInterceptor {
  /** Only a good key comes as far as this, so there are no more than there are keys. */
  readonly #ofKey = new Map<string, Gate>();

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { key } = context.switchToHttp().getRequest<Request>();
    const access = accessOf(context.getHandler(), context.getClass());
    if (!key || access === undefined || access === 'public' || !access.scopes.includes('read')) return next.handle();
    let gate = this.#ofKey.get(key.id);
    if (!gate) this.#ofKey.set(key.id, (gate = new Gate(AT_ONCE, true)));
    return defer(() => gate.pass(() => lastValueFrom(next.handle())));
  }
}

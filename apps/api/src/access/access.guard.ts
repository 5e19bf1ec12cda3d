// With AUTH=keys, checks that a request's key has a scope of its route and may use its pool. A pool or token outside
// the key's pools gets the same answer as one that does not exist, so that a key cannot probe for names.

import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { mayUse, type LiveKey } from '@app/keys';
import { DEFAULT_POOL, ELASTIC_POOL, type LineService, type TokenPoolService } from '@app/tokens';
import type { Request } from 'express';
import { HttpProblem } from '../http/problem.js';
import { isUuid } from '../uuid.js';
import { accessOf, type PoolPlace } from './require-scope.decorator.js';
import { unauthenticated } from './unauthenticated.js';

export class AccessGuard implements CanActivate {
  constructor(
    private readonly service: TokenPoolService,
    private readonly line: LineService,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const access = accessOf(context.getHandler(), context.getClass());
    if (access === 'public') return true;
    const req = context.switchToHttp().getRequest<Request>();
    const { key } = req;
    if (!key) throw unauthenticated();
    if (!access) throw new HttpProblem('insufficient_scope', 'this route is for nobody: it does not say for whom');
    if (!access.scopes.some((scope) => key.scopes.includes(scope))) {
      throw new HttpProblem('insufficient_scope', `this takes a key with the scope ${access.scopes.join(' or ')}`);
    }
    if (key.pools === null) return true;
    if (access.pool === 'its token') return this.#isFor(key, req, this.service);
    return access.pool === 'its ticket' ? this.#isFor(key, req, this.line) : isForPool(key, req, access.pool);
  }

  /** Whether the key may know of the pool of the token or ticket in the path. */
  async #isFor(key: LiveKey, { params }: Request, service: TokenPoolService | LineService): Promise<boolean> {
    // The route's pipe refuses a malformed id, with the right error.
    const id = params['id'];
    if (!isUuid(id)) return true;
    if (key.pools !== null) await service.mustBeOf(key.pools, id.toLowerCase());
    return true;
  }
}

function isForPool(key: LiveKey, req: Request, place: Exclude<PoolPlace, 'its token' | 'its ticket'>): boolean {
  switch (place) {
    case 'the path':
      return mustSee(key, req.params['name']);
    case 'the body':
      return mustSee(key, (req.body as { pool?: unknown } | undefined)?.pool ?? DEFAULT_POOL);
    case 'the body, or all':
      return mustSee(key, (req.body as { pool?: unknown } | undefined)?.pool);
    case 'the query':
      return mustSee(key, req.query['pool'] ?? DEFAULT_POOL);
    case 'elastic':
      if (!mayUse(key, ELASTIC_POOL)) throw notFor(ELASTIC_POOL);
      return true;
    case 'its name': {
      const name = (req.body as { name?: unknown } | undefined)?.name;
      if (typeof name === 'string' && !mayUse(key, name)) throw notFor(name.slice(0, 64));
      return true;
    }
    case 'the answer':
      return true;
  }
}

/** Lets a malformed name pass: validation, which runs after guards, refuses it with the right error. */
function mustSee(key: LiveKey, poolName: unknown): boolean {
  if (typeof poolName === 'string' && !mayUse(key, poolName)) {
    throw new HttpProblem('pool_not_found', `there is no pool ${poolName}`);
  }
  return true;
}

const notFor = (poolName: string): HttpProblem =>
  new HttpProblem('insufficient_scope', `the key is not for the pool ${poolName}`);

// The rules of a listed pool: callers put things into it, change them, and take them out.

import { randomUUID } from 'node:crypto';
import * as refusals from './refusals.js';
import type { ImportResult } from './requests.js';
import { changedThing, differenceOf, type GivenThing, type Thing, type ThingChange } from './thing.js';
import { deleteWhenFree } from './token-supply.js';
import type { Token } from './token.js';
import type { UnitOfWork } from './unit-of-work.js';

/** As TokenPool.add, after the pool is settled. */
export function add(work: UnitOfWork, given: GivenThing): Token {
  if (work.tokens.named(given.name)) throw refusals.tokenExists(work.policy, given.name);
  return put(work, given);
}

/** As TokenPool.describe, after the pool is settled. */
export function describe(work: UnitOfWork, token: Token, change: ThingChange): void {
  const other = change.name === undefined ? undefined : work.tokens.named(change.name);
  if (other && other !== token) throw refusals.tokenExists(work.policy, change.name as string);
  changeThing(work, token, change);
}

/** As TokenPool.import, after the pool is settled. */
export function importThings(work: UnitOfWork, given: readonly GivenThing[], deletesMissing: boolean): ImportResult {
  const byName = new Map(work.tokens.all().map((token) => [token.thing?.name, token]));
  const names = new Set(given.map(({ name }) => name));
  let [added, changed, deleted, draining] = [0, 0, 0, 0];
  // The pool first deletes what is missing, so that the new things find room.
  const missing = deletesMissing ? [...byName].filter(([name]) => !names.has(name as string)) : [];
  for (const [, token] of missing.sort(([a = ''], [b = '']) => (a < b ? -1 : 1))) {
    if (deleteWhenFree(work, token)) deleted++;
    else draining++;
  }
  for (const one of given) {
    const token = byName.get(one.name);
    if (!token) {
      put(work, one);
      added++;
      continue;
    }
    const wasLeaving = token.isLeaving === true;
    if (wasLeaving) work.drain(token, false);
    if (changeThing(work, token, one) || wasLeaving) changed++;
  }
  return { added, changed, unchanged: given.length - added - changed, deleted, draining };
}

/** @throws DomainError `pool_limit_reached` */
function put(work: UnitOfWork, { name, attributes = {}, secret }: GivenThing): Token {
  if (work.state.tokenCount >= work.policy.size) throw refusals.limitReached(work.policy);
  const id = randomUUID();
  return work.generate({ name, attributes, secret: secret ? secret.sealFor(id) : null }, id);
}

/** Returns whether anything differs. */
function changeThing(work: UnitOfWork, token: Token, change: ThingChange): boolean {
  const before = token.thing as Thing;
  const after = changedThing(before, change, token.id);
  const difference = differenceOf(before, after);
  if (difference === null) return false;
  work.mayBreakPromises = true;
  work.describe(token, after, difference);
  return true;
}

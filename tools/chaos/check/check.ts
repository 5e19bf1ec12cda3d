// Checks a history: reads each pool's feed and the answers to clients once, and compares the two.

import type { History, PoolHistory } from '../history.js';
import { checkAccess } from './access.js';
import { checkActors } from './actors.js';
import { Callers } from './callers.js';
import type { Finding } from './finding.js';
import { Wall } from './instants.js';
import { checkLine } from './line.js';
import { audited, checkPool } from './pool-check.js';
import { checkService } from './service-check.js';
import { checkUpkeep } from './upkeep.js';

/** What the auditor finds in a pool that has a load of its own. */
const auditedAlone = (pool: PoolHistory): Finding[] =>
  audited(pool).map((what) => ({ rule: 'audit', what: `${pool.setting.name}: ${what}` }));

export function check(history: History): Finding[] {
  const wall = new Wall(history.run, history.end);
  const callers = new Callers(history);
  const requests = new Map(history.operations.map((operation) => [operation.id, operation]));
  return [
    ...(history.end === null ? [{ rule: 'audit', what: 'the run was cut off: its end is missing' } as const] : []),
    ...checkService(history),
    ...checkAccess(history, callers),
    ...history.pools.flatMap((pool) => checkPool(pool, wall, callers)),
    ...(checkLine(history, wall)?.findings ?? []).map((what): Finding => ({ rule: 'line', what })),
    ...(checkUpkeep(history)?.findings ?? []).map((what): Finding => ({ rule: 'upkeep', what })),
    ...[history.line, history.cleaned].flatMap((pool) => (pool ? auditedAlone(pool) : [])),
    ...(history.run.saysWho ? history.pools.flatMap((pool) => checkActors(pool, requests, callers)) : []),
  ];
}

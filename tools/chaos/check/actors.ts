// Checks actors: every event names the key and the request that caused it, every lease belongs to the key that took it,
// and no user key ends or renews the lease of another key.

import type { OwnedEvent } from '@app/tokens';
import { OPEN, SYSTEM } from '@app/tokens';
import type { Call, Operation, PoolHistory } from '../history.js';
import { isRefused } from '../load/recorder.js';
import { inSeconds, lateness, REVOKED_NS } from './access.js';
import type { Callers } from './callers.js';
import type { Finding, Rule } from './finding.js';

/** The commands that can cause an event, by the event's reason or else its kind. */
const DONE_BY: Readonly<Record<string, readonly Call['do'][]>> = {
  allocated: ['allocate'],
  allocated_after_eviction: ['allocate'],
  lru_eviction: ['allocate'],
  over_share_eviction: ['allocate'],
  selected_eviction: ['allocate'],
  released_by_client: ['release'],
  revoked: ['release'],
  undelivered: ['allocate'],
  cleanup: ['cleanup'],
  deleted_by_client: ['delete'],
  removed: ['delete', 'import'],
  described: ['describe', 'delete', 'import'],
  renewed: ['keep-alive'],
  generated: ['generate', 'import'],
};

const BY_THE_CLOCK: ReadonlySet<OwnedEvent['reason']> = new Set(['ttl_expired', 'idle_ttl']);

/** Commands that end or renew a lease on behalf of its holder. */
const FOR_ITS_HOLDER: ReadonlySet<Call['do']> = new Set(['release', 'keep-alive']);

/** @param requests the requests of all pools, by id */
export function checkActors(
  { setting, events }: PoolHistory,
  requests: ReadonlyMap<string, Operation>,
  callers: Callers,
): Finding[] {
  const findings: Finding[] = [];
  const keys = new Map<number | null, string | null>();
  for (const event of events) {
    const { seq, event: kind, reason, fence, actor, request_id, key_id } = event;
    const find = (rule: Rule, what: string): unknown =>
      findings.push({ rule, what: `${setting.name}: seq ${seq} (${reason ?? kind}) ${what}` });
    if (kind === 'activated') keys.set(fence, key_id);
    else if (fence !== null && keys.get(fence) !== key_id)
      find('actor', `is about a lease of ${key_id}, which ${keys.get(fence)} has taken`);
    // A fixed pool gets its tokens when it is created, before the run.
    if (kind === 'generated' && setting.kind === 'fixed') continue;
    // Operators change, delete and open pools, and no client of the run.
    if (event.token_id === null) continue;
    // The token waited for the end of its lease.
    if (reason === 'removed' && actor === SYSTEM && request_id === null) continue;
    if (BY_THE_CLOCK.has(reason)) {
      if (actor !== SYSTEM || request_id !== null) find('actor', `names ${actor} and request ${request_id}`);
      continue;
    }
    const request = requests.get(request_id ?? '');
    if (!request) {
      find('actor', `names ${actor} and request ${request_id}, which nobody sent`);
      continue;
    }
    const { id, by, call, pool } = request;
    const asked = `${call.do} ${id}`;
    if (actor !== (by ?? OPEN)) find('actor', `names ${actor}, but ${asked} is by ${by ?? OPEN}`);
    if (pool !== setting.name || !DONE_BY[reason ?? kind]?.includes(call.do))
      find('actor', `names ${asked}, which asked for something else`);
    if (kind === 'activated' && key_id !== (by ?? null))
      find('actor', `is a lease of ${key_id}, but ${asked} is by ${by ?? OPEN}`);
    if (isRefused(request)) find('refused', `is of ${asked}, which was answered ${request.status} ${request.error}`);
    const isItsOwn = FOR_ITS_HOLDER.has(call.do) ? callers.sees(by, key_id) : call.do === 'allocate';
    if (!isItsOwn && !callers.mayOperate(by)) find('access', `is of ${asked} by ${by}, which may not do that`);
    const late = lateness(request, callers);
    if (late > REVOKED_NS) find('access', `is of ${asked}, sent ${inSeconds(late)}`);
  }
  return findings;
}

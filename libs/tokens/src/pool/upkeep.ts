// The rules of the commands between two users: somebody cleans a token, or takes it out of service until it is enabled
// again. Who cleans a token has a lease on it.

import { takeOut } from './after-lease.js';
import { grantOf } from './allocation.js';
import { giveBack } from './lease-end.js';
import { cleaningDeadline } from './pool-policy.js';
import { mustBeWithinQuota } from './quota.js';
import * as refusals from './refusals.js';
import type { CleanRequest, Grant } from './requests.js';
import { serves } from './ticket.js';
import type { Token } from './token.js';
import type { UnitOfWork } from './unit-of-work.js';

/** As TokenPool.clean, after the pool is settled. */
export function clean(work: UnitOfWork, request: CleanRequest): Grant {
  const { userId, holder = null, select, metadata } = request;
  const { policy, now } = work;
  const token = longestDirty(work, (one) => select === undefined || serves(one, { select }));
  if (!token) throw refusals.nothingDirty(policy);
  mustBeWithinQuota(work, userId, 1);
  const { keyId } = work.callerOrAnybody;
  const expiresAt = cleaningDeadline(policy, now);
  work.beginLease(token, { userId, holder, keyId, expiresAt, purpose: 'clean' }, 'cleaning', metadata);
  return grantOf(token);
}

function longestDirty({ tokens }: UnitOfWork, isWanted: (token: Token) => boolean): Token | undefined {
  const dirty = tokens
    .all()
    .filter((token) => token.lease === null && token.upkeep?.disabled === null && token.upkeep.dirtySince !== null);
  return dirty.filter(isWanted).sort((a, b) => a.freeSince - b.freeSince || (a.id < b.id ? -1 : 1))[0];
}

/** As TokenPool.disable, after the pool is settled. */
export function disable(work: UnitOfWork, token: Token, reason: string, whenFree: boolean): void {
  const isHeld = token.lease !== null;
  if (isHeld && !whenFree) giveBack(work, token, 'released', 'revoked', { note: reason });
  if (!work.tokens.has(token)) return;
  if (token.upkeep?.disabled?.reason === reason) return;
  takeOut(work, token, 'disabled_by_client', reason, { event: 'released', at: work.now });
}

/** As TokenPool.enable, after the pool is settled. */
export function enable(work: UnitOfWork, token: Token, note?: string): void {
  if (!token.upkeep?.disabled) return;
  work.keepUp(token, { disabled: null, failedCleanings: 0, uncleanUsers: [] });
  work.record('enabled', null, { token, metadata: note ? { note } : null });
  if (token.lease === null && token.upkeep.dirtySince === null) work.free(token, Math.max(work.now, token.freeSince));
}

// Whose lease a full pool ends for somebody else.

import { evictsOverShare } from './pool-policy.js';
import type { Eviction } from './token-event.js';
import { mayBeEvicted, type Token } from './token.js';
import type { UnitOfWork } from './unit-of-work.js';

/** The token whose lease the pool evicts next, of all or of those that are selected, and the reason. */
export function nextVictim(
  { policy, candidates, fairShares }: UnitOfWork,
  isSelected?: (token: Token) => boolean,
): [Token | undefined, Eviction] {
  if (isSelected) {
    return [candidates.oldestLease((token) => mayBeEvicted(token) && isSelected(token)), 'selected_eviction'];
  }
  if (evictsOverShare(policy)) return [fairShares.first(), 'over_share_eviction'];
  return [candidates.oldestLease(mayBeEvicted), 'lru_eviction'];
}

// Checks at every event of the feed who may get a token of a full pool: quotas, protection from eviction, and turns.

import { fromIso, isEviction } from '@app/tokens';
import type { PoolHistory, PoolSetting } from '../history.js';
import type { Ledger, OpenLease } from './ledger.js';

export function checkFairness({ setting, events }: PoolHistory, ledger: Ledger): string[] {
  const { evict = 'oldest', protect_seconds = 0 } = setting;
  const reasonOfEvictions = evict === 'oldest' ? 'lru_eviction' : 'over_share_eviction';
  return events.flatMap(({ seq, event, reason, fence, user_id, key_id, occurred_at }) => {
    const wrong = (what: string): string => `seq ${seq} (${reason}) ${what}`;
    const at = fromIso(occurred_at);
    if (event === 'activated') {
      const leases = (ledger.positions[seq]?.leases ?? []).filter(({ until }) => until > at);
      return holdings(setting, leases, user_id, key_id)
        .filter(({ holds, most }) => holds > most)
        .map(({ who, holds, most }) => wrong(`is one too many: ${who} holds ${holds}, at most ${most} are allowed`));
    }
    if (!isEviction(reason)) return [];
    const age = (at - fromIso(ledger.grants.get(fence ?? 0)?.event.occurred_at ?? occurred_at)) / 1e6;
    return [
      ...(reason === reasonOfEvictions || reason === 'selected_eviction'
        ? []
        : [wrong(`in a pool that evicts ${evict}`)]),
      ...(age >= protect_seconds
        ? []
        : [wrong(`ends fence ${fence} after ${age} s, which is protected for ${protect_seconds} s`)]),
    ];
  });
}

/** Counts the leases of a caller against each quota that applies. */
function holdings(
  { max_per_user: ofUser, max_per_key: ofKey }: PoolSetting,
  leases: readonly OpenLease[],
  user: string | null,
  key: string | null,
): { who: string; holds: number; most: number }[] {
  const count = (is: (lease: OpenLease) => boolean): number => leases.filter(is).length;
  const byUser = { who: `user ${user}`, holds: count((lease) => lease.user === user), most: ofUser ?? Infinity };
  const byKey = { who: `key ${key}`, holds: count((lease) => lease.key === key), most: ofKey ?? Infinity };
  return key === null ? [byUser] : [byUser, byKey];
}

/** Whether a quota of the caller is used up. */
export const isAtQuota = (...asked: Parameters<typeof holdings>): boolean =>
  holdings(...asked).some(({ holds, most }) => holds >= most);

/** Whether a full pool may not evict any lease at that instant. */
export function isEvictionBarred(setting: PoolSetting, leases: readonly OpenLease[], at: number): boolean {
  const { on_exhausted, protect_seconds = 0 } = setting;
  if (on_exhausted === 'reject') return true;
  const next = nextToGo(setting, leases);
  return next !== undefined && at < next.from + protect_seconds * 1e6;
}

/** @returns the oldest lease of all, or of the user with the most leases */
function nextToGo({ evict }: PoolSetting, leases: readonly OpenLease[]): OpenLease | undefined {
  const held = (user: string | null): number => leases.filter((lease) => lease.user === user).length;
  const inTurn = (one: OpenLease, other: OpenLease): number =>
    (evict === 'over_share_first' ? held(other.user) - held(one.user) : 0) || one.fence - other.fence;
  return [...leases].sort(inTurn)[0];
}

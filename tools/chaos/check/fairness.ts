// Who gets a token when there are fewer than are wanted: quotas, protection and turns, at every event of the feed.

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
      ...(reason === reasonOfEvictions ? [] : [wrong(`in a pool that evicts ${evict}`)]),
      ...(age >= protect_seconds
        ? []
        : [wrong(`ends fence ${fence} after ${age} s, which is protected for ${protect_seconds} s`)]),
    ];
  });
}

/** What somebody who asks holds, where that is limited. */
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

/** Whether nothing more may be given to who asks. */
export const isAtQuota = (...asked: Parameters<typeof holdings>): boolean =>
  holdings(...asked).some(({ holds, most }) => holds >= most);

/** Whether a full pool may evict nobody at that instant. */
export function isEvictionBarred(setting: PoolSetting, leases: readonly OpenLease[], at: number): boolean {
  const { on_exhausted, protect_seconds = 0 } = setting;
  if (on_exhausted === 'reject') return true;
  const next = nextToGo(setting, leases);
  return next !== undefined && at < next.from + protect_seconds * 1e6;
}

/** The oldest lease of all, or of the user who holds the most. */
function nextToGo({ evict }: PoolSetting, leases: readonly OpenLease[]): OpenLease | undefined {
  const held = (user: string | null): number => leases.filter((lease) => lease.user === user).length;
  const inTurn = (one: OpenLease, other: OpenLease): number =>
    (evict === 'over_share_first' ? held(other.user) - held(one.user) : 0) || one.fence - other.fence;
  return [...leases].sort(inTurn)[0];
}

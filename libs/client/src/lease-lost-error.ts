// The error for a lease that ended before its work did.

import type { EndReason, Grant, TokenUse } from './api-types.js';

/**
 * `expired`: its time was up, or nearly. `evicted`: the pool gave the token to another user. `released`: a request
 * ended it.
 */
export type LossReason = 'expired' | 'evicted' | 'released';

const REASONS: Readonly<Record<EndReason, LossReason>> = {
  ttl_expired: 'expired',
  unclaimed: 'expired',
  lru_eviction: 'evicted',
  over_share_eviction: 'evicted',
  selected_eviction: 'evicted',
  released_by_client: 'released',
  revoked: 'released',
  undelivered: 'released',
  cleanup: 'released',
  deleted_by_client: 'released',
  pool_deleted: 'released',
};

export const isEviction = (reason: EndReason): boolean => REASONS[reason] === 'evicted';

/** How a lease ended, according to the service. */
export interface LeaseEnd {
  readonly end_reason: EndReason;
  readonly ended_at: string | null;
  /** The next use of the token, if it is known. */
  readonly next?: TokenUse;
}

export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
  /** `expired` also if the service could not be asked. */
  readonly reason: LossReason;
  /** The exact reason; null if the service could not be asked. */
  readonly endReason: EndReason | null;
  /** When the lease ended by the service's clock; null if the service could not be asked. */
  readonly endedAt: string | null;
  /** The lease that replaced an evicted one; null if there is none, or the service could not be asked. */
  readonly evictedBy: Pick<TokenUse, 'user_id' | 'holder' | 'fence'> | null;

  constructor(
    /** Without the secret of its token, because programs print errors. */
    readonly lease: Omit<Grant, 'secret'>,
    end: LeaseEnd | null,
    options?: ErrorOptions,
  ) {
    const reason = end === null ? 'expired' : REASONS[end.end_reason];
    const next = reason === 'evicted' && end?.next ? end.next : null;
    const by = next ? ` by ${next.holder ?? `user ${next.user_id}`} (fence ${next.fence})` : '';
    const at = end?.ended_at ? ` at ${end.ended_at}` : '';
    const exactly = end === null ? 'its time was up' : `${end.end_reason}${at}${by}`;
    super(
      `the lease of token ${lease.token_id} (pool ${lease.pool}, fence ${lease.fence}) was lost: ${exactly}`,
      options,
    );
    this.reason = reason;
    this.endReason = end?.end_reason ?? null;
    this.endedAt = end?.ended_at ?? null;
    this.evictedBy = next && { user_id: next.user_id, holder: next.holder, fence: next.fence };
  }
}

/** Finds how a lease ended in its token's uses, newest first; null if they do not contain that. */
export async function endOf(
  { fence }: Pick<Grant, 'fence'>,
  uses: Iterable<TokenUse> | AsyncIterable<TokenUse>,
): Promise<LeaseEnd | null> {
  let next: TokenUse | undefined;
  for await (const use of uses) {
    if (use.fence < fence) return null;
    if (use.fence === fence) return use.end_reason && { end_reason: use.end_reason, ended_at: use.ended_at, next };
    next = use;
  }
  return null;
}

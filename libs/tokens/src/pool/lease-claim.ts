// Decides whether a caller may end or renew a lease. The policy of the pool says whether the token's id is enough, or
// whether the caller must give the lease id.

import type { Caller } from '../kernel/caller.js';
import { DomainError } from '../kernel/domain-error.js';
import type { PoolPolicy } from './pool-policy.js';
import type { Lease, Token } from './token.js';

/** What a caller says about the lease that it means; each given field must match. */
export interface LeaseClaim {
  readonly leaseId?: string;
  readonly userId?: string;
  readonly fence?: number;
  /** Stands for the `leaseId` where the policy asks for one. Only a caller that may operate may set it. */
  readonly force?: boolean;
}

/** How a token is after a lease, as its holder says. */
export const CONDITIONS = ['ok', 'dirty', 'broken'] as const;
export type Condition = (typeof CONDITIONS)[number];

/** What a caller says with the release of a lease. */
export interface ReleaseRequest extends LeaseClaim {
  /** How the token is now; left out: as after every lease. */
  readonly condition?: Condition;
  /** Why the lease ends, for those who read the audit. */
  readonly note?: string;
}

/**
 * The open lease of a token, if it matches the claim. To a caller that may not operate, a lease of another key looks as
 * if it did not exist. `force` replaces only a missing `leaseId`: every given field must match nevertheless.
 * @throws DomainError `insufficient_scope`, `token_not_active`, `lease_handle_required` or `stale_lease`
 */
export function openLease(token: Token, claim: LeaseClaim, policy: PoolPolicy, caller: Caller): Lease {
  const { id } = token;
  if (claim.force && !caller.mayOperate) throw new DomainError('insufficient_scope', 'force takes the scope operate');
  const lease = token.lease && isVisible(token.lease, caller) ? token.lease : null;
  if (lease === null && claimsNothing(claim)) throw notActive(id);
  if (policy.releaseAuthority === 'holder' && claim.leaseId === undefined && !claim.force) {
    throw new DomainError('lease_handle_required', `pool ${policy.name} asks for the lease_id of the lease`);
  }
  if (lease === null && token.lastActivatedAt === null) throw notActive(id);
  if (lease === null || !matches(lease, claim)) {
    throw new DomainError('stale_lease', `what was given does not name the open lease of token ${id}`);
  }
  return lease;
}

const matches = (lease: Lease, claim: LeaseClaim): boolean =>
  (claim.leaseId === undefined || claim.leaseId === lease.leaseId) &&
  (claim.userId === undefined || claim.userId === lease.userId) &&
  (claim.fence === undefined || claim.fence === lease.fence);

const isVisible = ({ keyId }: Lease, caller: Caller): boolean => caller.mayOperate || keyId === caller.keyId;

const claimsNothing = ({ leaseId, userId, fence }: LeaseClaim): boolean =>
  leaseId === undefined && userId === undefined && fence === undefined;

const notActive = (tokenId: string): DomainError =>
  new DomainError('token_not_active', `token ${tokenId} has no open lease`);

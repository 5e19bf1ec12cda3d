// How grants are answered: one by its fields, several by those of the first and all of them as `grants`.

import { toIso, userFor, type Caller, type OpenGrant } from '@app/tokens';
import type { GrantAnswer } from './token.responses.js';

export function granted(pool: string, grants: readonly OpenGrant[], caller: Caller): GrantAnswer {
  const answers = grants.map((grant) => one(pool, grant, caller));
  return answers.length === 1 ? answers[0]! : { ...answers[0]!, grants: answers };
}

/** A repeated answer that an older version has recorded has no holder, no name and no attributes. */
const one = (
  pool: string,
  { tokenId, name = null, attributes = null, secret, userId, holder = null, leaseId, fence, ...grant }: OpenGrant,
  caller: Caller,
): GrantAnswer => ({
  token_id: tokenId,
  name,
  attributes,
  secret,
  user_id: userId,
  holder,
  pool,
  status: 'active',
  lease_id: leaseId,
  fence,
  activated_at: toIso(grant.activatedAt),
  expires_at: toIso(grant.expiresAt),
  evicted: grant.evicted && {
    ...userFor(caller, { ...grant.evicted, holder: grant.evicted.holder ?? null }),
    fence: grant.evicted.fence,
    activated_at: toIso(grant.evicted.activatedAt),
  },
});

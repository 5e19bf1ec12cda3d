// How grants are answered: one by its fields, several by those of the first and all of them as `grants`.

import { toIso, userFor, type Caller, type OpenGrant } from '@app/tokens';
import type { GrantAnswer } from './token.responses.js';

export function granted(pool: string, grants: readonly OpenGrant[], caller: Caller): GrantAnswer {
  const answers = grants.map((grant) => grantFor(caller, pool, grant));
  return answers.length === 1 ? answers[0]! : { ...answers[0]!, grants: answers };
}

/** A repeated answer that an older version has recorded has no holder, no name and no attributes. */
export function grantFor(caller: Caller, pool: string, grant: OpenGrant): GrantAnswer {
  const { evicted } = grant;
  const user = evicted && userFor(caller, evicted);
  return {
    token_id: grant.tokenId,
    name: grant.name ?? null,
    attributes: grant.attributes ?? null,
    secret: grant.secret,
    user_id: grant.userId,
    holder: grant.holder ?? null,
    pool,
    status: 'active',
    lease_id: grant.leaseId,
    fence: grant.fence,
    activated_at: toIso(grant.activatedAt),
    expires_at: toIso(grant.expiresAt),
    evicted: evicted && {
      user_id: user!.user_id,
      holder: user!.holder ?? null,
      fence: evicted.fence,
      activated_at: toIso(evicted.activatedAt),
    },
  };
}

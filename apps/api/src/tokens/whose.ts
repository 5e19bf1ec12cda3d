// Who holds a lease, as a request says it: by a user id or by a name.

import { randomUUID } from 'node:crypto';
import type { Whose } from '@app/tokens';
import { HttpProblem } from '../http/problem.js';
import { userOfClient } from '../short-routes/client-id.js';

interface Given {
  readonly user_id?: string;
  readonly holder?: string;
}

/** @throws HttpProblem `invalid_request` when the request says it both ways */
export function whose({ user_id, holder }: Given): { userId?: string; holder?: string } {
  if (user_id !== undefined && holder !== undefined) {
    throw new HttpProblem('invalid_request', 'holder must not be given beside user_id, which follows from it');
  }
  return { userId: user_id, holder };
}

/**
 * Who asks for a lease or a place; a new user if the request does not say.
 * @throws HttpProblem `invalid_request` when the request says it both ways
 */
export function askerOf(given: Given): { userId: string; holder?: string } {
  const { userId, holder } = whose(given);
  return { userId: userId ?? (holder === undefined ? randomUUID() : userOfClient(holder)), holder };
}

/** @throws HttpProblem `invalid_request` unless the request says it in one of the two ways */
export function oneWhose(given: Given): Whose {
  const { userId, holder } = whose(given);
  if (holder !== undefined) return { holder };
  if (userId !== undefined) return { userId };
  throw new HttpProblem('invalid_request', 'holder or user_id must be given to say whose leases are meant');
}

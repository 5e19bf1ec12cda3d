// A lease id is a UUID (version 8, RFC 9562 section 5.8) whose first 48 bits are the lease's fence and
// whose other 74 are random: nobody can guess it, and a lease that is over is found by its number
// in an index that the audit has anyway, not by a random one.

import { randomUUID } from 'node:crypto';

export function newLeaseId(fence: number): string {
  const number = fence.toString(16).padStart(12, '0');
  return `${number.slice(0, 8)}-${number.slice(8)}-8${randomUUID().slice(15)}`;
}

/** The fence that a lease id names. Of an id that we did not make it is some number, and names nothing. */
export const fenceOf = (leaseId: string): number => parseInt(leaseId.slice(0, 8) + leaseId.slice(9, 13), 16);

// A lease id is a UUID (version 8, RFC 9562 section 5.8) whose first 48 bits are the lease's fence and whose other 74
// are random. Nobody can guess it, and the fence finds an ended lease through an index that the audit has anyway, so no
// index on random ids is necessary.

import { randomUUID } from 'node:crypto';

export function newLeaseId(fence: number): string {
  const number = fence.toString(16).padStart(12, '0');
  return `${number.slice(0, 8)}-${number.slice(8)}-8${randomUUID().slice(15)}`;
}

/** The fence in a lease id. For an id that this service did not make, the number has no meaning. */
export const fenceOf = (leaseId: string): number => parseInt(leaseId.slice(0, 8) + leaseId.slice(9, 13), 16);

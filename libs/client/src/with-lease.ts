// Runs work under a lease: it renews the lease during the work, releases it afterwards, and stops the work in time if
// the lease is lost.

import type { CallOptions } from './call-options.js';
import type { Calls } from './calls.js';
import { allocate, type AllocateRequest } from './lease-calls.js';
import { LeaseKeeper, type Lease, type LeaseSource } from './lease-keeper.js';

export interface LeaseOptions extends CallOptions {
  readonly request?: AllocateRequest;
  /** How long before the lease's end `signal` aborts, in milliseconds. Default: 5 % of the lease, at most 1,000. */
  readonly marginMs?: number;
}

export type LeasedWork<T> = (lease: Lease, signal: AbortSignal) => Promise<T> | T;

/** @throws what `work` throws; LeaseLostError; what `allocate` throws */
export async function withLease<T>(
  calls: Calls,
  pool: string,
  source: LeaseSource,
  work: LeasedWork<T>,
  { request = {}, marginMs, signal, timeoutMs }: LeaseOptions,
): Promise<T> {
  const granted = await allocate(calls, pool, request, { signal, timeoutMs });
  const keeper = new LeaseKeeper(calls, source, granted, { ttlSeconds: request.ttl_seconds, marginMs, signal });
  let value: T;
  try {
    keeper.signal.throwIfAborted();
    value = await work(keeper.lease, keeper.signal);
  } catch (error) {
    const loss = await keeper.end();
    // If the work throws the signal's reason, throw the loss, which has more details by now. Any other error is the
    // work's.
    throw loss && error === keeper.signal.reason ? loss : error;
  }
  const loss = await keeper.end();
  if (loss) throw loss;
  return value;
}

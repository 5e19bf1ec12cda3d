// Work under a lease: kept alive while the work goes on, given back when it is done, and stopped in time when it is lost.

import type { CallOptions } from './call-options.js';
import type { Calls } from './calls.js';
import { allocate, type AllocateRequest } from './lease-calls.js';
import { LeaseKeeper, type Lease, type LeaseSource } from './lease-keeper.js';

export interface LeaseOptions extends CallOptions {
  readonly request?: AllocateRequest;
  /** How long before the end of the lease `signal` aborts, in milliseconds. Default: 5 % of the lease, at most 1,000. */
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
    // The loss itself, which says more by now. Every other error is the work's own, and stays what it is.
    throw loss && error === keeper.signal.reason ? loss : error;
  }
  const loss = await keeper.end();
  if (loss) throw loss;
  return value;
}

// Runs work under a lease or several: it renews them during the work, releases them afterwards, and stops the work in
// time if one is lost.

import type { Grant } from './api-types.js';
import type { Calls, Timed } from './calls.js';
import { allocate, grantsOf } from './lease-calls.js';
import { LeaseKeeper, type Lease, type LeaseSource } from './lease-keeper.js';
import type { LeaseRequest } from './lease-request.js';
import { allocateInTurn, type WaitOptions } from './line.js';

export interface LeaseOptions extends Omit<WaitOptions, 'idempotencyKey'> {
  readonly request?: LeaseRequest;
  /** How long before the lease's end `signal` aborts, in milliseconds. Default: 5 % of the lease, at most 1,000. */
  readonly marginMs?: number;
}

export interface LeasesOptions extends LeaseOptions {
  /** How many tokens, 1 to 100: all at once or none. */
  readonly count: number;
}

export type LeasedWork<T> = (lease: Lease, signal: AbortSignal) => Promise<T> | T;
/** `signal` aborts when one of the leases is lost. */
export type LeasesWork<T> = (leases: readonly Lease[], signal: AbortSignal) => Promise<T> | T;

/** @throws what `work` throws; LeaseLostError; what `allocate` throws; WaitEndedError */
export async function withLeases<T>(
  calls: Calls,
  pool: string,
  source: LeaseSource,
  work: LeasesWork<T>,
  { count, request = {}, marginMs, ...options }: LeasesOptions,
): Promise<T> {
  const { answer, sentAt } = await granted(
    calls,
    pool,
    { ...request, count: count === 1 ? undefined : count },
    options,
  );
  const stop = new AbortController();
  const keeping = { ttlSeconds: request.ttl_seconds, marginMs, signal: options.signal };
  const keepers = grantsOf(answer).map(
    (grant) => new LeaseKeeper(calls, source, { answer: grant, sentAt }, keeping, stop),
  );
  const end = async () => (await Promise.all(keepers.map((keeper) => keeper.end()))).find((loss) => loss !== undefined);
  let value: T;
  try {
    stop.signal.throwIfAborted();
    value = await work(
      keepers.map(({ lease }) => lease),
      stop.signal,
    );
  } catch (error) {
    const loss = await end();
    // If the work throws the signal's reason, throw the loss, which has more details by now. Any other error is the
    // work's.
    throw loss && error === stop.signal.reason ? loss : error;
  }
  const loss = await end();
  if (loss) throw loss;
  return value;
}

async function granted(
  calls: Calls,
  pool: string,
  request: LeaseRequest & { readonly count?: number },
  { wait, onPlace, ...options }: WaitOptions,
): Promise<Timed<Grant>> {
  if (wait !== undefined) return allocateInTurn(calls, pool, request, { wait, onPlace, ...options });
  // Without `wait_seconds` there is no ticket.
  return (await allocate(calls, pool, { ...request, wait_seconds: undefined }, options)) as Timed<Grant>;
}

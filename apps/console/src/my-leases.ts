// The leases that this tab allocated, with their handles, which the service shows only once. They survive a reload, but
// not the tab. A secret is not kept: the handle is enough to ask for it.

import { effect, signal } from '@preact/signals';
import type { EndReason, Grant, PoolEvent } from './api.js';
import { serverClock } from './server-clock.js';
import { recall, remember } from './storage.js';

export interface MyLease extends Omit<Grant, 'secret'> {
  readonly hasSecret?: boolean;
  /** When and how the lease ended, where this tab knows. */
  readonly ended: { readonly at: string; readonly reason: EndReason | null } | null;
}

const KEY = 'token-pool.leases';
/** How many ended leases the list keeps, the newest ones. */
const MOST_ENDED = 20;

export const myLeases = signal<readonly MyLease[]>(stored());

effect(() => {
  remember('sessionStorage', KEY, JSON.stringify(myLeases.value));
});

/** Newest first. */
export function keepLease({ secret, ...grant }: Grant): void {
  set([{ ...grant, hasSecret: secret != null, ended: null }, ...myLeases.peek()]);
}

export const leaseOf = (pool: string, fence: number): MyLease | undefined =>
  myLeases.value.find((lease) => lease.pool === pool && lease.fence === fence);

export function renewLease(pool: string, fence: number, expires_at: string): void {
  set(myLeases.peek().map((lease) => (isOf(lease, pool, fence) ? { ...lease, expires_at } : lease)));
}

export function endLease(pool: string, fence: number, ended: MyLease['ended']): void {
  const lease = myLeases.peek().find((each) => isOf(each, pool, fence));
  if (lease && lease.ended === null) set(myLeases.peek().map((each) => (each === lease ? { ...each, ended } : each)));
}

/** Updates a lease of this tab by an event of its token. */
export function updateLease(pool: string, { event, fence, reason, occurred_at, expires_at }: PoolEvent): void {
  if (fence === null) return;
  if (event === 'renewed' && expires_at !== null) renewLease(pool, fence, expires_at);
  if (event === 'released' || event === 'expired') {
    endLease(pool, fence, { at: occurred_at, reason: reason as EndReason });
  }
}

export function forgetEnded(pool: string): void {
  set(myLeases.peek().filter((lease) => lease.pool !== pool || !isOver(lease)));
}

/** Whether the lease has ended, by a recorded end or by the clock. */
export const isOver = ({ ended, expires_at }: MyLease): boolean =>
  ended !== null || Date.parse(expires_at) <= serverClock.now();

const isOf = (lease: MyLease, pool: string, fence: number): boolean => lease.pool === pool && lease.fence === fence;

function set(leases: readonly MyLease[]): void {
  let ended = 0;
  myLeases.value = leases.filter((lease) => !isOver(lease) || ++ended <= MOST_ENDED);
}

function isLease(value: unknown): value is MyLease {
  return typeof value === 'object' && value !== null && 'lease_id' in value && 'expires_at' in value;
}

function stored(): MyLease[] {
  try {
    const value: unknown = JSON.parse(recall('sessionStorage', KEY) ?? '[]');
    return Array.isArray(value) ? value.filter(isLease) : [];
  } catch {
    return [];
  }
}

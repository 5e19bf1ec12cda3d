// Folds the events of a pool and throws at the first broken invariant (docs/invariants.md, by number). It deliberately
// shares no code with the aggregate or the Auditor.

import { isDeepStrictEqual } from 'node:util';
import type { Instant } from '../kernel/instant.js';
import { toWire, type PolicyDifference, type WirePolicy } from '../pool/policy-fields.js';
import { isOfLine } from '../pool/token-event.js';
import type { PoolState } from '../pool/pool-slice.js';
import type { Lease, Token } from '../pool/token.js';
import type { RecordedEvent } from './views.js';

export class Ledger {
  /** The ids of all tokens, also of deleted ones, in the order of their generation. */
  readonly tokenIds: string[] = [];
  readonly #tokens = new Map<string, Token>();
  /** All leases of each token, also the open one, in the order of their grants. */
  readonly #uses = new Map<string, Lease[]>();
  readonly #ended = new Set<number>();
  #shrunk = 0;
  /** The fields of the policy that were changed, by their names on the wire. */
  readonly #policy = new Map<string, unknown>();
  #seq = 0;
  #fence = 0;
  #recordedAt: Instant = 0;

  /** The latest lease of a token and the one before it, open or over. */
  usesOf(tokenId: string): { latest: Lease | undefined; former: Lease | undefined } {
    const uses = this.#uses.get(tokenId) ?? [];
    return { latest: uses.at(-1), former: uses.at(-2) };
  }

  record(event: RecordedEvent): void {
    if (event.seq !== this.#seq + 1) broken(5, `seq ${event.seq} follows ${this.#seq}`);
    if (event.recordedAt < this.#recordedAt) broken(8, `recorded_at goes back at seq ${event.seq}`);
    if (event.occurredAt > event.recordedAt) broken(8, `seq ${event.seq} is recorded before it occurred`);
    this.#seq = event.seq;
    this.#recordedAt = event.recordedAt;
    if (event.tokenId === null) return this.#change(event);
    const token = this.#tokens.get(event.tokenId);
    if (event.event === 'generated') {
      if (this.#uses.has(event.tokenId)) broken(5, `token ${event.tokenId} is made twice`);
      this.tokenIds.push(event.tokenId);
      this.#uses.set(event.tokenId, []);
      const made = { id: event.tokenId, lease: null, freeSince: event.occurredAt, lastActivatedAt: null };
      this.#tokens.set(event.tokenId, made);
      return;
    }
    if (!token) return broken(5, `seq ${event.seq} is about no token`);
    if (event.event === 'deleted') {
      if (token.lease) broken(4, `seq ${event.seq} deletes a token that is held`);
      if (event.reason === 'shrunk') this.#shrunk++;
      this.#tokens.delete(token.id);
    } else if (!event.lease) broken(5, `seq ${event.seq} is about no lease`);
    else if (event.event === 'activated') this.#begin(token, event.lease, event);
    else if (event.event === 'renewed') this.#renew(token, event.lease, event);
    else this.#end(token, event.lease, event);
  }

  #change({ seq, event, metadata }: RecordedEvent): void {
    if (event === 'pool_deleted') return this.#tokens.size === 0 ? undefined : broken(5, `seq ${seq} leaves tokens`);
    if (event === 'pool_opened') return this.#policy.clear();
    if (isOfLine(event)) return;
    if (event !== 'policy_changed') return broken(5, `seq ${seq} is about no token`);
    const { before, after } = metadata as PolicyDifference;
    for (const [field, value] of Object.entries(before)) {
      if (this.#policy.has(field) && this.#policy.get(field) !== value) broken(10, `seq ${seq}: ${field} was another`);
      if (after[field as keyof WirePolicy] === value) broken(10, `seq ${seq} does not change ${field}`);
    }
    for (const [field, value] of Object.entries(after)) this.#policy.set(field, value);
  }

  /** Compares the stored pool with the fold of its events. */
  check(state: PoolState, stored: ReadonlyMap<string, Token>): void {
    const tokens = [...this.#tokens.values()];
    const held = tokens.filter(({ lease }) => lease !== null).length;
    const counted = { lastSeq: this.#seq, lastFence: this.#fence, tokenCount: tokens.length, leaseCount: held };
    for (const [counter, value] of Object.entries(counted)) {
      const isStored = state[counter as keyof typeof counted];
      if (isStored !== value) broken(2, `${counter} is ${isStored}, the events say ${value}`);
    }
    if (tokens.length > Math.max(state.policy.size, held))
      broken(2, `${tokens.length} tokens, of which ${held} are held, in a pool of ${state.policy.size}`);
    if (state.policy.kind === 'fixed' && tokens.length + this.#shrunk < this.tokenIds.length)
      broken(2, 'a fixed pool lost a token');
    for (const [field, value] of this.#policy) {
      const isStored = toWire(state.policy)[field as keyof WirePolicy];
      if (isStored !== value) broken(10, `${field} is ${isStored}, the events say ${String(value)}`);
    }
    for (const token of tokens) {
      const other = stored.get(token.id);
      const isSame =
        other &&
        isDeepStrictEqual(other.lease, token.lease) &&
        other.lastActivatedAt === token.lastActivatedAt &&
        (token.lease !== null || other.freeSince === token.freeSince);
      if (!isSame) broken(5, `stored is ${JSON.stringify(other)}, the events say ${JSON.stringify(token)}`);
    }
    if (stored.size !== tokens.length) broken(5, `${stored.size} tokens are stored, the events say ${tokens.length}`);
  }

  #begin(token: Token, lease: Lease, { seq, occurredAt, reason }: RecordedEvent): void {
    if (token.lease) broken(1, `seq ${seq} hands out a token that is held`);
    if (occurredAt < token.freeSince) broken(1, `seq ${seq} begins before the use before it ended`);
    if (lease.activatedAt !== occurredAt || lease.expiresAt <= occurredAt) broken(1, `seq ${seq} has no length`);
    if (lease.fence !== this.#fence + 1) broken(3, `fence ${lease.fence} follows ${this.#fence}`);
    if (!reason?.startsWith('allocated')) broken(5, `seq ${seq} has reason ${reason}`);
    this.#fence = lease.fence;
    token.lease = lease;
    token.lastActivatedAt = occurredAt;
    this.#uses.get(token.id)?.push(lease);
  }

  #renew(token: Token, lease: Lease, { seq, occurredAt }: RecordedEvent): void {
    const before = this.#open(token, lease, seq);
    if (occurredAt >= before.expiresAt) broken(7, `seq ${seq} renews a lease that is overdue`);
    if (lease.expiresAt < before.expiresAt) broken(7, `seq ${seq} renews until an instant before the deadline`);
    token.lease = lease;
    this.#uses.get(token.id)?.splice(-1, 1, lease);
  }

  #end(token: Token, lease: Lease, { seq, event, reason, occurredAt }: RecordedEvent): void {
    const open = this.#open(token, lease, seq);
    if (this.#ended.has(open.fence)) broken(4, `fence ${open.fence} ends twice`);
    if (event === 'expired' && occurredAt !== open.expiresAt) broken(8, `seq ${seq} is not at its deadline`);
    if (event === 'released' && occurredAt >= open.expiresAt) broken(7, `seq ${seq} releases a lease that is overdue`);
    if ((event === 'expired') !== (reason === 'ttl_expired')) broken(4, `seq ${seq} has reason ${reason}`);
    if (reason === 'lru_eviction' || reason === 'over_share_eviction') this.#evict(open, occurredAt, seq, reason);
    this.#ended.add(open.fence);
    token.lease = null;
    token.freeSince = occurredAt;
  }

  #evict(lease: Lease, at: Instant, seq: number, reason: string): void {
    const held = (user: string): number =>
      [...this.#tokens.values()].filter((token) => token.lease?.userId === user).length;
    for (const { lease: other } of this.#tokens.values()) {
      if (!other) broken(6, `seq ${seq} evicts while a token is free`);
      else if (other.expiresAt <= at) broken(6, `seq ${seq} evicts while fence ${other.fence} is overdue`);
      else if (reason === 'over_share_eviction' && held(other.userId) > held(lease.userId))
        broken(6, `seq ${seq} evicts a lease of one who holds less than ${other.userId}`);
      else if (other.fence < lease.fence && (reason === 'lru_eviction' || held(other.userId) === held(lease.userId)))
        broken(6, `seq ${seq} evicts fence ${lease.fence}, not ${other.fence}`);
    }
  }

  #open({ lease }: Token, { fence, userId, leaseId }: Lease, seq: number): Lease {
    if (lease?.fence === fence && lease.userId === userId && lease.leaseId === leaseId) return lease;
    return broken(4, `seq ${seq} is not about the open lease`);
  }
}

function broken(invariant: number, what: string): never {
  throw new Error(`invariant ${invariant}: ${what}`);
}

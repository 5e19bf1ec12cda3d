// The tokens of a pool, folded from a snapshot and the events after it. Pages of the snapshot may be newer than its
// seq, so an event changes nothing when its lease is over or already known.

import type { Attributes, Policy, PoolEvent, Thing, Token } from '../api.js';
import { shownUser } from '../hidden-user.js';

export interface Lease {
  readonly fence: number;
  /** Null when this key may not see the user. */
  readonly userId: string | null;
  /** The name that the user gave instead of its id. */
  readonly holder: string | null;
  /** In milliseconds since the epoch, as all times here. */
  readonly activatedAt: number;
  readonly expiresAt: number;
  /** Whether its holder cleans the token. */
  readonly isCleaning: boolean;
}

/** What a token is, as the API says it. */
export type Status = Token['status'];

export interface Disabled {
  readonly reason: string;
  readonly since: number;
  /** The actor; null where this key may not see it. */
  readonly by: string | null;
}

export interface TokenState {
  readonly id: string;
  /** The name of the thing that the token stands for; null in a pool that is not listed. */
  name: string | null;
  attributes: Attributes;
  /** Name and attributes in small letters, for the search for a part of them. */
  words: string;
  /** Goes at the end of its lease. */
  isDraining: boolean;
  /** The newest lease without a recorded end. It is over once `expiresAt` has passed. */
  lease: Lease | null;
  /** Waits to be cleaned, or is being cleaned. */
  isDirty: boolean;
  /** Null when it is clean, and when nobody has asked yet. */
  dirtySince: number | null;
  /** Nobody gets it before. */
  restsUntil: number;
  disabled: Disabled | null;
  /** The seq of its newest event; 0 before the first one. */
  lastSeq: number;
}

/** What happened to a token, in the terms of the page. */
export type TokenKind =
  | 'granted'
  | 'renewed'
  | 'released'
  | 'evicted'
  | 'cleaned'
  | 'expired'
  | 'ended-by-deletion'
  | 'generated'
  | 'described'
  | 'deleted'
  | 'soiled'
  | 'made-clean'
  | 'disabled'
  | 'enabled';

/** What happened to a token, or to the pool itself. */
export type Kind = TokenKind | 'policy-changed' | 'pool-deleted' | 'pool-opened' | 'queued' | 'left' | 'promised';

export type Applied =
  | {
      readonly kind: TokenKind;
      readonly token: TokenState;
      /** The lease that the event ended, where it is known. */
      readonly ended: Lease | null;
    }
  | { readonly kind: Kind; readonly token: null; readonly ended: null };

export class PoolState {
  /** Ordered by id, so that a token keeps its neighbours. */
  readonly tokens: TokenState[];
  readonly #byId: Map<string, TokenState>;
  #thingsVersion = 0;

  /** @param isWhole whether `tokens` are all tokens of the pool; if not, events do not add unknown tokens */
  constructor(
    tokens: readonly Token[],
    public seq: number,
    readonly isWhole = true,
  ) {
    this.tokens = tokens.map(stateOf);
    this.tokens.sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#byId = new Map(this.tokens.map((token) => [token.id, token]));
  }

  /** Another number whenever tokens, their names or their attributes have changed. */
  get thingsVersion(): number {
    return this.#thingsVersion;
  }

  find(id: string): TokenState | undefined {
    return this.#byId.get(id);
  }

  /** The token will be deleted at the end of its lease, of which there is no event before. */
  markDraining(id: string): void {
    const token = this.find(id);
    if (token) token.isDraining = true;
  }

  /** What the service answers of a token after its event `seq`, in which its newest event does not say all. */
  amend(answer: Token, seq: number): void {
    const token = this.find(answer.id);
    if (token?.lastSeq === seq) token.isDirty = answer.status === 'dirty';
  }

  /**
   * Applies the next event.
   * @returns null when the state already contains it
   * @throws RangeError when events before it are missing
   */
  apply(event: PoolEvent): Applied | null {
    if (event.seq <= this.seq) return null;
    if (event.seq > this.seq + 1) throw new RangeError(`after event ${this.seq} came ${event.seq}`);
    this.seq = event.seq;
    if (event.token_id === null) return { kind: kindOf(event), token: null, ended: null };
    const kind = kindOf(event) as TokenKind;
    const token = this.#byId.get(event.token_id) ?? this.#add(event.token_id, event);
    const { lease } = token;
    const isOfLease = lease !== null && lease.fence === event.fence;
    const { metadata } = event;
    const at = Date.parse(event.occurred_at);
    token.lastSeq = event.seq;
    switch (event.event) {
      case 'generated':
        break;
      case 'soiled':
        token.dirtySince = token.isDirty ? token.dirtySince : at;
        token.isDirty = true;
        break;
      case 'cleaned':
        token.isDirty = false;
        token.dirtySince = null;
        break;
      case 'disabled':
        token.disabled = {
          reason: typeof metadata['note'] === 'string' ? metadata['note'] : '',
          since: at,
          by: event.actor,
        };
        break;
      case 'enabled':
        token.disabled = null;
        break;
      case 'described':
        describe(token, metadata['after'] as Description);
        this.#thingsVersion++;
        break;
      case 'policy_changed':
      case 'pool_deleted':
      case 'pool_opened':
      case 'queued':
      case 'left':
      case 'promised':
        break;
      case 'activated':
        if (lease === null || lease.fence < event.fence!) token.lease = begun(event);
        break;
      case 'renewed':
        if (isOfLease) token.lease = { ...lease, expiresAt: Date.parse(event.expires_at!) };
        break;
      case 'released':
      case 'expired':
        if (isOfLease) token.lease = null;
        token.restsUntil = typeof metadata['available_at'] === 'string' ? Date.parse(metadata['available_at']) : 0;
        return { kind, token, ended: isOfLease ? lease : null };
      case 'deleted':
        this.#remove(token);
    }
    return { kind, token, ended: null };
  }

  #add(id: string, { event, metadata }: PoolEvent): TokenState {
    const token = newToken(id);
    // Any other event is about a token that was deleted before its page of the snapshot was read.
    if (event !== 'generated') return token;
    describe(token, metadata);
    this.#thingsVersion++;
    if (!this.isWhole) return token;
    this.#byId.set(id, token);
    this.tokens.splice(this.#placeOf(id), 0, token);
    return token;
  }

  #remove(token: TokenState): void {
    this.#thingsVersion++;
    if (this.#byId.delete(token.id)) this.tokens.splice(this.#placeOf(token.id), 1);
  }

  /** The index of the first token whose id is not smaller. */
  #placeOf(id: string): number {
    let [from, to] = [0, this.tokens.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.tokens[middle]!.id < id) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

export const isHeld = ({ lease }: TokenState, now: number): boolean => lease !== null && lease.expiresAt > now;

/** Whom a token is for at an instant. An overdue lease counts as over. */
export function statusOf(token: TokenState, now: number): Status {
  const { lease } = token;
  if (lease !== null && lease.expiresAt > now) return lease.isCleaning ? 'cleaning' : 'active';
  if (token.disabled !== null) return 'disabled';
  if (token.isDirty) return 'dirty';
  return token.restsUntil > now ? 'cooling' : 'available';
}

/** What is neither held by a user nor free. */
export const NOT_READY = ['cleaning', 'cooling', 'dirty', 'disabled'] as const;

export const NO_COUNTS: Readonly<Record<Status, number>> = {
  available: 0,
  active: 0,
  cooling: 0,
  dirty: 0,
  cleaning: 0,
  disabled: 0,
};

export function countByStatus(tokens: readonly TokenState[], now: number): Readonly<Record<Status, number>> {
  const counts = { ...NO_COUNTS };
  for (const token of tokens) counts[statusOf(token, now)]++;
  return counts;
}

export function countHeld(tokens: readonly TokenState[], now: number): number {
  let held = 0;
  for (const { lease } of tokens) if (lease !== null && lease.expiresAt > now) held++;
  return held;
}

/**
 * The token that the next allocation evicts when no token is free: the one with the oldest lease, or in a fair pool
 * with the oldest lease of the user that holds the most.
 * @returns null while that lease is protected, or when the choice depends on hidden users
 */
export function nextToBeEvicted(
  tokens: readonly TokenState[],
  { evict, protect_seconds }: Pick<Policy, 'evict' | 'protect_seconds'>,
  now: number,
): TokenState | null {
  if (tokens.some((token) => statusOf(token, now) === 'available')) return null;
  const held = new Map<string, number>();
  const leased = tokens.filter((token) => isHeld(token, now));
  if (evict === 'over_share_first') {
    for (const { lease } of leased) {
      const { userId } = lease!;
      if (userId === null) return null;
      held.set(userId, (held.get(userId) ?? 0) + 1);
    }
  }
  const heldWith = ({ lease }: TokenState): number => held.get(lease!.userId ?? '') ?? 0;
  let next: TokenState | null = null;
  for (const token of leased) {
    if (token.lease!.isCleaning || token.isDraining || token.disabled !== null) continue;
    const more = next === null ? 1 : heldWith(token) - heldWith(next);
    if (more > 0 || (more === 0 && token.lease!.fence < next!.lease!.fence)) next = token;
  }
  return next !== null && now - next.lease!.activatedAt >= (protect_seconds ?? 0) * 1000 ? next : null;
}

export function kindOf({ event, reason }: PoolEvent): Kind {
  if (event === 'activated') return 'granted';
  if (event === 'policy_changed') return 'policy-changed';
  if (event === 'pool_deleted') return 'pool-deleted';
  if (event === 'pool_opened') return 'pool-opened';
  if (event === 'cleaned') return 'made-clean';
  if (event !== 'released') return event;
  if (reason === 'lru_eviction' || reason === 'over_share_eviction' || reason === 'selected_eviction') return 'evicted';
  if (reason === 'cleanup') return 'cleaned';
  return reason === 'deleted_by_client' || reason === 'pool_deleted' ? 'ended-by-deletion' : 'released';
}

/** A token as the service answered it. */
export function stateOf(token: Token): TokenState {
  const { id, name, attributes, draining, status, available_at, disabled_reason, disabled_at, disabled_by } = token;
  const state = {
    ...newToken(id),
    isDraining: draining === true,
    lease: leaseOf(token),
    isDirty: status === 'dirty' || status === 'cleaning',
    restsUntil: available_at === null ? 0 : Date.parse(available_at),
    disabled:
      disabled_at === null ? null : { reason: disabled_reason ?? '', since: Date.parse(disabled_at), by: disabled_by },
  };
  describe(state, { name, attributes });
  return state;
}

const newToken = (id: string): TokenState => ({
  id,
  name: null,
  attributes: {},
  words: '',
  isDraining: false,
  lease: null,
  isDirty: false,
  dirtySince: null,
  restsUntil: 0,
  disabled: null,
  lastSeq: 0,
});

type Description = Partial<Thing> | undefined;

function describe(token: TokenState, { name, attributes }: Description = {}): void {
  token.name = name ?? token.name;
  token.attributes = attributes ?? token.attributes;
  token.words = [token.name ?? '', ...Object.values(token.attributes)].join(' ').toLowerCase();
}

/** Decides by status alone, because a hidden user holds a token, too. */
function leaseOf({ status, fence, active_user_id, holder, last_activated_at, expires_at }: Token): Lease | null {
  if (
    (status !== 'active' && status !== 'cleaning') ||
    fence === null ||
    last_activated_at === null ||
    expires_at === null
  )
    return null;
  return {
    fence,
    userId: shownUser(active_user_id),
    holder,
    activatedAt: Date.parse(last_activated_at),
    expiresAt: Date.parse(expires_at),
    isCleaning: status === 'cleaning',
  };
}

const begun = ({ fence, user_id, holder, occurred_at, expires_at, reason }: PoolEvent): Lease => ({
  fence: fence!,
  userId: shownUser(user_id),
  holder,
  activatedAt: Date.parse(occurred_at),
  expiresAt: Date.parse(expires_at!),
  isCleaning: reason === 'cleaning',
});

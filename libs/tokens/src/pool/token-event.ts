// An event of the audit, in the words of the contract: of a token, or of the pool itself.

import type { Instant } from '../kernel/instant.js';
import type { Lease } from './token.js';

/** The kinds of events in the order in which the document lists them. Those of POOL_EVENTS concern no token. */
export const EVENT_KINDS = [
  'activated',
  'renewed',
  'released',
  'expired',
  'generated',
  'described',
  'deleted',
  'soiled',
  'cleaned',
  'disabled',
  'enabled',
  'policy_changed',
  'pool_deleted',
  'pool_opened',
  'queued',
  'left',
  'promised',
] as const;
export type TokenEventKind = (typeof EVENT_KINDS)[number];

/** The kinds of events of a place in the line. */
export const LINE_EVENTS = ['queued', 'left', 'promised'] as const satisfies readonly TokenEventKind[];

/** The kinds of events of the pool itself, its line among them. */
export const POOL_EVENTS = [
  'policy_changed',
  'pool_deleted',
  'pool_opened',
  ...LINE_EVENTS,
] as const satisfies readonly TokenEventKind[];

/** The kinds of events of what happens to a token between two users. */
export const UPKEEP_EVENTS = ['soiled', 'cleaned', 'disabled', 'enabled'] as const satisfies readonly TokenEventKind[];

export const isOfUpkeep = (event: TokenEventKind): event is (typeof UPKEEP_EVENTS)[number] =>
  (UPKEEP_EVENTS as readonly TokenEventKind[]).includes(event);

export const isOfLine = (event: TokenEventKind): event is (typeof LINE_EVENTS)[number] =>
  (LINE_EVENTS as readonly TokenEventKind[]).includes(event);

export const isOfPool = (event: TokenEventKind): event is (typeof POOL_EVENTS)[number] =>
  (POOL_EVENTS as readonly TokenEventKind[]).includes(event);

/** `offered`: to the first in the line, who must claim it. `cleaning`: a dirty token, to who cleans it. */
export const GRANT_REASONS = ['allocated', 'allocated_after_eviction', 'offered', 'cleaning'] as const;
export type GrantReason = (typeof GRANT_REASONS)[number];
/** Why a lease was renewed, if not because its holder keeps it alive: an offer was claimed. */
export type RenewReason = 'claimed';
export type Eviction = 'lru_eviction' | 'over_share_eviction' | 'selected_eviction';
export const isEviction = (reason: TokenEvent['reason']): reason is Eviction =>
  reason === 'lru_eviction' || reason === 'over_share_eviction' || reason === 'selected_eviction';

/** Why a lease ended, in the order in which the document lists them. */
export const END_REASONS = [
  'released_by_client',
  'revoked',
  'undelivered',
  'lru_eviction',
  'over_share_eviction',
  'selected_eviction',
  'cleanup',
  'ttl_expired',
  'unclaimed',
  'deleted_by_client',
  'pool_deleted',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/** Why a token was deleted, in the order in which the document lists them. */
export const DELETE_REASONS = ['idle_ttl', 'deleted_by_client', 'removed', 'shrunk', 'pool_deleted'] as const;
export type DeleteReason = (typeof DELETE_REASONS)[number];

/** Why somebody has left the line, in the order in which the document lists them. */
export const LEAVE_REASONS = ['cancelled', 'patience', 'cleared'] as const;
export type LeaveReason = (typeof LEAVE_REASONS)[number];

/** Why a token is dirty: it was used, its user has said so, or its cleaning has failed. */
export const SOIL_REASONS = ['used', 'reported_dirty', 'not_cleaned'] as const;
export type SoilReason = (typeof SOIL_REASONS)[number];

/** Why a token is disabled: by a command, by the release of its user, or by the policy. */
export const DISABLE_REASONS = ['disabled_by_client', 'reported_broken', 'not_cleaned', 'unclean_ends'] as const;
export type DisableReason = (typeof DISABLE_REASONS)[number];

export interface TokenEvent {
  /** The number of the event in its pool: 1, 2, 3 …, without gaps, in commit order. */
  readonly seq: number;
  /** Null for an event of the pool itself. */
  readonly tokenId: string | null;
  readonly event: TokenEventKind;
  readonly reason:
    GrantReason | RenewReason | EndReason | DeleteReason | LeaveReason | SoilReason | DisableReason | null;
  /**
   * The deadline of the lease for `expired`, and the end of the patience for `left`; the instant of the transaction for
   * every other event.
   */
  readonly occurredAt: Instant;
  /** The lease that began, changed or ended; null for an event without one. */
  readonly lease: Lease | null;
  /** Who has the place that an event of the line is about. */
  readonly owner?: Pick<Lease, 'userId' | 'holder' | 'keyId'>;
  /** The id of the API key that caused the event, `open` where the service asks for no keys, or `system`. */
  readonly actor: string;
  /** The id of the request that caused the event; null when no request did. */
  readonly requestId: string | null;
  /** The tokens of the pool after the event, without deleted ones. */
  readonly tokensAfter: number;
  /** The open leases of the pool after the event, including overdue ones. */
  readonly leasesAfter: number;
  /**
   * By the kind of the event:
   * - `activated`: what the caller gave with the lease; `offered` with the `ticket_id` beside it.
   * - `released`: the note and the `condition`; for `selected_eviction` the selector as `select`. Also `expired`:
   *   `available_at`, if the token rests until then.
   * - `soiled`: `clean_by`, if the policy says within which time it is cleaned. `disabled`: why, as the `note`, and
   *   `when_free` if it is held until its lease ends. `enabled`: the note.
   * - `generated` in a listed pool: the name and the attributes.
   * - `described`: a ThingDifference.
   * - `queued`: `ticket_id`, `place`, `position`, `count`, `not_later_than`, and `select` if the place is for certain
   *   tokens. `left`: `ticket_id`. `promised`: `ticket_id` and the new `not_later_than`.
   * - `policy_changed`: a PolicyDifference. `pool_opened`: the kind and the policy `after` it.
   */
  readonly metadata: Metadata | null;
}

export type Metadata = Readonly<Record<string, unknown>>;

export type { PolicyDifference } from './policy-fields.js';

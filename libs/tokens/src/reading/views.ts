// What the service shows. Views come directly from the store and have the names of the wire; times are RFC 3339 in UTC.

import type { Instant } from '../kernel/instant.js';
import type { PoolKind, WirePolicy } from '../pool/policy-fields.js';
import type { Attributes, SealedSecret, Selector } from '../pool/thing.js';
import type { TicketEnd, TicketStatus } from '../pool/ticket.js';
import type { EndReason, Metadata, TokenEvent, TokenEventKind } from '../pool/token-event.js';
import type { TokenStatus } from '../pool/token.js';

export interface TokenView {
  readonly id: string;
  readonly pool: string;
  /** The name and the attributes of what the token stands for; null where pools are not listed. */
  readonly name: string | null;
  readonly attributes: Attributes | null;
  readonly status: TokenStatus;
  readonly active_user_id: string | null;
  /** The name that the user gave instead of an id, here and in the other views; null when it gave the id. */
  readonly holder: string | null;
  readonly last_activated_at: string | null;
  readonly expires_at: string | null;
  readonly fence: number | null;
  /**
   * What the caller gave with the open lease; null when it gave nothing, when the event was dropped, or when the viewer
   * may not see it.
   */
  readonly lease_metadata: Metadata | null;
  /**
   * Whether the token is deleted when its lease ends: it is held, and was taken out of its pool, or the pool has more
   * tokens than its size and not enough others are deleted before. Null for an instant of the past.
   */
  readonly draining: boolean | null;
  /** Until when a token rests that is cooling; null for any other. */
  readonly available_at: string | null;
  /** Why a token is out of service, and since when; null while it is in service. A held one is so after its lease. */
  readonly disabled_reason: string | null;
  readonly disabled_at: string | null;
  /** The actor who has disabled it, as in events; null also when the viewer may not see it. */
  readonly disabled_by: string | null;
}

/** Why a token is out of service. */
export type DisabledView = Pick<TokenView, 'disabled_reason' | 'disabled_at' | 'disabled_by'>;

/** The stored row of a token, whatever the clock says. */
export type StoredTokenView = Omit<TokenView, 'lease_metadata' | 'draining' | keyof DisabledView | 'available_at'> & {
  /** Whether the token is deleted at the end of its lease by a command; left out where that is not known. */
  readonly leaving?: boolean;
};

export interface UseView {
  readonly user_id: string;
  readonly holder: string | null;
  readonly fence: number;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly end_reason: EndReason | null;
}

export interface TokenDetailsView extends TokenView {
  readonly current_user: {
    readonly user_id: string;
    readonly holder: string | null;
    readonly activated_at: string;
    readonly expires_at: string;
  } | null;
  readonly history: readonly UseView[];
  /** The instant of the view, if the caller asked for one. */
  readonly as_of?: string;
}

export interface EventView {
  readonly id: string;
  readonly pool: string;
  readonly seq: number;
  /** Null for an event of the pool itself. */
  readonly token_id: string | null;
  readonly event: TokenEventKind;
  readonly user_id: string | null;
  readonly holder: string | null;
  readonly fence: number | null;
  readonly reason: TokenEvent['reason'];
  readonly occurred_at: string;
  readonly recorded_at: string;
  /** The new deadline for `activated` and `renewed`, so that the feed folds to the whole state; otherwise null. */
  readonly expires_at: string | null;
  /**
   * The id of the API key that caused the event, `open` where the service asks for no keys, or `system`; null when the
   * viewer may not see it.
   */
  readonly actor: string | null;
  /** The id of the request that caused the event; null when no request did, or the viewer may not see it. */
  readonly request_id: string | null;
  /**
   * What TokenEvent says of its metadata, with `user_id` and `reason`, which replace fields of the same name.
   */
  readonly metadata: Metadata;
  /**
   * For `activated`: exactly what the caller gave with the lease; null when it gave nothing or the viewer may not see
   * it.
   */
  readonly lease_metadata: Metadata | null;
}

/** An open lease, as a list over several pools shows it. */
export interface LeaseView {
  readonly token_id: string;
  /** The name of the token; null in pools whose tokens have none. */
  readonly name: string | null;
  readonly pool: string;
  readonly fence: number;
  readonly holder: string | null;
  readonly user_id: string;
  readonly activated_at: string;
  readonly expires_at: string;
  /** What the caller gave with the lease; null when it gave nothing, or when the event was dropped. */
  readonly metadata: Metadata | null;
}

/** Whether a lease is open. All other fields are null, except for those by which the caller named the lease. */
export interface VerificationView {
  readonly valid: boolean;
  readonly token_id: string | null;
  readonly name: string | null;
  readonly pool: string | null;
  readonly fence: number | null;
  readonly holder: string | null;
  readonly user_id: string | null;
  readonly expires_at: string | null;
  /** Whole milliseconds until the deadline, by the store's clock. */
  readonly expires_in_ms: number | null;
}

/** A place in the line of a pool, or what became of it. */
export interface TicketView {
  readonly id: string;
  readonly pool: string;
  readonly status: TicketStatus;
  /** How many wait up to this one, itself included; null when it does not wait. */
  readonly position: number | null;
  /** How many wait in the pool. */
  readonly waiting: number;
  readonly queued_at: string;
  /** The latest instant at which it is offered its tokens; null when none was proven. */
  readonly not_later_than: string | null;
  /** Until when an offer must be claimed; null when there was none. */
  readonly claim_by: string | null;
  /** When the place is lost without a sign of life from its owner. */
  readonly patience_until: string;
  /** Why it ended; null for one that has not. */
  readonly end_reason: TicketEnd | null;
  readonly count: number;
  readonly select: Selector | null;
  readonly holder: string | null;
  /** Null when the viewer may not see it. */
  readonly user_id: string | null;
}

/** The lines of all pools, for monitoring. */
export interface LineAgesView {
  readonly pool: string;
  readonly waiting: number;
  /** The seconds since the first of those that wait took its place; 0 when nobody waits. */
  readonly oldest_wait_seconds: number;
}

/** A view with the key that took its lease. visibility.ts removes the key before the service shows the view. */
type Owned<View> = View & { readonly key_id: string | null };

export type OwnedToken = Owned<TokenView>;
export type OwnedUse = Owned<UseView>;
export type OwnedLease = Owned<LeaseView>;
/** With the secret of the token; null without one, and when the caller did not name the lease by its handle. */
export type SealedVerification = VerificationView & { readonly secret: SealedSecret | null };
export type OwnedVerification = Owned<SealedVerification>;
export type OwnedDetails = Owned<Omit<TokenDetailsView, 'history'>> & { readonly history: readonly OwnedUse[] };
export type OwnedEvent = Owned<EventView>;
export type OwnedTicket = Owned<TicketView>;

export interface PoolView extends WirePolicy {
  readonly name: string;
  readonly kind: PoolKind;
  /** The number of tokens, and that of each status. Only pools that keep tokens back have the others than the first. */
  readonly counts: { readonly total: number; readonly available: number; readonly active: number } & {
    readonly [Status in Exclude<TokenStatus, 'available' | 'active'>]?: number;
  };
  readonly last_seq: number;
  /** The instant of the view, if the caller asked for one. */
  readonly as_of?: string;
}

export interface TokenPage<Token = TokenView> {
  readonly tokens: readonly Token[];
  readonly next_cursor: string | null;
}

export interface LeasePage<Lease = LeaseView> {
  readonly leases: readonly Lease[];
  readonly next_cursor: string | null;
}

export interface TicketPage<Ticket = TicketView> {
  readonly tickets: readonly Ticket[];
  readonly next_cursor: string | null;
}

export interface EventPage<Event = EventView> {
  readonly token_id: string;
  readonly events: readonly Event[];
  readonly next_cursor: string | null;
}

export interface HistoryPage<Use = UseView> {
  readonly token_id: string;
  readonly history: readonly Use[];
  readonly next_cursor: string | null;
}

/**
 * A restore of the database to an earlier state, which lost everything written later. The numbers continue so far above
 * the old ones that the pool gives no number twice.
 */
export interface RestoreView {
  /** The seq of the newest event that the restore left; 0 when it left none. */
  readonly after_seq: number;
  /** The seq of the first event after the restore. */
  readonly next_seq: number;
  /** The fence of the newest grant that the restore left; 0 when it left none. */
  readonly after_fence: number;
  /** The fence of the first grant after the restore. */
  readonly next_fence: number;
  readonly recorded_at: string;
}

export interface FeedPage<Event = EventView> {
  readonly pool: string;
  readonly events: readonly Event[];
  /** The seq of the pool's newest event, on this page or not. */
  readonly last_seq: number;
  /** The restores after the beginning of the page, oldest first. Each is a gap of seqs. */
  readonly restores: readonly RestoreView[];
  /** For a search: the seq up to which it has examined events. */
  readonly scanned_to?: number;
}

/** New events of a pool: at least one, oldest first, without gaps. */
export interface NewEventsView {
  readonly pool: string;
  readonly events: readonly OwnedEvent[];
  /** The seconds since the store recorded the oldest of them, by its clock. */
  readonly delay_seconds: number;
}

/** The ages of the leases of a pool, for monitoring. */
export interface LeaseAgesView {
  readonly pool: string;
  /** The seconds since the oldest active lease began; 0 without active leases. */
  readonly oldest_active_seconds: number;
  /** The number of leases that are over without a recorded end. */
  readonly overdue: number;
  /** The seconds since the earliest of their deadlines; 0 when there are none. */
  readonly overdue_seconds: number;
  /**
   * The seconds by which the store's clock is behind the pool's time, because it was set back or was ahead. Mostly 0.
   */
  readonly clock_behind_seconds: number;
}

/**
 * For the audit: the fields that its rules check, with times as instants, because an audit reads millions of events.
 */
export interface StoredEventView {
  readonly seq: number;
  readonly token_id: string | null;
  readonly event: TokenEventKind;
  readonly user_id: string | null;
  readonly holder: string | null;
  readonly fence: number | null;
  readonly reason: TokenEvent['reason'];
  readonly occurred_at: Instant;
  readonly recorded_at: Instant;
  /** The deadline of the lease of the event; the new one for `activated` and `renewed`. */
  readonly expires_at: Instant | null;
  readonly metadata: Metadata | null;
}

/** For the chain of hashes: every stored field of an event. */
export interface RecordedEventView extends StoredEventView {
  readonly pool: string;
  readonly id: string;
  readonly lease_id: string | null;
  readonly activated_at: Instant | null;
  readonly key_id: string | null;
  /** Null stands for `open`; an event of the previous version has null, too. */
  readonly actor: string | null;
  readonly request_id: string | null;
  /** Null in an event of the previous version. */
  readonly tokens_after: number | null;
  readonly leases_after: number | null;
  /** 64 hexadecimal digits; null in an event of the previous version. */
  readonly hash: string | null;
}

/** For the audit: the stored row of a pool, whatever the clock says. */
export interface StoredPoolView {
  readonly kind: PoolKind;
  readonly policy: WirePolicy;
  readonly last_seq: number;
  readonly last_fence: number;
  readonly token_count: number;
  readonly lease_count: number;
  /** The events up to this seq were recorded before there was a chain of hashes. */
  readonly chained_after: number;
  /** The seq of the last event in the chain. */
  readonly hashed_seq: number;
  /** The hash of that event; null when the chain is empty. */
  readonly last_hash: string | null;
  readonly restores: readonly RestoreView[];
  /** The snapshot that replaces dropped events; null when none were dropped. */
  readonly begins: SnapshotView | null;
}

/** The row with the tokens and events of the pool, which the function given to `AuditSource.look` may read once. */
export interface StoredPoolLook extends StoredPoolView {
  /** The tokens by id, some hundreds at a time. */
  readonly tokens: AsyncIterable<readonly StoredTokenView[]>;
  /** The events after a seq up to `last_seq`, oldest first, some hundreds at a time. */
  eventsAfter(seq: number): AsyncIterable<readonly RecordedEventView[]>;
}

/** For the audit: the fold of a pool's events up to one of them. The audit continues from it when they were dropped. */
export interface SnapshotView {
  readonly seq: number;
  readonly recorded_at: Instant;
  readonly last_fence: number;
  readonly last_eviction_at: Instant | null;
  /** The hash of the event with that seq, which covers all earlier ones. */
  readonly hash: string;
  /** The tokens, some thousands at a time: first the held ones in the order of their grants, then the free ones. */
  readonly parts: Iterable<readonly SnapshotTokenView[]> | AsyncIterable<readonly SnapshotTokenView[]>;
}

export interface SnapshotTokenView {
  readonly id: string;
  /** Left out in a pool that is not listed, like the attributes. */
  readonly name?: string;
  readonly attributes?: Attributes;
  /** Left out when it is not deleted at the end of its lease. */
  readonly leaving?: true;
  /** Left out when nothing keeps it back. */
  readonly upkeep?: SnapshotUpkeepView;
  readonly last_activated_at: Instant | null;
  /** The end of the last ended lease; 0 when no lease has ended. */
  readonly last_end_at: Instant;
  readonly lease: {
    readonly user_id: string;
    /** Left out when the caller gave the user id. */
    readonly holder?: string;
    /** Left out in the lease of a user. */
    readonly cleaning?: true;
    readonly fence: number;
    readonly expires_at: Instant;
  } | null;
}

/** What keeps a token of a snapshot back; what is left out does not. */
export interface SnapshotUpkeepView {
  readonly dirty_since?: Instant;
  readonly rests_until?: Instant;
  readonly failed_cleanings?: number;
  readonly disabled?: { readonly reason: string; readonly at: Instant };
}

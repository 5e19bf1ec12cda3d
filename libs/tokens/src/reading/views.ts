// What is shown. Views come straight from the store and are named as on the wire; times are RFC 3339 in UTC.

import type { Instant } from '../kernel/instant.js';
import type { PoolKind, WirePolicy } from '../pool/policy-fields.js';
import type { EndReason, Metadata, TokenEvent, TokenEventKind } from '../pool/token-event.js';

export interface TokenView {
  readonly id: string;
  readonly pool: string;
  readonly status: 'available' | 'active';
  readonly active_user_id: string | null;
  readonly last_activated_at: string | null;
  readonly expires_at: string | null;
  readonly fence: number | null;
}

export interface UseView {
  readonly user_id: string;
  readonly fence: number;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly end_reason: EndReason | null;
}

export interface TokenDetailsView extends TokenView {
  readonly current_user: {
    readonly user_id: string;
    readonly activated_at: string;
    readonly expires_at: string;
  } | null;
  readonly history: readonly UseView[];
  /** Of which instant, where one was asked for. */
  readonly as_of?: string;
}

export interface EventView {
  readonly id: string;
  readonly pool: string;
  readonly seq: number;
  readonly token_id: string;
  readonly event: TokenEventKind;
  readonly user_id: string | null;
  readonly fence: number | null;
  readonly reason: TokenEvent['reason'];
  readonly occurred_at: string;
  readonly recorded_at: string;
  /** Of `activated` and `renewed`: the deadline from then on, so that the feed folds to the whole state. */
  readonly expires_at: string | null;
  /** Who did it: the id of an API key, `open` where none is asked for, or `system`; null when it is not shown. */
  readonly actor: string | null;
  /** Of the request by which it was done; null when it was none. */
  readonly request_id: string | null;
  /** What the caller gave with the lease, and beside it or in its place `user_id` and `reason`. */
  readonly metadata: Metadata;
  /** Of `activated`: what the caller gave with the lease, as it was given; null when that was nothing, or is not shown. */
  readonly lease_metadata: Metadata | null;
}

/** What the store says: with the key of the lease it is about, which visibility.ts takes away again. */
type Owned<View> = View & { readonly key_id: string | null };

export type OwnedToken = Owned<TokenView>;
export type OwnedUse = Owned<UseView>;
export type OwnedDetails = Owned<Omit<TokenDetailsView, 'history'>> & { readonly history: readonly OwnedUse[] };
export type OwnedEvent = Owned<EventView>;

export interface PoolView extends WirePolicy {
  readonly name: string;
  readonly kind: PoolKind;
  readonly counts: { readonly total: number; readonly available: number; readonly active: number };
  readonly last_seq: number;
  /** Of which instant counts and last_seq are, where one was asked for. */
  readonly as_of?: string;
}

export interface TokenPage<Token = TokenView> {
  readonly tokens: readonly Token[];
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
 * The database was put back to an earlier state: what had been written after these was lost, and the numbers go on so much
 * further up that none of those that were given then is given again.
 */
export interface RestoreView {
  /** Of the newest event that was left; 0: none. */
  readonly after_seq: number;
  /** Of the first event after it. */
  readonly next_seq: number;
  /** Of the newest grant that was left; 0: none. */
  readonly after_fence: number;
  /** Of the first grant after it. */
  readonly next_fence: number;
  readonly recorded_at: string;
}

export interface FeedPage<Event = EventView> {
  readonly pool: string;
  readonly events: readonly Event[];
  /** The seq of the pool's newest event, on this page or not. */
  readonly last_seq: number;
  /** The gaps that the feed has after where the page begins, oldest first. */
  readonly restores: readonly RestoreView[];
  /** Where some events are asked for: up to which seq they were looked for. */
  readonly scanned_to?: number;
}

/** What was added to a pool's feed: one event at least, oldest first, without gaps. */
export interface NewEventsView {
  readonly pool: string;
  readonly events: readonly OwnedEvent[];
  /** For how long the oldest of them is written down, by the store's clock. */
  readonly delay_seconds: number;
}

/** For whoever watches a pool. */
export interface LeaseAgesView {
  readonly pool: string;
  /** How long ago the oldest active lease began; 0 when there is none. */
  readonly oldest_active_seconds: number;
  /** Leases that are over, and whose end is not written down yet. */
  readonly overdue: number;
  /** For how long the longest of them is; 0 when there is none. */
  readonly overdue_seconds: number;
  /** How far the store's clock is behind the pool's time, as it was set back or was ahead. Mostly 0. */
  readonly clock_behind_seconds: number;
}

/** For the audit: what the rules speak of, with times as instants. A million of them are read in one go. */
export interface StoredEventView {
  readonly seq: number;
  readonly token_id: string;
  readonly event: TokenEventKind;
  readonly user_id: string | null;
  readonly fence: number | null;
  readonly reason: TokenEvent['reason'];
  readonly occurred_at: Instant;
  readonly recorded_at: Instant;
  /** The deadline of the lease that it is about: of `activated` and `renewed`, from then on. */
  readonly expires_at: Instant | null;
}

/** For the audit's chain: all that is written down of an event, as it is. */
export interface RecordedEventView extends StoredEventView {
  readonly pool: string;
  readonly id: string;
  readonly lease_id: string | null;
  readonly activated_at: Instant | null;
  readonly metadata: Metadata | null;
  readonly key_id: string | null;
  /** Null: `open`, or in an event of the version before. */
  readonly actor: string | null;
  readonly request_id: string | null;
  /** Null in an event of the version before. */
  readonly tokens_after: number | null;
  readonly leases_after: number | null;
  /** 64 hexadecimal digits; null in an event of the version before. */
  readonly hash: string | null;
}

/** For the audit: what is written down, not judged by any clock. */
export interface StoredPoolView {
  readonly size: number;
  readonly last_seq: number;
  readonly last_fence: number;
  readonly token_count: number;
  readonly lease_count: number;
  /** The events up to this seq are from before there was a chain of hashes. */
  readonly chained_after: number;
  /** The seq up to which the chain goes. */
  readonly hashed_seq: number;
  /** Of that event; null when the chain is empty. */
  readonly last_hash: string | null;
  readonly restores: readonly RestoreView[];
  /** What is left of the events that were dropped; null: none were. */
  readonly begins: SnapshotView | null;
}

/** The same with all that belongs to it, to be read once and while it is looked at. */
export interface StoredPoolLook extends StoredPoolView {
  /** By id, some hundreds at a time. */
  readonly tokens: AsyncIterable<readonly TokenView[]>;
  /** Those after a seq up to `last_seq`, oldest first, some hundreds at a time. */
  eventsAfter(seq: number): AsyncIterable<readonly RecordedEventView[]>;
}

/** For the audit: the fold of a pool's events up to one of them, from which it goes on when they are not there any more. */
export interface SnapshotView {
  readonly seq: number;
  readonly recorded_at: Instant;
  readonly last_fence: number;
  readonly last_eviction_at: Instant | null;
  /** Of the event with that seq, and with it of all before. */
  readonly hash: string;
  /** Its tokens, some thousands at a time: those that are held first, in the order of granting. */
  readonly parts: Iterable<readonly SnapshotTokenView[]> | AsyncIterable<readonly SnapshotTokenView[]>;
}

export interface SnapshotTokenView {
  readonly id: string;
  readonly last_activated_at: Instant | null;
  /** 0: it was never held, or is held for the first time. */
  readonly last_end_at: Instant;
  readonly lease: { readonly user_id: string; readonly fence: number; readonly expires_at: Instant } | null;
}

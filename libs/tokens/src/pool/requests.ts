// What a caller asks of a pool, and what the pool returns.

import type { Instant } from '../kernel/instant.js';
import type { Attributes, SealedSecret, Selector } from './thing.js';
import type { Metadata } from './token-event.js';
import type { Ticket } from './ticket.js';
import type { Lease, TokenStatus } from './token.js';

export type { OpenLeaseName } from './token.js';

export interface AllocateRequest {
  readonly userId: string;
  /** The name from which the user id follows. */
  readonly holder?: string;
  /** Only this token, or the token of this name; at most one of them and `select` is given. */
  readonly tokenId?: string;
  readonly name?: string;
  /** Only a token with these attributes. */
  readonly select?: Selector;
  /** The length of the lease in seconds, at most that of the pool; left out, it is that of the pool. */
  readonly ttlSeconds?: number;
  readonly metadata?: Metadata;
}

/** Asks for the token that is dirty for the longest. */
export type CleanRequest = Pick<AllocateRequest, 'userId' | 'holder' | 'select' | 'metadata'>;

/** Asks for several tokens at once, all or none, or for a place in the line. */
export type PlaceRequest = Omit<AllocateRequest, 'tokenId' | 'name'> & { readonly count: number };

export interface Grant extends Lease {
  readonly tokenId: string;
  /** Null in a pool that is not listed, like the attributes. */
  readonly name: string | null;
  readonly attributes: Attributes | null;
  readonly secret: SealedSecret | null;
  /** The lease that the pool evicted for this one; null when a token was free. */
  readonly evicted: Lease | null;
}

/** The status of a token after its lease, or that it was deleted with it. */
export type StatusAfter = TokenStatus | 'deleted';

/** What an import has done: the numbers of things, and of those that are deleted at the ends of their leases. */
export interface ImportResult {
  readonly added: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly draining: number;
}

/** The state of a ticket that its owner asks for, and its grants if it has them. */
export interface Claimed {
  readonly ticket: Ticket;
  readonly grants: readonly Grant[] | null;
}

export interface Renewal extends Lease {
  /** The instant from which the new time counts. */
  readonly renewedAt: Instant;
}

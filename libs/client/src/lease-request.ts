import type { Selector } from './api-types.js';

/** What a lease is to be. */
export interface LeaseRequest {
  /** The user that will hold the token, as a UUID. Default: a new one. */
  readonly user_id?: string;
  /** How the user names itself, such as `ci-4711`, instead of `user_id`, which then follows from it. */
  readonly holder?: string;
  /** The length of the lease, at most the pool's. Default: the pool's. */
  readonly ttl_seconds?: number;
  /** This token and no other. */
  readonly token_id?: string;
  /** The thing of this name and no other. */
  readonly name?: string;
  /** Only a thing with these attributes: of this value, of one of several values, or null for no such attribute. */
  readonly select?: Selector;
  /** Data that the service stores with the `activated` event; at most 4096 bytes of JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

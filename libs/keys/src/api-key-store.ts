// The port for storing keys. The store's clock decides which keys have expired, and how long others stay valid.

import type { ApiKeyPage, ApiKeyView } from './api-key.js';
import type { Bounds, Rights } from './rights.js';

export interface NewKey extends Rights {
  readonly id: string;
  readonly name: string;
  readonly secretHash: Buffer;
  readonly createdBy: string | null;
}

export interface Rotation {
  readonly secretHash: Buffer;
  readonly oldGoodForSeconds: number;
  /** The key that asks for the rotation; null: the command line. */
  readonly by: string | null;
}

/** A key as stored, with what the service needs to check a secret. */
export interface StoredKey {
  readonly view: ApiKeyView;
  readonly secretHash: Buffer;
  /** How long the key stays valid, in milliseconds; 0 if it has expired or is revoked, Infinity if it has no end. */
  readonly goodForMs: number;
  /** The secret before the last rotation, and how long it stays valid, in milliseconds; null if there was none. */
  readonly old: { readonly secretHash: Buffer; readonly goodForMs: number } | null;
}

export interface KeyQuery {
  /** Restricts the list to keys that may do no more than this; null: all keys. */
  readonly within: Bounds | null;
  readonly limit: number;
  /** The `next_cursor` of the page before. */
  readonly cursor?: string;
}

/** Every method throws DomainError `unavailable` if the database cannot be reached in time. */
export abstract class ApiKeyStore {
  /** Adds a key. Undefined if its end is not in the future. */
  abstract add(key: NewKey): Promise<ApiKeyView | undefined>;

  /** Finds a key, also one that has expired or is revoked. */
  abstract find(id: string): Promise<StoredKey | undefined>;

  /**
   * Lists keys by id.
   * @throws DomainError `invalid_request` for a malformed cursor, `position_unknown` for one of another database
   */
  abstract list(query: KeyQuery): Promise<ApiKeyPage>;

  /**
   * Replaces the secret; the present one stays valid for `oldGoodForSeconds`. Undefined if no valid key has this id.
   */
  abstract rotate(id: string, change: Rotation): Promise<ApiKeyView | undefined>;

  /**
   * Revokes a key with both its secrets. A key that is revoked already keeps the time and author of that. Undefined if
   * no key has this id.
   */
  abstract revoke(id: string, by: string | null): Promise<ApiKeyView | undefined>;

  /** Notes the present instant as the last use of these keys. */
  abstract noteUse(ids: readonly string[]): Promise<void>;
}

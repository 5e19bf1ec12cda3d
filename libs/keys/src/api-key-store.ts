// The port to wherever keys are kept. Its clock judges: what is over, and for how long something still holds.

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
  /** The key that asks for it; null: the command line. */
  readonly by: string | null;
}

/** What there is to tell whether a secret is good. */
export interface StoredKey {
  readonly view: ApiKeyView;
  readonly secretHash: Buffer;
  /** For how long the key is good, in milliseconds; 0 when it is over or revoked, Infinity when it has no end. */
  readonly goodForMs: number;
  /** The secret before the present one, as long as it counts. */
  readonly old: { readonly secretHash: Buffer; readonly goodForMs: number } | null;
}

export interface KeyQuery {
  /** Only those that may do no more; null: all. */
  readonly within: Bounds | null;
  readonly limit: number;
  /** `next_cursor` of the page before. */
  readonly cursor?: string;
}

/** Everything here throws DomainError `unavailable` when the database cannot be reached in time. */
export abstract class ApiKeyStore {
  /** Undefined when the key would be over already. */
  abstract add(key: NewKey): Promise<ApiKeyView | undefined>;

  /** Also one that is over. */
  abstract find(id: string): Promise<StoredKey | undefined>;

  /** By id. @throws DomainError `invalid_request` for a bad cursor */
  abstract list(query: KeyQuery): Promise<ApiKeyPage>;

  /** The present secret becomes the old one, good for so long yet. Undefined without such a key that is good. */
  abstract rotate(id: string, change: Rotation): Promise<ApiKeyView | undefined>;

  /**
   * From now on it is good for nothing; one that was revoked before keeps its time, and who revoked it. Undefined without
   * such a key.
   */
  abstract revoke(id: string, by: string | null): Promise<ApiKeyView | undefined>;

  /** They were used just now. */
  abstract noteUse(ids: readonly string[]): Promise<void>;
}

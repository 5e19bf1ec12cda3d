// A key as the API shows it: everything but its secret. Fields have their names on the wire; times are RFC 3339 in UTC.

import type { Rights } from './rights.js';

export interface ApiKeyView extends Rights {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  /** The key that issued this one; null: the command line. */
  readonly created_by: string | null;
  readonly revoked_at: string | null;
  /** The key that revoked this one; null: the command line, an earlier release, or this key is not revoked. */
  readonly revoked_by: string | null;
  /** The time of the last rotation; null: none, or only by an earlier release. */
  readonly rotated_at: string | null;
  /** The key that asked for the last rotation; null: the command line. */
  readonly rotated_by: string | null;
  /** The time of the last use, accurate to about ten seconds; null: never used. */
  readonly last_used_at: string | null;
  /** Until when the secret before the last rotation is valid, too; null if none is. */
  readonly old_secret_until: string | null;
}

/** A key with its secret, which the API shows only once. */
export interface IssuedKey extends ApiKeyView {
  readonly key: string;
}

export interface ApiKeyPage {
  readonly keys: readonly ApiKeyView[];
  readonly next_cursor: string | null;
}

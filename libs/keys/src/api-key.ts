// A key as it is shown: everything but its secret. Named as on the wire; times are RFC 3339 in UTC.

import type { Rights } from './rights.js';

export interface ApiKeyView extends Rights {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  /** The key that gave it; null: whoever has the database. */
  readonly created_by: string | null;
  readonly revoked_at: string | null;
  /** The key that revoked it; null: the command line, an earlier release, or it is not revoked. */
  readonly revoked_by: string | null;
  /** When its secret was last changed; null: never, or by an earlier release. */
  readonly rotated_at: string | null;
  /** The key that changed it then; null: the command line. */
  readonly rotated_by: string | null;
  /** To some ten seconds; null: never. */
  readonly last_used_at: string | null;
  /** Until when the secret before the present one is good, too; null without one. */
  readonly old_secret_until: string | null;
}

/** The one time that it is shown. */
export interface IssuedKey extends ApiKeyView {
  readonly key: string;
}

export interface ApiKeyPage {
  readonly keys: readonly ApiKeyView[];
  readonly next_cursor: string | null;
}

// Cursors: where a page ended, as opaque text. A cursor names its list, so that no other list accepts it.

import { DomainError, type TokenStatus } from '@app/tokens';

export type CursorList = 'all' | TokenStatus | 'events' | 'history' | 'leases' | 'keys' | 'line';

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

/** The forms that are valid parameters of each list's statement. A caller may forge a cursor. */
const PART = {
  all: new RegExp(`^${UUID}$`),
  active: /^\d{1,16}$/,
  available: new RegExp(`^\\d{1,16}~${UUID}$`),
  cooling: new RegExp(`^${UUID}$`),
  dirty: new RegExp(`^${UUID}$`),
  cleaning: new RegExp(`^${UUID}$`),
  disabled: new RegExp(`^${UUID}$`),
  events: /^\d{1,16}$/,
  history: /^\d{1,16}$/,
  leases: /^[a-z0-9][a-z0-9-]{0,62}~\d{1,16}$/,
  keys: /^[0-9A-Za-z]{12}$/,
  line: /^\d{1,16}$/,
} satisfies Record<CursorList, RegExp>;

export const writeCursor = (list: CursorList, place: string | number): string =>
  Buffer.from(`${list}~${place}`).toString('base64url');

/**
 * The place of a cursor, or undefined if the cursor is missing or empty.
 * @throws DomainError `invalid_request` for a malformed cursor, or one of another list
 */
export function readCursor(list: CursorList, cursor: string | undefined): string | undefined {
  if (cursor === undefined || cursor === '') return undefined;
  const place = Buffer.from(cursor, 'base64url')
    .toString()
    .slice(list.length + 1);
  if (!PART[list].test(place) || writeCursor(list, place) !== cursor) {
    throw new DomainError('invalid_request', 'cursor must be the next_cursor of the page before, of the same list');
  }
  return place;
}

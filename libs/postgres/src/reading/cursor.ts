// Where a page ended, as an opaque word. It names its list, so that a cursor of another list is refused.

import { DomainError } from '@app/tokens';

export type CursorList = 'all' | 'active' | 'available' | 'events' | 'history' | 'keys';

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

/** What is let through is good for the statement that it is a parameter of: a cursor may be forged. */
const PART = {
  all: new RegExp(`^${UUID}$`),
  active: /^\d{1,16}$/,
  available: new RegExp(`^\\d{1,16}~${UUID}$`),
  events: /^\d{1,16}$/,
  history: /^\d{1,16}$/,
  keys: /^[0-9A-Za-z]{12}$/,
} satisfies Record<CursorList, RegExp>;

export const writeCursor = (list: CursorList, place: string | number): string =>
  Buffer.from(`${list}~${place}`).toString('base64url');

/** The place, or undefined without a cursor: an empty one is none. @throws DomainError `invalid_request` */
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

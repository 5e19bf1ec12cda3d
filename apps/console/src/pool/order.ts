// The order of the tokens in the list.

import type { TokenState } from '../live/pool-state.js';

/** What a token is sorted by. Null comes last in both directions. */
export type SortBy = (token: TokenState, now: number) => number | string | null;

/** Sorts "item 10" behind "item 9". */
export const natural = (text: string): string =>
  text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(16, '0'));

export function sorted(
  tokens: readonly TokenState[],
  sortBy: SortBy,
  isDescending: boolean,
  now: number,
): TokenState[] {
  const sign = isDescending ? -1 : 1;
  const rows = tokens.map((token) => ({ token, by: sortBy(token, now) }));
  rows.sort((a, b) => {
    if (a.by === b.by) return a.token.id < b.token.id ? -1 : 1;
    if (a.by === null || b.by === null) return a.by === null ? 1 : -1;
    // Numbers before texts, as a column may have both.
    if (typeof a.by !== typeof b.by) return typeof a.by === 'number' ? -sign : sign;
    return a.by < b.by ? -sign : sign;
  });
  return rows.map(({ token }) => token);
}

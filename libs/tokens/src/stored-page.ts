// A pool's events a page at a time, up to where it ended when the reading began.

import type { TokenReader } from './token-reader.js';
import type { RecordedEventView } from './views.js';

/** Where numbers jump over a gap, so many events would reach beyond `last`. */
export const storedPage = async (
  reader: TokenReader,
  pool: string,
  after: number,
  last: number,
  most: number,
): Promise<readonly RecordedEventView[]> =>
  (await reader.storedEvents(pool, after, Math.min(most, last - after))).filter(({ seq }) => seq <= last);

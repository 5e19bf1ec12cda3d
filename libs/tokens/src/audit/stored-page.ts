// A pool's events a page at a time, up to where it ended when the reading began.

import { DomainError } from '../kernel/domain-error.js';
import type { TokenReader } from '../reading/token-reader.js';
import type { RecordedEventView } from '../reading/views.js';

/** A page that did not come in time is asked for anew with so many times fewer events. */
const FEWER = 8;

/**
 * Reads the events after a seq, up to `last`: so many at most, and fewer from then on when a page did not come in time. Where
 * numbers jump over a gap, so many events would reach beyond `last`.
 */
export function storedPages(
  reader: TokenReader,
  pool: string,
  last: number,
  most: number,
): (after: number) => Promise<readonly RecordedEventView[]> {
  return async (after) => {
    for (;;) {
      const asked = most;
      try {
        const events = await reader.storedEvents(pool, after, Math.min(asked, last - after));
        return events.filter(({ seq }) => seq <= last);
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== 'unavailable' || asked === 1) throw error;
        most = Math.ceil(asked / FEWER);
      }
    }
  };
}

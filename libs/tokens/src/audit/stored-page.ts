// A pool's events a page at a time, up to where it ended when the reading began.

import type { AuditSource } from './audit-source.js';
import { DomainError } from '../kernel/domain-error.js';
import type { RecordedEventView } from '../reading/views.js';

/** A page that did not come in time is asked for anew with so many times fewer rows. */
const FEWER = 8;

/** How many rows are asked for at once: so many at most, and fewer from then on when they did not come in time. */
export class PageSize {
  constructor(private most: number) {}

  async read<T>(ask: (most: number) => Promise<T>): Promise<T> {
    for (;;) {
      const asked = this.most;
      try {
        return await ask(asked);
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== 'unavailable' || asked === 1) throw error;
        this.most = Math.ceil(asked / FEWER);
      }
    }
  }
}

/**
 * Reads the events after a seq, up to `last`, as many as the size of the page says. Where numbers jump over a gap, so many events would
 * reach beyond `last`.
 */
export function storedPages(
  source: AuditSource,
  pool: string,
  last: number,
  size: PageSize,
): (after: number) => Promise<readonly RecordedEventView[]> {
  return async (after) => {
    const events = await size.read((most) => source.events(pool, after, Math.min(most, last - after)));
    return events.filter(({ seq }) => seq <= last);
  };
}

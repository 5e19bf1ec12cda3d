// Reads a pool's events page by page, up to the event that was the last when the reading began.

import type { AuditSource } from './audit-source.js';
import { DomainError } from '../kernel/domain-error.js';
import type { RecordedEventView } from '../reading/views.js';

/** After a page did not come in time, the next request asks for this many times fewer rows. */
const FEWER = 8;

/** The number of rows on a page, which falls for good when a page does not come in time. */
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
 * Reads a page of the events after a seq, up to `last`. It drops events beyond `last`, which a page may contain if
 * there is a gap of seqs.
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

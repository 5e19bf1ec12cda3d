// Counts what happens to tokens between two users, after each commit of this process.

import { Injectable } from '@nestjs/common';
import { END_REASONS, type EndReason, type Observer, type TransactionReport } from '@app/tokens';
import { AGES, Distribution } from './distribution.js';
import { by, type Family } from './family.js';

/** The ends of leases that were used, other than by the holder's own release. */
const UNCLEAN = END_REASONS.filter((reason) => !['released_by_client', 'undelivered', 'unclaimed'].includes(reason));

@Injectable()
export class UpkeepMetrics implements Observer {
  readonly #cleanings = new Distribution(AGES);
  readonly #unclean = new Map<string, Record<string, number>>();

  /** Shows these pools even when no lease has ended there. */
  know(poolNames: readonly string[]): void {
    for (const name of poolNames) this.#endsOf(name);
  }

  observe(report: TransactionReport): void {
    if (report.outcome !== 'committed') return;
    const { events } = report.pool;
    for (const [place, { event, reason, lease, occurredAt }] of events.entries()) {
      if (event !== 'released' && event !== 'expired') continue;
      // The pool records that a token is clean right after the lease of who has cleaned it.
      if (lease?.purpose === 'clean') {
        if (events[place + 1]?.event === 'cleaned') this.#cleanings.add((occurredAt - lease.activatedAt) / 1_000_000);
      } else if (UNCLEAN.includes(reason as EndReason)) this.#endsOf(report.poolName)[reason as EndReason]!++;
    }
  }

  families(): Family[] {
    return [
      {
        name: 'token_pool_clean_seconds',
        type: 'histogram',
        help: 'How long cleanings took after which the token was clean.',
        samples: this.#cleanings.samples('token_pool_clean_seconds'),
      },
      {
        name: 'token_pool_unclean_ends_total',
        type: 'counter',
        help: 'Leases that did not end by the release of their holder, and were used.',
        samples: [...this.#unclean].flatMap(([pool, ends]) => by('reason', ends, { pool })),
      },
    ];
  }

  #endsOf(poolName: string): Record<string, number> {
    const known = this.#unclean.get(poolName);
    if (known) return known;
    const ends = Object.fromEntries(UNCLEAN.map((reason) => [reason, 0]));
    this.#unclean.set(poolName, ends);
    return ends;
  }
}

// Counts what this process does in the lines of pools, after each commit.

import { Injectable } from '@nestjs/common';
import { LEAVE_REASONS, type LeaveReason, type Observer, type Ticket, type TransactionReport } from '@app/tokens';
import { Distribution, AGES } from './distribution.js';
import type { Family } from './family.js';

/** How a wait ends. */
const OUTCOMES = ['offered', ...LEAVE_REASONS] as const;
type Outcome = (typeof OUTCOMES)[number];

/**
 * By how many seconds an offer may come after its promise without counting as broken: the end of a lease is noticed
 * shortly after its instant.
 */
const GRACE_SECONDS = 1;

@Injectable()
export class LineMetrics implements Observer {
  readonly #waits = new Map<Outcome, Distribution>(OUTCOMES.map((outcome) => [outcome, new Distribution(AGES)]));
  readonly #slack = new Distribution(AGES);
  readonly #broken = new Map<string, number>();

  /** Shows these pools even when nobody has waited there. */
  know(poolNames: readonly string[]): void {
    for (const name of poolNames) if (!this.#broken.has(name)) this.#broken.set(name, 0);
  }

  observe(report: TransactionReport): void {
    if (report.outcome !== 'committed') return;
    const { poolName, pool } = report;
    for (const ticket of pool.changedTickets) {
      const outcome = outcomeOf(ticket, pool.now);
      if (outcome === null) continue;
      this.#waits.get(outcome)!.add((pool.now - ticket.queuedAt) / 1_000_000);
      if (outcome !== 'offered' || ticket.notLaterThan === null) continue;
      const slack = (ticket.notLaterThan - pool.now) / 1_000_000;
      this.#slack.add(Math.max(0, slack));
      if (slack < -GRACE_SECONDS) this.#broken.set(poolName, (this.#broken.get(poolName) ?? 0) + 1);
    }
  }

  families(): Family[] {
    return [
      {
        name: 'token_pool_wait_seconds',
        type: 'histogram',
        help: 'How long callers waited in line, by how that ended.',
        samples: [...this.#waits].flatMap(([outcome, values]) =>
          values
            .samples('token_pool_wait_seconds')
            .map((sample) => ({ ...sample, labels: { ...sample.labels, outcome } })),
        ),
      },
      {
        name: 'token_pool_promise_slack_seconds',
        type: 'histogram',
        help: 'By how much offers came before their promises.',
        samples: this.#slack.samples('token_pool_promise_slack_seconds'),
      },
      {
        name: 'token_pool_broken_promises_total',
        type: 'counter',
        help: 'Offers that came more than a second after their promises, because the service was down, or by a bug.',
        samples: [...this.#broken].map(([pool, value]) => ({ labels: { pool }, value })),
      },
    ];
  }
}

/** How a wait has ended in this transaction; null when it has not. */
function outcomeOf({ status, endReason, claimBy, claimSeconds }: Ticket, now: number): Outcome | null {
  const isNewOffer = status === 'offered' && claimBy === now + Math.max(1, Math.round(claimSeconds * 1_000_000));
  if (isNewOffer) return 'offered';
  return status === 'ended' && (LEAVE_REASONS as readonly unknown[]).includes(endReason)
    ? (endReason as LeaveReason)
    : null;
}

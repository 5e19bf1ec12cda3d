// Counts requests by method, route and status. The label is the route's pattern; requests without a route share one
// label, so that a caller cannot create new ones.

import { Injectable } from '@nestjs/common';
import { Distribution, LATENCIES } from './distribution.js';
import type { Family, Sample } from './family.js';

const UNMATCHED = 'unmatched';
/** The client hung up before the answer. */
const ABORTED = 'aborted';

export interface Operation {
  readonly method: string;
  readonly route: string;
  /** The statuses that the operation may answer with. */
  readonly statuses: readonly string[];
}

/** The purpose of a request: to take a token, to change something else, such as to release one, or to read. */
export type Demand = 'taking' | 'other' | 'reading';

/** Operations that are not in the OpenAPI document. */
const OTHERS: readonly Operation[] = [
  { method: 'GET', route: '/metrics', statuses: ['200'] },
  { method: 'GET', route: '/openapi.json', statuses: ['200'] },
  { method: 'GET', route: '/openapi-3.0.json', statuses: ['200'] },
  { method: 'GET', route: '/docs', statuses: ['200'] },
  { method: 'GET', route: '/docs/:file', statuses: ['200'] },
  { method: 'GET', route: UNMATCHED, statuses: ['200', '404'] },
];

class OperationTally {
  readonly durations = new Distribution(LATENCIES);
  readonly statuses = new Map<string, number>();
}

@Injectable()
export class HttpMetrics {
  readonly #routes = new Map<string, Map<string, OperationTally>>();
  readonly #turnedAway: Record<Demand, number> = { taking: 0, other: 0, reading: 0 };
  #announced: () => readonly Operation[] = () => [];

  /** Shows these operations from the first scrape on, even without requests. */
  announce(operations: () => readonly Operation[]): void {
    this.#announced = operations;
  }

  turnedAway(what: Demand): void {
    this.#turnedAway[what]++;
  }

  /**
   * @param route undefined for a request without a route
   * @param status undefined when the client hung up before the answer
   */
  record(method: string, route: string | undefined, status: number | undefined, durationMs: number): void {
    const { durations, statuses } = this.#tallyOf(route ?? UNMATCHED, method);
    durations.add(durationMs / 1000);
    count(statuses, status === undefined ? ABORTED : String(status), 1);
  }

  families(): Family[] {
    for (const { method, route, statuses } of [...this.#announced(), ...OTHERS]) {
      const tally = this.#tallyOf(route, method);
      for (const status of [...statuses, ABORTED]) count(tally.statuses, status, 0);
    }
    this.#announced = () => [];
    const all = (samples: (labels: Sample['labels'], tally: OperationTally) => Sample[]): Sample[] =>
      [...this.#routes].flatMap(([route, methods]) =>
        [...methods].flatMap(([method, tally]) => samples({ method, route }, tally)),
      );
    const durations = 'token_pool_http_request_duration_seconds';
    return [
      {
        name: 'token_pool_http_requests_total',
        type: 'counter',
        help: 'Requests that are over.',
        samples: all((labels, { statuses }) =>
          [...statuses].map(([status, value]) => ({ labels: { ...labels, status }, value })),
        ),
      },
      {
        name: durations,
        type: 'histogram',
        help: 'From the first line of a request to the end of its answer.',
        samples: all((labels, tally) => tally.durations.samples(durations, labels)),
      },
      {
        name: 'token_pool_http_turned_away_total',
        type: 'counter',
        help: 'Requests answered with 503 at the door, because too many were under way, or too many of their key.',
        samples: Object.entries(this.#turnedAway).map(([command, value]) => ({ labels: { command }, value })),
      },
    ];
  }

  #tallyOf(route: string, method: string): OperationTally {
    const methods = this.#routes.get(route) ?? new Map<string, OperationTally>();
    const tally = methods.get(method) ?? new OperationTally();
    this.#routes.set(route, methods.set(method, tally));
    return tally;
  }
}

const count = (counts: Map<string, number>, of: string, more: number): unknown =>
  counts.set(of, (counts.get(of) ?? 0) + more);

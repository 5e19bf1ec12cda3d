// Requests by method, route and status. A route is its pattern; whatever has none goes under one name, so that
// nobody can make up new ones.

import { Injectable } from '@nestjs/common';
import { Distribution, LATENCIES } from './distribution.js';
import type { Family, Sample } from './family.js';

const UNMATCHED = 'unmatched';
/** The client was gone before it had its answer. */
const ABORTED = 'aborted';

export interface Operation {
  readonly method: string;
  readonly route: string;
  /** That it may answer with. */
  readonly statuses: readonly string[];
}

/** What a request is after: a token, any other change, such as giving one back, or to know something. */
export type Demand = 'taking' | 'other' | 'reading';

/** Beside those of the document. */
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

  /** What is to be shown from the first time on, whether or not it is asked for. */
  announce(operations: () => readonly Operation[]): void {
    this.#announced = operations;
  }

  turnedAway(what: Demand): void {
    this.#turnedAway[what]++;
  }

  /**
   * @param route undefined when there is none
   * @param status undefined when the client did not wait for it
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

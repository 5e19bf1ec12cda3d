// Instants of the database (RFC 3339, microseconds) and of the history (nanoseconds since it began), on one scale.

import type { End, Run } from '../history.js';

/** What two clocks of one machine, read one after the other, may differ by, in microseconds. */
const TOLERANCE = 20_000;

export class Wall {
  /** Microseconds by which an instant of the database and one of the history may be apart and yet be the same. */
  readonly tolerance: number;

  constructor(
    private readonly run: Run,
    end: End | null,
  ) {
    const drift = end === null ? 0 : Math.abs(end.wall - this.at(end.at));
    this.tolerance = TOLERANCE + drift;
  }

  /** Microseconds since the Unix epoch. */
  at(ns: number): number {
    return this.run.wallAtZero + ns / 1000;
  }
}

// Puts instants of the database (RFC 3339, microseconds) and of the history (nanoseconds since its start) on one scale.

import type { End, Run } from '../history.js';

/** The largest difference between two clocks of one machine, read one after the other, in microseconds. */
const TOLERANCE = 20_000;

export class Wall {
  /** Microseconds by which an instant of the database and the same instant of the history may differ. */
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

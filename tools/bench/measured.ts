// What is measured of many requests after one another.

export interface Measured {
  /** Answers a second. */
  readonly rate: number;
  /** In milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers that there is too much to do at the moment; they do not count as answers. */
  readonly refused: number;
  /** Where it was asked for. */
  readonly cpu?: ProcessorTime;
}

/** Of one answer, in microseconds. */
export interface ProcessorTime {
  /** 0 where the service is in this process. */
  readonly client: number;
  readonly server: number;
  /** Null where it cannot be told. */
  readonly postgres: number | null;
}

// The figures of many requests.

export interface Measured {
  /** Answers a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers with 503, which do not count in the rate. */
  readonly refused: number;
  /** Given where the section measures it. */
  readonly cpu?: ProcessorTime;
}

/** The processor time of one answer, in microseconds. */
export interface ProcessorTime {
  /** 0 for a service in this process. */
  readonly client: number;
  readonly server: number;
  /** null where it is unknown */
  readonly postgres: number | null;
}

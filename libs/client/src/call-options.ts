// What every call takes beside what it asks for.

export interface CallOptions {
  /** Gives the call up: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How long the call may take in all, its retries included, in milliseconds. Default: the client's, or 30,000. */
  readonly timeoutMs?: number;
}

export interface RepeatableOptions extends CallOptions {
  /** Of 1 to 255 visible characters. Default: a new one for each call, the same for its retries. */
  readonly idempotencyKey?: string;
}

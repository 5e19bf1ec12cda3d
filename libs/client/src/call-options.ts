// The options that every call takes.

export interface CallOptions {
  /** Aborts the call, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How long the call and its retries may take together, in milliseconds. Default: the client's, or 30,000. */
  readonly timeoutMs?: number;
}

export interface RepeatableOptions extends CallOptions {
  /** 1 to 255 visible characters. By default each call has a new key, and its retries the same. */
  readonly idempotencyKey?: string;
}

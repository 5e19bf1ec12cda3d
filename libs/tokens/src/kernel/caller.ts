// The caller of a use case, and what it may do.

/** An API key, or any client where the service asks for no keys. */
export interface Caller {
  /** The id of the API key; null where the service asks for no keys. */
  readonly keyId: string | null;
  /** The id of the request, which the audit records with each event; null when no request caused the call. */
  readonly requestId: string | null;
  /** The names of the pools that the caller may know of; null stands for all pools. */
  readonly pools: ReadonlySet<string> | null;
  /** Whether the caller may end and renew the leases of others, and see who holds them. */
  readonly mayOperate: boolean;
  /** The context of tracing. The domain passes it on and does not read it. */
  readonly trace?: unknown;
}

/** The caller where the service asks for no keys. */
export const ANYBODY: Caller = { keyId: null, requestId: null, pools: null, mayOperate: true };

/** The actor that the audit records for a caller without a key. */
export const OPEN = 'open';

/** The actor that the audit records for the service itself: for what the clock decides, and at the first start. */
export const SYSTEM = 'system';

// Who asks: on whose behalf something is done, and what that allows.

/** An API key, or nobody in particular where the service is open to everybody. */
export interface Caller {
  /** Of the API key; null where no key is asked for. */
  readonly keyId: string | null;
  /** Of the request; null when it was none. The audit names it with each event. */
  readonly requestId: string | null;
  /** The pools that it may know of; null: all. */
  readonly pools: ReadonlySet<string> | null;
  /** Whether it may end and renew leases that it did not take, and sees who holds what. */
  readonly mayOperate: boolean;
  /** Whatever follows the request through the service knows it by this; the domain hands it on and does not look at it. */
  readonly trace?: unknown;
}

/** Whoever asks where no key is asked for. */
export const ANYBODY: Caller = { keyId: null, requestId: null, pools: null, mayOperate: true };

/** What the audit calls a caller without a key. */
export const OPEN = 'open';

/** What the audit calls the service itself: what the clock decides, and what it makes at the first start. */
export const SYSTEM = 'system';

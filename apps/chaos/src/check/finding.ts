// What the checker finds, by the rule that was broken.

export type Rule =
  /** The feed itself breaks an invariant (design, section 5), or what is stored or shown is not its fold. */
  | 'audit'
  /** What was answered is not in the audit, or not once. */
  | 'answered'
  /** What was refused is in the audit, or the reason that was given was not true. */
  | 'refused'
  /** Something is in the audit that nobody asked for. */
  | 'unasked'
  /** Answered before another was sent, and yet later in the audit. */
  | 'order'
  /** A read that is no snapshot, is stale, or has a gap. */
  | 'read'
  /** Recorded at an instant that was not between question and answer. */
  | 'time'
  /** An answer that the contract does not know. */
  | 'contract'
  /** Not served again in time after a fault. */
  | 'recovery'
  /** A process that was stopped held up others. */
  | 'blocked'
  /** A process died by itself, did not end as it was asked to, or failed a request while it ended. */
  | 'process';

export interface Finding {
  readonly rule: Rule;
  readonly what: string;
}

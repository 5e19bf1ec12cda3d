// The findings of the checker, each with the rule that is broken.

/** The rules, each with what breaks it. */
export const RULES = {
  audit: 'the feed breaks an invariant of its own, or what is stored or shown is not its fold',
  answered: 'what was answered is not in the audit, or not once, or not as answered',
  refused: 'what was refused is in the audit, or the reason that was given was not true',
  unasked: 'something is in the audit that nobody asked for',
  actor: 'an event does not name who did it by which request, or a lease is not of the key that took it',
  access: 'a key did or was told what it is not for, or was served later than 5 s after it was revoked',
  fair: 'a quota was exceeded, a protected lease was evicted, or it was not the turn of the one that was',
  order: 'answered before another was sent, and yet later in the audit',
  read: 'a read that is no snapshot, is stale, shows an overdue lease, or has a gap',
  line: 'somebody in line was passed, lost the place, got a token twice, or was served later than promised',
  upkeep: 'a token was granted while it was dirty, resting or out of service, or was not cleaned as it must be',
  time: 'recorded at an instant that was not between question and answer',
  contract: 'an answer that the contract does not know, or none within 10 s',
  recovery: 'not served again within 5 s after a fault',
  blocked: 'a process that was stopped held up others for longer than 2 s',
  process: 'a process died by itself, did not end as it was asked to, or failed a request that it had accepted',
} as const;

export type Rule = keyof typeof RULES;

export interface Finding {
  readonly rule: Rule;
  readonly what: string;
}

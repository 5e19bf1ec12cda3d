// The store refused a decision of the domain because it breaks a rule. This is a bug in one of the two, never a mistake
// of the caller.

export class InvariantViolation extends Error {
  override name = 'InvariantViolation';

  constructor(cause: Error) {
    super(`the store refused what was decided: ${cause.message}`, { cause });
  }
}

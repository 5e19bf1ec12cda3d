// What the domain decided breaks a rule of the store, which refused it: a bug in one of the two, and never the caller's.

export class InvariantViolation extends Error {
  override name = 'InvariantViolation';

  constructor(cause: Error) {
    super(`the store refused what was decided: ${cause.message}`, { cause });
  }
}

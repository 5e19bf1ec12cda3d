/** The command line is wrong: nothing was asked of the service. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

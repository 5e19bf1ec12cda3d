/** The command line is wrong: nothing was asked. */
export class UsageError extends Error {}

/** A command fails by its own judgement, and not by an answer of the service. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  constructor(
    readonly exitCode: number,
    /** As the codes of the service. */
    readonly code: string,
    message: string,
    /** More for programs. */
    readonly fields: object = {},
  ) {
    super(message);
  }
}

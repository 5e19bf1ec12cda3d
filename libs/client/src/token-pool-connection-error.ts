// No answer of the service was had: it is not there, the connection was lost, time was up, or somebody else answered.
// Whether a request that changes something had its effect is then unknown.

export class TokenPoolConnectionError extends Error {
  override readonly name = 'TokenPoolConnectionError';
  /** The HTTP status of an answer that is not the service's: a proxy's, or that of whatever is at this URL. */
  readonly foreignStatus?: number;

  constructor(message: string, { foreignStatus, ...options }: ErrorOptions & { foreignStatus?: number } = {}) {
    super(message, options);
    this.foreignStatus = foreignStatus;
  }
}

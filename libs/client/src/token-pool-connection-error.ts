// No answer of the service was had: it is not there, the connection was lost, time was up, or somebody else answered.
// Whether a request that changes something had its effect is then unknown.

export interface ConnectionErrorOptions extends ErrorOptions {
  readonly foreignStatus?: number;
  readonly isPermanent?: boolean;
}

export class TokenPoolConnectionError extends Error {
  override readonly name = 'TokenPoolConnectionError';
  /** The HTTP status of an answer that is not the service's: a proxy's, or that of whatever is at this URL. */
  readonly foreignStatus?: number;
  /** The next attempt fails in the same way: a certificate that does not fit, a port that is no web server's. */
  readonly isPermanent: boolean;

  constructor(message: string, { foreignStatus, isPermanent = false, ...options }: ConnectionErrorOptions = {}) {
    super(message, options);
    this.foreignStatus = foreignStatus;
    this.isPermanent = isPermanent;
  }
}

// The error for a request without a response of the service: the connection failed, time was up, or another server
// responded. Whether the request had its effect is unknown then.

export interface ConnectionErrorOptions extends ErrorOptions {
  readonly foreignStatus?: number;
  readonly isPermanent?: boolean;
}

export class TokenPoolConnectionError extends Error {
  override readonly name = 'TokenPoolConnectionError';
  /** The HTTP status of a response that is not the service's, but a proxy's or another server's. */
  readonly foreignStatus?: number;
  /**
   * Whether the next attempt would fail in the same way: an invalid certificate, say, or a port without a web server.
   */
  readonly isPermanent: boolean;

  constructor(message: string, { foreignStatus, isPermanent = false, ...options }: ConnectionErrorOptions = {}) {
    super(message, options);
    this.foreignStatus = foreignStatus;
    this.isPermanent = isPermanent;
  }
}

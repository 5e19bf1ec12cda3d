// Cancels a statement whose caller has disconnected.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS

import { connect } from 'node:net';
import type { PoolClient } from 'pg';

const CANCEL_REQUEST = 80877102;
/** How long the server may take to close the connection that carries the request. */
const PATIENCE_MS = 1000;

/**
 * Asks PostgreSQL to cancel the statement that runs on a connection. The request goes over a second connection, which
 * needs no password. The promise resolves when the server has passed the request on; until then the caller must not
 * send another statement, because the request could cancel that one. If something in between rejects the request, such
 * as a pooler that requires TLS, the statement runs on to its time limit. The promise never rejects.
 */
export function cancel(client: PoolClient): Promise<void> {
  const { host, port, processID, secretKey } = client as unknown as Backend;
  const request = Buffer.alloc(16);
  request.writeInt32BE(request.length, 0);
  request.writeInt32BE(CANCEL_REQUEST, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  return new Promise((resolve) => {
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    // A socket emits `close` after an error, too.
    socket.on('error', () => undefined).once('close', () => resolve());
    socket.resume().write(request);
  });
}

/** Fields of the driver's client that its published types leave out. */
interface Backend {
  readonly host: string;
  readonly port: number;
  readonly processID: number;
  readonly secretKey: number;
}

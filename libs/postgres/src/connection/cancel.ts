// The end of a statement that nobody waits for any more.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS

import { connect } from 'node:net';
import type { PoolClient } from 'pg';

const CANCEL_REQUEST = 80877102;
/** How long the server may take to pass it on. */
const PATIENCE_MS = 1000;

/**
 * Asks for the end of what runs on a connection, over another one, which carries nothing else and needs no password. Resolves
 * when the server has passed it on: until then the connection must not be used for anything else, which might be hit. Where the
 * request is not let through, as by a pooler that insists on TLS, the statement goes on to its time limit.
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
    // The close follows an error, too.
    socket.on('error', () => undefined).once('close', () => resolve());
    socket.resume().write(request);
  });
}

/** What the driver knows of the connection; its published types do not. */
interface Backend {
  readonly host: string;
  readonly port: number;
  readonly processID: number;
  readonly secretKey: number;
}

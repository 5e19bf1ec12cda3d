// A way to the database that can be made bad: what networks and failovers do, at the moment a test chooses.

import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export type ProxyMode =
  /** Everything goes through. */
  | 'open'
  /** The next COMMIT never arrives: the connection is cut instead. One time, then open. */
  | 'lose COMMIT'
  /** The next COMMIT arrives, its answer does not: the connection is cut. One time, then open. */
  | 'lose the answer to COMMIT'
  /** Nothing arrives any more, in either direction, on connections old and new; nobody is told. */
  | 'silent'
  /** The connections there are fall silent for good, as after a failover; new ones go through. */
  | 'half-open'
  /** Connections are cut, and no new ones accepted. */
  | 'closed';

export interface Proxy {
  /** The database's URL by way of the proxy. */
  readonly url: string;
  /** What it does now; `open` again when a COMMIT was lost. */
  readonly mode: ProxyMode;
  set(mode: ProxyMode): void;
  close(): Promise<void>;
}

export async function openProxy(databaseUrl: string): Promise<Proxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let mode: ProxyMode = 'open';
  /** Connections made before the n-th change to `half-open` are dead. */
  let generation = 0;

  const track = (socket: Socket): Socket => {
    sockets.add(socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket)));
    return socket;
  };
  const server = createServer((client) => {
    track(client);
    if (mode === 'closed') return void client.destroy();
    const database = track(connect(Number(target.port || 5432), target.hostname));
    let isCommitting = false;
    const born = generation;
    const isSilent = (): boolean => mode === 'silent' || born < generation;
    client.on('data', (bytes) => {
      if (isSilent()) return;
      // As text, or as the name of a statement that was prepared before.
      if (mode.startsWith('lose') && /commit/i.test(bytes.toString('latin1'))) {
        const isLost = mode === 'lose COMMIT';
        mode = 'open';
        if (isLost) return void client.destroy();
        isCommitting = true;
      }
      database.write(bytes);
    });
    database.on('data', (bytes) => {
      if (isSilent()) return;
      if (isCommitting) client.destroy();
      else client.write(bytes);
    });
    client.on('close', () => database.end());
    database.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  const cutAll = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    url: url.href,
    get mode() {
      return mode;
    },
    set: (next) => {
      mode = next;
      if (next === 'closed') cutAll();
      if (next === 'half-open') generation++;
    },
    close: async () => {
      cutAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

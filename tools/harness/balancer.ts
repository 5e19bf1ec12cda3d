// A load balancer: passes each request to a process that is ready. It tries another process only when the first one
// refuses the connection, and so has not accepted the request; the client sees any other loss.

import { Agent, createServer, get, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * The interval of the readiness checks, in milliseconds: shorter than the 300 ms for which a process still serves after
 * SIGTERM.
 */
const LOOK_MS = 50;

export class Balancer {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #behind = new Map<number, { isReady: boolean }>();
  readonly #server = createServer((req, res) => void this.#serve(req, res));
  readonly #looking = setInterval(() => this.#look(), LOOK_MS);
  #turn = 0;

  static async open(): Promise<Balancer> {
    const balancer = new Balancer();
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Adds a process that is ready. The readiness checks find out when it ends. */
  add(port: number): void {
    this.#behind.set(port, { isReady: true });
  }

  close(): void {
    clearInterval(this.#looking);
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await buffer(req);
    const ready = [...this.#behind].filter(([, { isReady }]) => isReady).map(([port]) => port);
    const first = ready.length === 0 ? 0 : this.#turn++ % ready.length;
    for (const port of [...ready.slice(first), ...ready.slice(0, first)]) {
      if (await this.#pass(port, req, body, res)) return;
      this.#behind.set(port, { isReady: false });
    }
    fail(res, 'nobody is ready');
  }

  /** @returns false when no process listens on the port */
  #pass(port: number, { method, url, headers }: IncomingMessage, body: Buffer, res: ServerResponse): Promise<boolean> {
    return new Promise((resolve) => {
      const asked = request({ agent: this.#agent, host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
        const { connection: _, ...others } = answer.headers;
        res.writeHead(answer.statusCode as number, others);
        answer.pipe(res);
        answer.once('error', () => res.destroy());
        resolve(true);
      });
      asked.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED') return resolve(false);
        fail(res, `the connection was lost: ${error.code}`);
        resolve(true);
      });
      asked.end(body);
    });
  }

  #look(): void {
    for (const [port, state] of this.#behind) {
      const asked = get({ host: '127.0.0.1', port, path: '/health/ready', agent: false, timeout: 1000 }, (answer) => {
        answer.resume();
        state.isReady = answer.statusCode === 200;
      });
      asked.once('timeout', () => asked.destroy());
      asked.once('error', () => (state.isReady = false));
    }
  }
}

function fail(res: ServerResponse, detail: string): void {
  if (res.headersSent) return void res.destroy();
  res.writeHead(502, { 'content-type': 'application/json' }).end(JSON.stringify({ error: 'bad_gateway', detail }));
}

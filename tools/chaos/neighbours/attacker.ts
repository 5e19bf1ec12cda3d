// The connections of an attacker, which ignores `Retry-After` and counts its answers.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestFor, requestTo, Wire } from '../../harness/wire.js';

/** The pause before it opens a lost connection again. */
const AGAIN_MS = 50;
const OPENED_AT_ONCE = 100;

export class Attacker {
  /** The number of answers by status; `lost` counts requests without an answer. */
  readonly answers: Record<string, number> = {};

  /** @param key the value of the header */
  constructor(
    private readonly port: number,
    private readonly key: string,
  ) {}

  get(path: string, headers = this.key): Buffer {
    return requestFor(path, headers);
  }

  post(path: string, body: object): Buffer {
    return requestTo(path, body, this.key);
  }

  /** Sends one request after the other on each connection, for ever. */
  loop(connections: number, next: (time: number) => Buffer): void {
    for (let one = 0; one < connections; one++) void this.#loop(next, one);
  }

  /** Sends `count` requests in all, one after the other on each connection. */
  async times(count: number, connections: number, next: (time: number) => Buffer): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      const wire = new Wire(this.port);
      while (left-- > 0) this.#count(await wire.ask(next(left)));
      wire.close();
    };
    await Promise.all(Array.from({ length: connections }, worker));
  }

  /** Sends each request on a connection of its own and resets it before the answer is complete, for ever. */
  abandon(connections: number, afterMs: number, next: (time: number) => Buffer): void {
    for (let one = 0; one < connections; one++) void this.#abandon(afterMs, next, one);
  }

  /** Opens connections that send this and then wait; opens closed ones again. Resolves when all are open. */
  async keepOpen(connections: number, sent: Buffer): Promise<void> {
    for (let open = 0; open < connections; open += OPENED_AT_ONCE) {
      const fresh = Array.from({ length: Math.min(OPENED_AT_ONCE, connections - open) }, () => this.#open(sent));
      await Promise.all(fresh.map((socket) => once(socket, 'connect').catch(() => undefined)));
    }
  }

  async #loop(next: (time: number) => Buffer, first: number): Promise<never> {
    const wire = new Wire(this.port);
    for (let time = first; ; time++) {
      const reply = await wire.ask(next(time));
      this.#count(reply);
      if (reply === null) await sleep(AGAIN_MS);
    }
  }

  async #abandon(afterMs: number, next: (time: number) => Buffer, first: number): Promise<never> {
    for (let time = first; ; time++) {
      const wire = new Wire(this.port);
      const reply = wire.ask(next(time));
      await Promise.race([reply, sleep(afterMs)]);
      wire.close();
      this.#count(await reply);
    }
  }

  #open(sent: Buffer): Socket {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.once('data', (bytes: Buffer) => this.#add(bytes.toString('latin1', 9, 12)));
    socket.resume();
    socket.once('close', () => setTimeout(() => this.#open(sent), AGAIN_MS));
    socket.write(sent);
    return socket;
  }

  #count(reply: { readonly status: number } | null): void {
    this.#add(reply === null ? 'lost' : String(reply.status));
  }

  #add(what: string): void {
    this.answers[what] = (this.answers[what] ?? 0) + 1;
  }
}

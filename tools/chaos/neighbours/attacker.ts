// What an attacker does with its connections. It never waits because it was told to, and counts what it is answered.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestFor, requestTo, Wire } from '../../harness/wire.js';

/** Before a connection that was lost is opened again. */
const AGAIN_MS = 50;
const OPENED_AT_ONCE = 100;

export class Attacker {
  /** By status; `lost`: no answer came. */
  readonly answers: Record<string, number> = {};

  /** @param key as the header says it */
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

  /** On each connection one request after the other, for ever. */
  loop(connections: number, next: (time: number) => Buffer): void {
    for (let one = 0; one < connections; one++) void this.#loop(next, one);
  }

  /** The same requests, so many times in all. */
  async times(count: number, connections: number, next: (time: number) => Buffer): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      const wire = new Wire(this.port);
      while (left-- > 0) this.#count(await wire.ask(next(left)));
      wire.close();
    };
    await Promise.all(Array.from({ length: connections }, worker));
  }

  /** Each request on a connection of its own, which is reset before the answer is complete, for ever. */
  abandon(connections: number, afterMs: number, next: (time: number) => Buffer): void {
    for (let one = 0; one < connections; one++) void this.#abandon(afterMs, next, one);
  }

  /** Connections that send this and then wait, opened again when they are closed. Resolves when all are open. */
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

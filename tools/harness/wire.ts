// A minimal HTTP connection: it must cost little, since the client shares the machine with the overloaded service.

import { connect, type Socket } from 'node:net';

export interface Reply {
  readonly status: number;
  /** Milliseconds from sending to the last byte. */
  readonly ms: number;
  readonly body: Buffer;
  /** Whether the request came earlier than the last `Retry-After` on this connection allowed. */
  readonly isTooSoon: boolean;
  /** The seconds of `Retry-After`; null without that header. */
  readonly retryAfter: number | null;
}

/** Sends one request at a time; connects again when the other side has closed the connection. */
export class Wire {
  #socket: Socket | null = null;
  #received: Buffer = Buffer.alloc(0);
  #sent = 0;
  #notBefore = 0;
  #done: ((reply: Reply | null) => void) | null = null;

  constructor(private readonly port: number) {}

  get isBusy(): boolean {
    return this.#done !== null;
  }

  open(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => resolve(true));
      socket.setNoDelay();
      socket.on('data', (bytes) => this.#receive(bytes));
      socket.on('error', () => resolve(false));
      socket.on('close', () => {
        if (this.#socket === socket) this.#socket = null;
        this.#finish(null);
      });
      this.#socket = socket;
    });
  }

  /** @returns null when the connection is lost */
  ask(request: Buffer): Promise<Reply | null> {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#sent = performance.now();
      if (this.#socket) this.#socket.write(request);
      else void this.open().then((isOpen) => (isOpen ? this.#socket?.write(request) : this.#finish(null)));
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const head = this.#received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const text = this.#received.toString('latin1', 0, head).toLowerCase();
    const at = text.indexOf('content-length: ');
    const end = head + 4 + (at < 0 ? 0 : parseInt(text.slice(at + 16, at + 24)));
    if (this.#received.length < end) return;
    const body = this.#received.subarray(head + 4, end);
    this.#received = this.#received.subarray(end);
    const status = Number(text.slice(9, 12));
    const ms = performance.now() - this.#sent;
    const retryAfter = /\r\nretry-after: (\d+)/.exec(text)?.[1];
    const isTooSoon = this.#sent < this.#notBefore;
    if (retryAfter !== undefined) this.#notBefore = performance.now() + Number(retryAfter) * 1000;
    this.#finish({ status, ms, body, isTooSoon, retryAfter: retryAfter === undefined ? null : Number(retryAfter) });
  }

  #finish(reply: Reply | null): void {
    if (reply === null) this.#received = Buffer.alloc(0);
    const done = this.#done;
    this.#done = null;
    done?.(reply);
  }
}

/** @param headers more headers, each with its line break */
export function requestTo(path: string, body: object, headers = ''): Buffer {
  const json = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${headers}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n`;
  return Buffer.from(head + json);
}

export const requestFor = (path: string, headers = ''): Buffer =>
  Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${headers}\r\n`);

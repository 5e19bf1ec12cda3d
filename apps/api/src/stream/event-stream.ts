// One stream of server-sent events to one reader. The reader sets the pace: the stream takes the next events when the
// socket has accepted the last ones, and cuts off a reader that does not take them in time. That reader can reconnect
// with the id of its last event.

import type { ServerResponse } from 'node:http';
import type { FeedSubscription, OwnedEvent, Viewer } from '@app/tokens';
import { messageOf, positionOf, retry } from './message.js';

/** Why a stream ended: the reader left, was too slow, or the service stopped the stream. */
export type Ending = 'left' | 'cut_off' | 'stopped';

export interface StreamPace {
  /** Time between two heartbeats. */
  readonly heartbeatMs: number;
  /** How long sent bytes may wait for the reader. */
  readonly patienceMs: number;
  /** The most bytes in one write, plus the message that exceeds them. So many may wait in memory for the reader. */
  readonly bytesAtOnce: number;
}

export const PACE: StreamPace = { heartbeatMs: 15_000, patienceMs: 10_000, bytesAtOnce: 65_536 };

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // The connection closes with the stream, so that a stopping server does not wait for it.
  connection: 'close',
  // nginx would buffer the stream.
  'x-accel-buffering': 'no',
};

export class EventStream {
  /** The stream has sent or filtered out every event up to this seq. */
  #position: number;
  #ending: Ending | undefined;

  constructor(
    private readonly res: ServerResponse,
    private readonly subscription: FeedSubscription,
    private readonly viewer: Viewer,
    private readonly isWanted: (event: OwnedEvent) => boolean,
    private readonly onSent: (events: number) => void,
    /** Resolves when this stream may use the thread. */
    private readonly turn: () => Promise<void>,
    private readonly pace: StreamPace = PACE,
  ) {
    this.#position = subscription.reaches;
  }

  /** Resolves when the stream is over. Writes the head first. */
  async run(): Promise<Ending> {
    const { res, subscription } = this;
    res.once('close', () => this.#end('left'));
    if (res.destroyed) this.#end('left');
    res.writeHead(200, HEADERS);
    res.write(retry() + positionOf(this.#position));
    const heartbeat = setInterval(() => this.#beat(), this.pace.heartbeatMs);
    try {
      for (let events; (events = await subscription.next()).length > 0;) await this.#send(events);
      if (this.#ending === undefined) this.stop();
      return this.#ending!;
    } finally {
      clearInterval(heartbeat);
      subscription.end();
    }
  }

  /** Ends the stream after the bytes that were sent. The reader then reconnects, maybe to another process. */
  stop(): void {
    this.#end('stopped');
    this.res.end();
  }

  #end(ending: Ending): void {
    this.#ending ??= ending;
    this.subscription.end();
  }

  async #send(events: readonly OwnedEvent[]): Promise<void> {
    await this.turn();
    let messages: Buffer[] = [];
    let bytes = 0;
    for (const event of events) {
      this.#position = event.seq;
      if (!this.isWanted(event)) continue;
      const message = messageOf(event, this.viewer);
      messages.push(message);
      bytes += message.length;
      if (bytes < this.pace.bytesAtOnce) continue;
      await this.#write(messages);
      if (this.#ending !== undefined) return;
      await this.turn();
      messages = [];
      bytes = 0;
    }
    if (messages.length > 0) await this.#write(messages);
  }

  async #write(messages: readonly Buffer[]): Promise<void> {
    if (this.#ending !== undefined) return;
    this.onSent(messages.length);
    if (!this.res.write(Buffer.concat(messages))) await this.#taken();
  }

  /** Resolves when the reader has taken what was sent, has left, or was cut off. */
  #taken(): Promise<void> {
    const { res } = this;
    return new Promise((resolve) => {
      const patience = setTimeout(() => {
        this.#end('cut_off');
        res.destroy();
      }, this.pace.patienceMs);
      const goOn = (): void => {
        clearTimeout(patience);
        res.off('drain', goOn).off('close', goOn);
        resolve();
      };
      res.once('drain', goOn).once('close', goOn);
    });
  }

  /** Sends the position too, so that a reader whose filter matches nothing still knows where to resume. */
  #beat(): void {
    if (this.#ending === undefined && !this.res.writableNeedDrain)
      this.res.write(`: alive\n${positionOf(this.#position)}`);
  }
}

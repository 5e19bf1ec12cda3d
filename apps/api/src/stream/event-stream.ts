// One stream of server-sent events to one reader. The reader sets the pace: the next events are taken when the last
// ones are out, and who does not take them in time is cut off, to come back with the id of the last one it has.

import type { ServerResponse } from 'node:http';
import type { Follower, OwnedEvent, Viewer } from '@app/tokens';
import { messageOf, positionOf, retry } from './message.js';

/** How it ended. */
export type Ending = 'left' | 'cut_off' | 'stopped';

export interface StreamPace {
  /** Between two signs of life. */
  readonly heartbeatMs: number;
  /** How long what was sent may wait for its reader. */
  readonly patienceMs: number;
  /** How much is sent at once, and so may wait: the message that goes beyond it is the last one. */
  readonly bytesAtOnce: number;
}

export const PACE: StreamPace = { heartbeatMs: 15_000, patienceMs: 10_000, bytesAtOnce: 65_536 };

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // It is the last answer on its connection: when it ends, nobody waits for another.
  connection: 'close',
  // nginx would collect it.
  'x-accel-buffering': 'no',
};

export class EventStream {
  /** Everything up to this seq was sent, or is not wanted. */
  #position: number;
  #ending: Ending | undefined;

  constructor(
    private readonly res: ServerResponse,
    private readonly follower: Follower,
    private readonly viewer: Viewer,
    private readonly isWanted: (event: OwnedEvent) => boolean,
    private readonly onSent: (events: number) => void,
    /** Resolves when it is this stream's turn to use the thread. */
    private readonly turn: () => Promise<void>,
    private readonly pace: StreamPace = PACE,
  ) {
    this.#position = follower.reaches;
  }

  /** Resolves when it is over. */
  async run(): Promise<Ending> {
    const { res, follower } = this;
    res.once('close', () => this.#end('left'));
    if (res.destroyed) this.#end('left');
    res.writeHead(200, HEADERS);
    res.write(retry() + positionOf(this.#position));
    const heartbeat = setInterval(() => this.#beat(), this.pace.heartbeatMs);
    try {
      for (let events; (events = await follower.next()).length > 0;) await this.#send(events);
      if (this.#ending === undefined) this.stop();
      return this.#ending!;
    } finally {
      clearInterval(heartbeat);
      follower.end();
    }
  }

  /** Ends it in order, after what was sent; its reader comes back to whoever serves then. */
  stop(): void {
    this.#end('stopped');
    this.res.end();
  }

  #end(ending: Ending): void {
    this.#ending ??= ending;
    this.follower.end();
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

  /** Until its reader has taken what was sent, or is gone. */
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

  /** Where nothing was wanted for long, its reader has yet to know how far it is. */
  #beat(): void {
    if (this.#ending === undefined && !this.res.writableNeedDrain)
      this.res.write(`: alive\n${positionOf(this.#position)}`);
  }
}

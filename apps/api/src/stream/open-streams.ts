// The streams that this process has open: no more than it may have, none when it stops, and none longer than its key is
// good.

import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { KeyRing } from '@app/keys';
import { LiveFeed, type OwnedEvent, type Viewer } from '@app/tokens';
import { CONFIG, type Config } from '../config.js';
import { FAIR_QUEUE } from '../http/fair-queue.js';
import { HttpProblem } from '../http/problem.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { EventStream } from './event-stream.js';

/** Those of one key that write as soon as there is something. */
const UNPACED_STREAMS = 100;
/** When a stream may have ended somewhere. */
const RETRY_AFTER_SECONDS = 5;
/** From one look at the keys of streams to the next. With what the ring remembers, less than 5 s from when one is revoked. */
const KEY_LOOK_MS = 1000;

export interface StreamRequest {
  readonly poolName: string;
  readonly after: number | 'latest';
  readonly isWanted: (event: OwnedEvent) => boolean;
  /** Who opened it; with a key, or without where none is asked for. */
  readonly viewer: Viewer;
  /** Its reader has left. */
  readonly gone: AbortSignal;
}

@Injectable()
export class OpenStreams implements OnModuleDestroy {
  /** Each with the id of its key. */
  readonly #streams = new Map<EventStream, string | null>();
  #keyLook: NodeJS.Timeout | undefined;
  /** Those that are about to be opened among them. */
  #count = 0;
  readonly #countOfKey = new Map<string, number>();
  #isStopping = false;

  constructor(
    private readonly feed: LiveFeed,
    private readonly metrics: StreamMetrics,
    private readonly ring: KeyRing,
    @Inject(CONFIG) private readonly config: Pick<Config, 'streamLimit'>,
  ) {}

  /**
   * Answers with a stream. Resolves when it is over.
   * @throws HttpProblem, DomainError as long as nothing is sent
   */
  async serve(res: ServerResponse, { poolName, after, isWanted, viewer, gone }: StreamRequest): Promise<void> {
    const { streamLimit } = this.config;
    if (this.#count >= streamLimit) {
      throw new HttpProblem('unavailable', `this process has ${streamLimit} streams open, and no more than that`, {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    const { keyId } = viewer;
    const ofKey = keyId === null ? 0 : (this.#countOfKey.get(keyId) ?? 0);
    const share = Math.ceil(streamLimit / 2);
    if (ofKey >= share) {
      throw new HttpProblem('unavailable', `this key has ${share} streams open here, and no more than that`, {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    // Behind another answer nothing that is written goes anywhere, and nobody is told when the reader has left.
    if (res.socket === null) throw new HttpProblem('invalid_request', 'a stream cannot be pipelined');
    this.#count++;
    this.#countFor(keyId, 1);
    try {
      const follower = await this.feed.follow(poolName, after, gone, keyId);
      const sent = (events: number): void => this.metrics.sent(events);
      const stream = new EventStream(res, follower, viewer, isWanted, sent, () => this.#turn(keyId));
      await this.#run(stream, viewer.keyId, res.req.method);
    } finally {
      this.#count--;
      this.#countFor(keyId, -1);
    }
  }

  /** While other keys ask, the streams of one write a thousand times a second, and what has happened meanwhile together. */
  async #turn(keyId: string | null): Promise<void> {
    const ofKey = keyId === null ? 0 : (this.#countOfKey.get(keyId) ?? 0);
    if (ofKey > UNPACED_STREAMS && FAIR_QUEUE.isShared) await sleep(ofKey);
    await FAIR_QUEUE.turn(keyId);
  }

  #countFor(keyId: string | null, more: 1 | -1): void {
    if (keyId === null) return;
    const left = (this.#countOfKey.get(keyId) ?? 0) + more;
    if (left === 0) this.#countOfKey.delete(keyId);
    else this.#countOfKey.set(keyId, left);
  }

  /** Before the server is closed: that waits for the answers that are under way. */
  async onModuleDestroy(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#keyLook);
    for (const stream of this.#streams.keys()) stream.stop();
    await this.feed.close();
  }

  async #run(stream: EventStream, keyId: string | null, method: string | undefined): Promise<void> {
    this.#streams.set(stream, keyId);
    if (keyId !== null && this.#keyLook === undefined) this.#lookAtKeysLater();
    this.metrics.opened();
    try {
      const over = stream.run();
      // Whoever asks for the head has it with the stream that ends at once.
      if (this.#isStopping || method === 'HEAD') stream.stop();
      this.metrics.ended(await over);
    } catch (error) {
      this.metrics.ended('failed');
      throw error;
    } finally {
      this.#streams.delete(stream);
    }
  }

  #lookAtKeysLater(): void {
    this.#keyLook = setTimeout(() => {
      void this.#lookAtKeys().then((isAnyLeft) => {
        this.#keyLook = undefined;
        if (isAnyLeft && !this.#isStopping) this.#lookAtKeysLater();
      });
    }, KEY_LOOK_MS).unref();
  }

  /** Ends the streams whose key is not good any more; says whether there are others with a key. */
  async #lookAtKeys(): Promise<boolean> {
    for (const keyId of new Set(this.#streams.values())) {
      // While that cannot be told there is nothing to stream either.
      if (keyId === null || (await this.ring.isGood(keyId).catch(() => true))) continue;
      for (const [stream, ofKey] of this.#streams) if (ofKey === keyId) stream.stop();
    }
    return [...this.#streams.values()].some((keyId) => keyId !== null);
  }
}

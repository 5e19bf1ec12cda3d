// The open streams of this process: at most STREAM_LIMIT, at most half of them for one key. A stream ends when the
// process stops or its key loses its validity.

import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { KeyRing } from '@app/keys';
import { LiveFeed, type OwnedEvent, type Viewer } from '@app/tokens';
import { CONFIG, type Config } from '../config.js';
import { CountsByKey } from '../http/counts-by-key.js';
import { FAIR_QUEUE } from '../http/fair-queue.js';
import { HttpProblem } from '../http/problem.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { EventStream } from './event-stream.js';

/** Up to so many streams of one key write each event at once, even while other keys ask. */
const UNPACED_STREAMS = 100;
/** By then another stream may have ended, here or in another process. */
const RETRY_AFTER_SECONDS = 5;
/** Time between two checks of the streams' keys. With the ring's cache, a stream ends within 5 s of the revocation. */
const KEY_LOOK_MS = 1000;

export interface StreamRequest {
  readonly poolName: string;
  readonly after: number | 'latest';
  readonly isWanted: (event: OwnedEvent) => boolean;
  /** The caller that opened it. */
  readonly viewer: Viewer;
  /** Aborts when the reader leaves. */
  readonly gone: AbortSignal;
}

@Injectable()
export class OpenStreams implements OnModuleDestroy {
  /** Each stream with the id of its key. */
  readonly #streams = new Map<EventStream, string | null>();
  #keyLook: NodeJS.Timeout | undefined;
  /** Includes the streams that are being opened. */
  readonly #counts = new CountsByKey();
  #isStopping = false;

  constructor(
    private readonly feed: LiveFeed,
    private readonly metrics: StreamMetrics,
    private readonly ring: KeyRing,
    @Inject(CONFIG) private readonly config: Pick<Config, 'streamLimit'>,
  ) {}

  /**
   * Answers with a stream. Resolves when the stream is over.
   * @throws HttpProblem, DomainError before the first byte of the answer
   */
  async serve(res: ServerResponse, { poolName, after, isWanted, viewer, gone }: StreamRequest): Promise<void> {
    const { streamLimit } = this.config;
    if (this.#counts.all >= streamLimit) {
      throw new HttpProblem('unavailable', `this process has ${streamLimit} streams open, and no more than that`, {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    const { keyId } = viewer;
    const share = Math.ceil(streamLimit / 2);
    if (this.#counts.of(keyId) >= share) {
      throw new HttpProblem('unavailable', `this key has ${share} streams open here, and no more than that`, {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    // Behind an unfinished answer Node buffers all writes, and emits no event when the reader leaves.
    if (res.socket === null) throw new HttpProblem('invalid_request', 'a stream cannot be pipelined');
    this.#counts.add(keyId, 1);
    try {
      const subscription = await this.feed.subscribe(poolName, after, gone, keyId);
      const sent = (events: number): void => this.metrics.sent(events);
      const stream = new EventStream(res, subscription, viewer, isWanted, sent, () => this.#turn(keyId));
      await this.#run(stream, viewer.keyId, res.req.method);
    } finally {
      this.#counts.add(keyId, -1);
    }
  }

  /**
   * Paces the streams of a busy key while other keys ask: together they write a thousand times a second, and each write
   * carries all events since the last one.
   */
  async #turn(keyId: string | null): Promise<void> {
    const ofKey = this.#counts.of(keyId);
    if (ofKey > UNPACED_STREAMS && FAIR_QUEUE.isShared) await sleep(ofKey);
    await FAIR_QUEUE.turn(keyId);
  }

  /** Nest calls this before it closes the server, which waits for all open answers. */
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
      // A HEAD request gets the head of a stream that ends at once.
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

  /** Ends the streams whose key is no longer valid. @returns whether streams with a key remain */
  async #lookAtKeys(): Promise<boolean> {
    for (const keyId of new Set(this.#streams.values())) {
      // While the database is out of reach no events arrive either, so the stream may stay.
      if (keyId === null || (await this.ring.isGood(keyId).catch(() => true))) continue;
      for (const [stream, ofKey] of this.#streams) if (ofKey === keyId) stream.stop();
    }
    return [...this.#streams.values()].some((keyId) => keyId !== null);
  }
}

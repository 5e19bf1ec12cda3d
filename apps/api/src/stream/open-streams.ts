// The streams that this process has open: no more than it may have, and none when it stops.

import type { ServerResponse } from 'node:http';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { LiveFeed, type EventView } from '@app/tokens';
import { CONFIG, type Config } from '../config.js';
import { HttpProblem } from '../http/problem.js';
import { StreamMetrics } from '../metrics/stream-metrics.js';
import { EventStream } from './event-stream.js';

/** When a stream may have ended somewhere. */
const RETRY_AFTER_SECONDS = 5;

export interface StreamRequest {
  readonly poolName: string;
  readonly after: number | 'latest';
  readonly isWanted: (event: EventView) => boolean;
}

@Injectable()
export class OpenStreams implements OnModuleDestroy {
  readonly #streams = new Set<EventStream>();
  /** Those that are about to be opened among them. */
  #count = 0;
  #isStopping = false;

  constructor(
    private readonly feed: LiveFeed,
    private readonly metrics: StreamMetrics,
    @Inject(CONFIG) private readonly config: Pick<Config, 'streamLimit'>,
  ) {}

  /**
   * Answers with a stream. Resolves when it is over.
   * @throws HttpProblem, DomainError as long as nothing is sent
   */
  async serve(res: ServerResponse, { poolName, after, isWanted }: StreamRequest): Promise<void> {
    const { streamLimit } = this.config;
    if (this.#count >= streamLimit) {
      throw new HttpProblem('unavailable', `this process has ${streamLimit} streams open, and no more than that`, {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    // Behind another answer nothing that is written goes anywhere, and nobody is told when the reader has left.
    if (res.socket === null) throw new HttpProblem('invalid_request', 'a stream cannot be pipelined');
    this.#count++;
    try {
      const follower = await this.feed.follow(poolName, after);
      await this.#run(new EventStream(res, follower, isWanted, (events) => this.metrics.sent(events)), res.req.method);
    } finally {
      this.#count--;
    }
  }

  /** Before the server is closed: that waits for the answers that are under way. */
  async onModuleDestroy(): Promise<void> {
    this.#isStopping = true;
    for (const stream of this.#streams) stream.stop();
    await this.feed.close();
  }

  async #run(stream: EventStream, method: string | undefined): Promise<void> {
    this.#streams.add(stream);
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
}

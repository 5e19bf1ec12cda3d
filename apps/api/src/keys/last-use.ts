// Saves when each key was last used: every 10 s, all keys in one statement, so that no request waits for it.

import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { KeyRing } from '@app/keys';
import type { Logger } from 'pino';
import { LOGGER, logFields } from '../logger.js';

const INTERVAL_MS = 10_000;

@Injectable()
export class LastUse implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly ring: KeyRing,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#arm();
  }

  /** Saves the rest: Nest calls this when the last request has been answered. */
  async beforeApplicationShutdown(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#note();
  }

  #arm(): void {
    this.#timer = setTimeout(() => void this.#note().then(() => this.#arm()), INTERVAL_MS).unref();
  }

  async #note(): Promise<void> {
    try {
      await this.ring.noteUse();
    } catch (error) {
      this.logger.warn(logFields(error), 'the last use of keys cannot be written down');
    }
  }
}

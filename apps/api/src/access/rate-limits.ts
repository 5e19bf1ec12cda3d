// Limits on requests, and on attempts with invalid keys. Each process counts for itself.

import type { ServerResponse } from 'node:http';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { restAfter } from '../http/admission.js';
import { HttpProblem } from '../http/problem.js';

/** Invalid keys from one network within a minute, after which its next keys are looked up one at a time. */
const FAILURES = 10;
const FAILURE_SECONDS = 60;
/** The most look-ups of one network that wait for their turn; the service refuses more with 429. */
const WAITING = 100;

/** Limits the requests a second of each key, or of each network for requests without a key. */
export class RateLimit {
  readonly #limiter: RateLimiterMemory;
  readonly #policies: { key: string; address: string };

  constructor(private readonly perSecond: number) {
    this.#limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
    const quota = `;q=${perSecond};w=1`;
    this.#policies = { key: `"key"${quota}`, address: `"address"${quota}` };
  }

  /**
   * Counts a request, and sets the headers that tell its sender what is left (draft-ietf-httpapi-ratelimit-headers-10).
   * @param who the id of the key, or the network
   * @throws HttpProblem `rate_limited`
   */
  async count(by: 'key' | 'address', who: string, res: ServerResponse): Promise<void> {
    const left = await taken(this.#limiter, `${by} ${who}`);
    const retryAfterSeconds = seconds(left.msBeforeNext);
    res.setHeader('ratelimit-policy', this.#policies[by]);
    res.setHeader('ratelimit', `"${by}";r=${left.remainingPoints};t=${retryAfterSeconds}`);
    if (left.consumedPoints <= this.perSecond) return;
    restAfter(res.req, left.msBeforeNext);
    const detail = `this ${by} has had its ${this.perSecond} requests a second`;
    throw new HttpProblem('rate_limited', detail, { retryAfterSeconds });
  }
}

/**
 * Slows down guessing. After `FAILURES` invalid keys a minute, the keys of a network are looked up one after the other,
 * and the invalid ones get 429. A valid key always gets in, so that no client can lock out another one of its network.
 */
export class FailedAttempts {
  readonly #limiter = new RateLimiterMemory({ points: FAILURES, duration: FAILURE_SECONDS });
  /** For each slowed network, the end of its queue of look-ups, which never rejects, and the queue's length. */
  readonly #lines = new Map<string, { end: Promise<unknown>; length: number }>();
  /** The look-ups that run or wait, by network and key. */
  readonly #inHand = new Map<string, Promise<unknown>>();

  /**
   * Counts the attempt before the look-up, so that concurrent attempts count too, and takes the count back unless the
   * attempt failed. Requests with the same key share a look-up: otherwise the first requests with a valid key after a
   * start would queue behind each other.
   * @param look resolves to null when the key is invalid, and to undefined when it did not look
   * @throws HttpProblem `rate_limited`
   */
  async look<T>(
    network: string,
    key: string,
    look: () => Promise<T | null | undefined>,
  ): Promise<T | null | undefined> {
    const attempt = `${network} ${key}`;
    for (let other; (other = this.#inHand.get(attempt));) {
      const found = (await other) as T | null | undefined;
      if (found !== undefined) return found;
    }
    const looking = this.#look(network, look).finally(() => this.#inHand.delete(attempt));
    this.#inHand.set(attempt, looking);
    return looking;
  }

  async #look<T>(network: string, look: () => Promise<T | null | undefined>): Promise<T | null | undefined> {
    const { consumedPoints, msBeforeNext } = await taken(this.#limiter, network);
    const isSlowed = consumedPoints > FAILURES;
    let isBad = false;
    try {
      if (isSlowed && (this.#lines.get(network)?.length ?? 0) >= WAITING) throw tooMany(1);
      const found = await (isSlowed ? this.#inTurn(network, look) : look());
      isBad = found === null;
      if (!isBad || !isSlowed) return found;
    } finally {
      if (!isBad) await this.#limiter.reward(network);
    }
    throw tooMany(seconds(msBeforeNext));
  }

  async #inTurn<T>(network: string, look: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(network) ?? { end: Promise.resolve(), length: 0 };
    this.#lines.set(network, line);
    const turn = line.end.then(look);
    line.end = turn.catch(() => undefined);
    line.length++;
    try {
      return await turn;
    } finally {
      if (--line.length === 0) this.#lines.delete(network);
    }
  }
}

const tooMany = (retryAfterSeconds: number): HttpProblem =>
  new HttpProblem('rate_limited', 'too many keys that are no good came from this address', { retryAfterSeconds });

/** It rejects with the same that it resolves with. */
const taken = (limiter: RateLimiterMemory, who: string): Promise<RateLimiterRes> =>
  limiter.consume(who).catch((over: unknown) => {
    if (over instanceof RateLimiterRes) return over;
    throw over;
  });

const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

// How often may be asked, and how often in vain. Each process counts for itself.

import type { ServerResponse } from 'node:http';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { restAfter } from '../http/admission.js';
import { HttpProblem } from '../http/problem.js';

/** Keys that were no good, from one network within a minute, before the next ones are looked up one at a time. */
const FAILURES = 10;
const FAILURE_SECONDS = 60;
/** Keys of one network that wait for their turn to be looked up; more are told to wait elsewhere. */
const WAITING = 100;

/** So many requests a second for each key, or for each network where no key is shown. */
export class RateLimit {
  readonly #limiter: RateLimiterMemory;
  readonly #policies: { key: string; address: string };

  constructor(private readonly perSecond: number) {
    this.#limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
    const quota = `;q=${perSecond};w=1`;
    this.#policies = { key: `"key"${quota}`, address: `"address"${quota}` };
  }

  /** Counts a request, and tells its sender what is left (draft-ietf-httpapi-ratelimit-headers-10). @throws HttpProblem `rate_limited` */
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
 * Slows down whoever tries keys. Beyond so many bad ones a network's keys are looked up one after the other, and the bad ones are
 * told to wait; a good key gets in all the same, so that a neighbour locks out nobody.
 */
export class FailedAttempts {
  readonly #limiter = new RateLimiterMemory({ points: FAILURES, duration: FAILURE_SECONDS });
  /** Of each network that is slowed down, the end of the line, which never rejects, and how many stand in it. */
  readonly #lines = new Map<string, { end: Promise<unknown>; length: number }>();
  /** The looks that are under way or in a line, by network and key. */
  readonly #inHand = new Map<string, Promise<unknown>>();

  /**
   * Counts the attempt before the look, so that many at once are counted too, and takes back what was no failure. Requests
   * with the same key share a look: those of a good key that come first after a start would stand in each other's way.
   * @param look null: the key is no good; undefined: nobody looked
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

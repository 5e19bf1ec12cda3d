// How often may be asked, and how often in vain. Each process counts for itself.

import type { ServerResponse } from 'node:http';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { HttpProblem } from '../http/problem.js';

/** Keys that were no good, from one network within a minute, before the next ones are not even looked at. */
const FAILURES = 10;
const FAILURE_SECONDS = 60;

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
    const detail = `this ${by} has had its ${this.perSecond} requests a second`;
    throw new HttpProblem('rate_limited', detail, { retryAfterSeconds });
  }
}

/** Slows down whoever tries keys. Keys that were good before are not asked about here, so that a neighbour harms nobody. */
export class FailedAttempts {
  readonly #limiter = new RateLimiterMemory({ points: FAILURES, duration: FAILURE_SECONDS });

  /** @throws HttpProblem `rate_limited` */
  async mayTry(network: string): Promise<void> {
    const failed = await this.#limiter.get(network);
    if (failed === null || failed.consumedPoints < FAILURES) return;
    const detail = 'too many keys that are no good came from this address';
    throw new HttpProblem('rate_limited', detail, { retryAfterSeconds: seconds(failed.msBeforeNext) });
  }

  async failed(network: string): Promise<void> {
    await taken(this.#limiter, network);
  }
}

/** It rejects with the same that it resolves with. */
const taken = (limiter: RateLimiterMemory, who: string): Promise<RateLimiterRes> =>
  limiter.consume(who).catch((over: unknown) => {
    if (over instanceof RateLimiterRes) return over;
    throw over;
  });

const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

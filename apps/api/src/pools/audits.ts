// The audits that are asked for over HTTP: one at a time, beside which the service goes on.

import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { auditPool, AuditSource, type AuditReport } from '@app/tokens';
import { HttpProblem } from '../http/problem.js';
import { PoolMetrics } from '../metrics/pool-metrics.js';

const RETRY_AFTER_SECONDS = 5;
/** A caller that hangs up again and again would otherwise keep the database at the first pages of audits. */
const REST_AFTER_ABANDONED_MS = 1000;

@Injectable()
export class Audits {
  #isUnderWay = false;

  constructor(
    private readonly source: AuditSource,
    private readonly metrics: PoolMetrics,
  ) {}

  /**
   * Ends when its caller hangs up.
   * @throws HttpProblem `unavailable` while there is another one; DomainError as auditPool
   */
  async audit(poolName: string, gone: AbortSignal): Promise<AuditReport> {
    if (this.#isUnderWay) {
      const why = 'this process is at another audit; it does one at a time';
      throw new HttpProblem('unavailable', why, { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    this.#isUnderWay = true;
    try {
      const report = await auditPool(this.source.until(gone), poolName, asLongAgain());
      this.metrics.found(poolName, report.finding_count);
      return report;
    } finally {
      const free = (): void => void (this.#isUnderWay = false);
      if (gone.aborted) setTimeout(free, REST_AFTER_ABANDONED_MS).unref();
      else free();
    }
  }
}

/** Rests after each page for as long as it took: half of the time stays with those who want tokens. */
function asLongAgain(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    await sleep(performance.now() - since);
    since = performance.now();
  };
}

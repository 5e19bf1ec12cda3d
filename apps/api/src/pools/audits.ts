// Runs audits for HTTP requests: one at a time, at a pace that leaves the database to other requests.

import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { auditPool, AuditSource, type AuditReport } from '@app/tokens';
import { HttpProblem } from '../http/problem.js';
import { PoolMetrics } from '../metrics/pool-metrics.js';

const RETRY_AFTER_SECONDS = 5;
/** Otherwise a client that repeatedly hangs up would keep the database busy with the first pages of audits. */
const REST_AFTER_ABANDONED_MS = 1000;

@Injectable()
export class Audits {
  #isUnderWay = false;

  constructor(
    private readonly source: AuditSource,
    private readonly metrics: PoolMetrics,
  ) {}

  /**
   * Audits a pool; ends early when the client hangs up.
   * @throws HttpProblem `unavailable` while another audit runs; DomainError as auditPool
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

/** Rests after each page for as long as the page took, so that an audit takes at most half of the database's time. */
function asLongAgain(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    await sleep(performance.now() - since);
    since = performance.now();
  };
}

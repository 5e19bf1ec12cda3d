// Runs audits for HTTP requests: one at a time, at a pace that leaves the database to other requests.

import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { auditPool, AuditSource, type AuditReport } from '@app/tokens';
import { FAIR_QUEUE } from '../http/fair-queue.js';
import { HttpProblem } from '../http/problem.js';
import { PoolMetrics } from '../metrics/pool-metrics.js';

const RETRY_AFTER_SECONDS = 5;
/** Events on a page. A page keeps the thread busy for some milliseconds, in which other requests wait. */
const PAGE = 200;
/** A refused caller waits for this long, so that one which asks again at once does not keep the thread busy. */
const REFUSED_AFTER_MS = 250;
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
      await sleep(REFUSED_AFTER_MS);
      const why = 'this process is at another audit; it does one at a time';
      throw new HttpProblem('unavailable', why, { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    this.#isUnderWay = true;
    try {
      const report = await auditPool(this.source.until(gone), poolName, restingBetweenPages(), undefined, PAGE);
      this.metrics.found(poolName, report.finding_count);
      return report;
    } finally {
      const free = (): void => void (this.#isUnderWay = false);
      if (gone.aborted) setTimeout(free, REST_AFTER_ABANDONED_MS).unref();
      else free();
    }
  }
}

/**
 * Rests after each page for as long as the page took, and three times as long while other keys ask. So an audit takes
 * at most half, or a quarter, of the time of the thread and the database.
 */
function restingBetweenPages(): () => Promise<void> {
  let since = performance.now();
  return async () => {
    const tookMs = performance.now() - since;
    await sleep(FAIR_QUEUE.isShared ? 3 * tookMs : tookMs);
    since = performance.now();
  };
}

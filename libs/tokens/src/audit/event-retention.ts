// Drops events that are older than the retention. Before that, the audit's own fold writes a snapshot of each pool. If
// the audit finds a violation in a pool, no events are dropped.

import { Auditor } from './auditor.js';
import { ChainAuditor } from './chain-auditor.js';
import type { RecordedEventView, SnapshotView, StoredPoolView } from '../reading/views.js';

/** The port to the store of events. Every method throws DomainError `unavailable` when the store cannot be reached. */
export abstract class EventRetention {
  /** The retention in days; null when events are kept for ever. */
  abstract days(): Promise<number | null>;

  /** The pools without a snapshot of what is dropped next, each with the seq of the last of those events. */
  abstract uncovered(): Promise<readonly { readonly pool: string; readonly seq: number }[]>;

  /**
   * Writes a snapshot of a pool after an event, in one transaction. Returns false when another process is doing this.
   * @param seq the seq of that event
   * @param fold receives the stored pool, with the snapshot to continue from, and the pages of events from there to
   * `seq`
   */
  abstract snapshot(
    pool: string,
    seq: number,
    fold: (stored: StoredPoolView, pages: AsyncIterable<readonly RecordedEventView[]>) => Promise<SnapshotView>,
  ): Promise<boolean>;

  /**
   * Drops the oldest partition if all of its events are older than the retention. Returns its name, or null.
   * @throws Error when a snapshot is missing
   */
  abstract drop(): Promise<string | null>;
}

/** Tokens in one part of a snapshot. */
const PART = 5000;

/**
 * Drops all partitions that are due, one after the other, and returns their names.
 * @throws Error when the audit finds a violation; then the partition stays
 */
export async function dropExpired(
  retention: EventRetention,
  isStopping: () => boolean = () => false,
): Promise<string[]> {
  const dropped: string[] = [];
  while (!isStopping()) {
    for (const { pool, seq } of await retention.uncovered()) {
      if (isStopping() || !(await retention.snapshot(pool, seq, fold))) return dropped;
    }
    const name = await retention.drop();
    if (name === null) break;
    dropped.push(name);
  }
  return dropped;
}

const fold: Parameters<EventRetention['snapshot']>[2] = async (stored, pages) => {
  const auditor = await Auditor.of(stored);
  const chain = new ChainAuditor(stored, undefined, stored.begins ?? undefined);
  let pool = '';
  for await (const page of pages) {
    for (const event of page) {
      auditor.add(event);
      chain.add(event);
    }
    pool = page[0]?.pool ?? pool;
    const [finding] = [...chain.findings, ...auditor.findings.kept];
    if (finding !== undefined) throw new Error(`nothing is dropped: in pool ${pool} the audit found ${finding}`);
  }
  return { ...auditor.state, hash: chain.hash, parts: auditor.tokensBy(PART) };
};

// Events that are older than they are kept: what they come to is written down as a snapshot of each pool, by the audit's own
// fold, and only then are they dropped. A pool in which anything is wrong keeps them all.

import { Auditor } from './auditor.js';
import { ChainAuditor } from './chain-auditor.js';
import type { RecordedEventView, SnapshotView, StoredPoolView } from '../reading/views.js';

/** The port to wherever events are kept. All throws DomainError `unavailable`. */
export abstract class EventRetention {
  /** For how long events are kept; null: for ever. */
  abstract days(): Promise<number | null>;

  /** The pools of which no snapshot covers what is to be dropped next, each with the seq of the last of those events. */
  abstract uncovered(): Promise<readonly { readonly pool: string; readonly seq: number }[]>;

  /**
   * Writes a snapshot, all of it or nothing. `fold` is given the pool, from which snapshot to go on, and the pages of events from
   * there to that seq. False: another process is at it.
   */
  abstract snapshot(
    pool: string,
    seq: number,
    fold: (stored: StoredPoolView, pages: AsyncIterable<readonly RecordedEventView[]>) => Promise<SnapshotView>,
  ): Promise<boolean>;

  /**
   * Drops the oldest partition of events if all of it is older than events are kept, and says its name; null: there is none.
   * @throws Error when a snapshot is missing
   */
  abstract drop(): Promise<string | null>;
}

/** Tokens in one part of a snapshot. */
const PART = 5000;

/**
 * Drops what is due, one partition after the other. Says their names.
 * @throws Error when a pool's events are not sound: nothing of that partition is dropped then
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

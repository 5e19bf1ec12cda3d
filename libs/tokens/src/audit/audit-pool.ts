// The audit of a pool: its feed read from the first event that is kept, every rule checked, and the fold compared with what is stored.

import { Auditor } from './auditor.js';
import { ChainAuditor } from './chain-auditor.js';
import type { ChainPoint } from './checkpoint.js';
import { storedPages } from './stored-page.js';
import type { TokenReader } from '../reading/token-reader.js';

export interface AuditReport {
  readonly pool: string;
  /** The events read: all up to this seq. */
  readonly last_seq: number;
  /** Those up to this seq were dropped: what they came to is taken from a snapshot. 0: none. */
  readonly begins_after: number;
  readonly tokens: number;
  readonly open_leases: number;
  /** The hash of the last event, and with it of all before. */
  readonly last_hash: string;
  readonly is_sound: boolean;
  /** What is wrong, in words; empty when all is well. */
  readonly findings: string[];
}

/** Events read at once. */
const PAGE = 1000;

/**
 * Takes no lock: the tokens are of one snapshot, and the feed up to its seq does not change any more. The first finding is that of the
 * chain of hashes, when there is one.
 * @param reader until its caller hangs up, if there is one: the audit ends with it
 * @param onProgress after each page; the next one waits for it
 * @throws DomainError `pool_not_found`, `unavailable`
 */
export async function auditPool(
  reader: TokenReader,
  poolName: string,
  onProgress: (events: number, ofEvents: number) => void | Promise<void> = () => undefined,
  expected?: ChainPoint,
): Promise<AuditReport> {
  const stored = await reader.stored(poolName);
  const auditor = await Auditor.of(stored);
  const chain = new ChainAuditor(stored, expected, stored.begins ?? undefined);
  const read = storedPages(reader, poolName, stored.last_seq, PAGE);
  const begins = stored.begins?.seq ?? 0;
  for (let next = stored.last_seq > begins ? read(begins) : null; next;) {
    const events = await next;
    const last = events.at(-1)?.seq ?? stored.last_seq;
    // The store fetches the next page while this one is looked at.
    next = last < stored.last_seq ? read(last) : null;
    for (const event of events) {
      auditor.add(event);
      chain.add(event);
    }
    // Together: what is read ahead may fail meanwhile.
    await Promise.all([onProgress(last, stored.last_seq), next]);
  }
  // As stored, overdue leases are still open: no lease is over before the first instant.
  const findings = [...chain.finish(), ...auditor.finish(), ...auditor.compare(stored.tokens, 0)];
  const folded = {
    last_seq: auditor.events,
    last_fence: auditor.fence,
    token_count: auditor.tokens,
    lease_count: auditor.openLeases,
  };
  for (const [counter, value] of Object.entries(folded)) {
    const isStored = stored[counter as keyof typeof folded];
    if (isStored !== value) findings.push(`the pool's ${counter} is ${isStored}, the feed says ${value}`);
  }
  // Events that were still to be read may have been dropped meanwhile.
  if (findings.length > 0 && (await reader.feedBegins(poolName)) > begins) {
    return auditPool(reader, poolName, onProgress, expected);
  }
  return {
    pool: poolName,
    last_seq: stored.last_seq,
    begins_after: begins,
    tokens: auditor.tokens,
    open_leases: auditor.openLeases,
    last_hash: chain.hash,
    is_sound: findings.length === 0,
    findings,
  };
}

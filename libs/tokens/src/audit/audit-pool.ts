// The audit of a pool: its feed read from the first event that is kept, every rule checked, and the fold compared with what is stored.

import type { AuditSource } from './audit-source.js';
import { Auditor } from './auditor.js';
import { ChainAuditor } from './chain-auditor.js';
import type { ChainPoint } from './checkpoint.js';
import { Findings, FINDINGS_KEPT } from './findings.js';
import { PageSize, storedPages } from './stored-page.js';
import type { RecordedEventView, StoredPoolLook, StoredPoolView } from '../reading/views.js';

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
  /** What is wrong, in words; empty when all is well, and the first thousand when it is more. */
  readonly findings: readonly string[];
  /** Of all that is wrong. */
  readonly finding_count: number;
}

/** Events read at once. */
const PAGE = 1000;

/** After each page of events; the next one waits for it. */
type OnProgress = (events: number, ofEvents: number) => void | Promise<void>;

/**
 * Takes no lock, and keeps in memory what the feed folds to and a page of each: the tokens are those of one snapshot, which begins when
 * all but the newest events are folded, and the feed up to its seq does not change any more. The first finding is that of the chain of
 * hashes, when there is one.
 * @param source until its caller hangs up, if there is one: the audit ends with it
 * @throws DomainError `pool_not_found`, `unavailable`
 */
export async function auditPool(
  source: AuditSource,
  poolName: string,
  onProgress: OnProgress = () => undefined,
  expected?: ChainPoint,
): Promise<AuditReport> {
  const audit = await source.look(poolName, (stored) => PoolAudit.of(stored, expected));
  const size = new PageSize(PAGE);
  let stored: StoredPoolView;
  let differences: Findings | null;
  do {
    await audit.readAhead(source, poolName, size, onProgress);
    [stored, differences] = await source.look(poolName, async (pool) => [pool, await audit.compare(pool)] as const);
  } while (differences === null);
  const { auditor, chain, begins } = audit;
  const findings = new Findings(FINDINGS_KEPT);
  chain.finish().forEach((finding) => findings.add(finding));
  auditor.finish();
  findings.addAll(auditor.findings);
  findings.addAll(differences);
  const folded = {
    last_seq: auditor.events,
    last_fence: auditor.fence,
    token_count: auditor.tokens,
    lease_count: auditor.openLeases,
  };
  for (const [counter, value] of Object.entries(folded)) {
    const isStored = stored[counter as keyof typeof folded];
    if (isStored !== value) findings.add(`the pool's ${counter} is ${isStored}, the feed says ${value}`);
  }
  // Events that were still to be read may have been dropped meanwhile.
  if (findings.count > 0 && (await source.begins(poolName)) > begins) {
    return auditPool(source, poolName, onProgress, expected);
  }
  return {
    pool: poolName,
    last_seq: stored.last_seq,
    begins_after: begins,
    tokens: auditor.tokens,
    open_leases: auditor.openLeases,
    last_hash: chain.hash,
    is_sound: findings.count === 0,
    findings: findings.kept,
    finding_count: findings.count,
  };
}

/** The fold of a pool's events, and how far it goes. */
class PoolAudit {
  readonly begins: number;
  /** Up to which seq the events are to be read before the tokens are looked at. */
  #last: number;
  /** Up to which they are. */
  #reached: number;
  /** How many there were to be read the last time. */
  #before = Infinity;

  private constructor(
    { last_seq, begins }: StoredPoolView,
    readonly auditor: Auditor,
    readonly chain: ChainAuditor,
  ) {
    this.begins = begins?.seq ?? 0;
    this.#reached = this.begins;
    this.#last = last_seq;
  }

  static async of(stored: StoredPoolView, expected?: ChainPoint): Promise<PoolAudit> {
    const auditor = await Auditor.of(stored, new Findings(FINDINGS_KEPT));
    return new PoolAudit(stored, auditor, new ChainAuditor(stored, expected, stored.begins ?? undefined));
  }

  async readAhead(source: AuditSource, poolName: string, size: PageSize, onProgress: OnProgress): Promise<void> {
    const last = this.#last;
    const read = storedPages(source, poolName, last, size);
    this.#before = last - this.#reached;
    for (let next = last > this.#reached ? read(this.#reached) : null; next;) {
      const events = await next;
      const after = events.at(-1)?.seq ?? last;
      // The store fetches the next page while this one is looked at.
      next = after < last ? read(after) : null;
      this.#add(events, after);
      // Together: what is read ahead may fail meanwhile.
      await Promise.all([onProgress(after, last), next]);
    }
  }

  /**
   * What the fold and the stored tokens differ in; null when the pool was in use and there is much to be read first. But only while
   * it gets less: the audit of a pool that is written faster than it can be read ends, too.
   */
  async compare(stored: StoredPoolLook): Promise<Findings | null> {
    this.auditor.goOn(stored);
    this.chain.goOn(stored);
    this.#last = stored.last_seq;
    const left = this.#last - this.#reached;
    if (left > PAGE && left < this.#before / 2) return null;
    for await (const events of stored.eventsAfter(this.#reached)) {
      this.#add(events, events.at(-1)?.seq ?? this.#last);
    }
    // As stored, overdue leases are still open: no lease is over before the first instant.
    const comparison = this.auditor.comparison(0, new Findings(FINDINGS_KEPT));
    for await (const tokens of stored.tokens) comparison.add(tokens);
    return comparison.finish();
  }

  #add(events: readonly RecordedEventView[], reached: number): void {
    for (const event of events) {
      this.auditor.add(event);
      this.chain.add(event);
    }
    this.#reached = reached;
  }
}

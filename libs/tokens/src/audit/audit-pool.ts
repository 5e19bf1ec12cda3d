// Audits a pool: reads its feed from the first event that the store keeps, checks every rule, and compares the fold
// with the stored pool.

import type { AuditSource } from './audit-source.js';
import { Auditor } from './auditor.js';
import { ChainAuditor } from './chain-auditor.js';
import type { ChainPoint } from './checkpoint.js';
import { Findings, FINDINGS_KEPT } from './findings.js';
import { PageSize, storedPages } from './stored-page.js';
import type { RecordedEventView, StoredPoolLook, StoredPoolView } from '../reading/views.js';

export interface AuditReport {
  readonly pool: string;
  /** The seq of the last event that the audit has read. */
  readonly last_seq: number;
  /** The events up to this seq were dropped, and a snapshot stands for them; 0 when none were. */
  readonly begins_after: number;
  readonly tokens: number;
  readonly open_leases: number;
  /** The hash of the last event, which covers all earlier ones. */
  readonly last_hash: string;
  readonly is_sound: boolean;
  /** The first thousand violations, in words. */
  readonly findings: readonly string[];
  /** The number of all violations. */
  readonly finding_count: number;
}

/** Events on a page, unless the caller says otherwise. */
const PAGE = 1000;

/** Called after each page of events. The audit waits for it before the next page. */
type OnProgress = (events: number, ofEvents: number) => void | Promise<void>;

/**
 * Takes no lock. Memory holds the fold of the feed, one page of events and one of tokens. The tokens come from one
 * snapshot of the database, which begins when the audit has folded all but the newest events; the feed up to the seq of
 * the snapshot no longer changes. A finding about the chain of hashes comes first.
 * @param source the store; `until` binds it to a caller, and the audit ends when that caller hangs up
 * @param expected a point of the chain that a checkpoint contains
 * @param page the number of events on a page: the thread is busy with one page at a time
 * @throws DomainError `pool_not_found`, `unavailable`
 */
export async function auditPool(
  source: AuditSource,
  poolName: string,
  onProgress: OnProgress = () => undefined,
  expected?: ChainPoint,
  page = PAGE,
): Promise<AuditReport> {
  const audit = await source.look(poolName, (stored) => PoolAudit.of(stored, expected));
  const size = new PageSize(page);
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
  const { kind } = stored;
  const policy: Readonly<Record<string, unknown>> = { ...stored.policy, kind };
  if (auditor.isListed !== null && auditor.isListed !== (kind === 'listed')) {
    findings.add(`the pool's kind is ${kind}, and its feed is ${auditor.isListed ? '' : 'not '}that of a listed pool`);
  }
  for (const [field, value] of auditor.policy) {
    const isStored = policy[field];
    if (isStored !== value) findings.add(`the pool's ${field} is ${String(isStored)}, the feed says ${String(value)}`);
  }
  // The store may have dropped events before the audit has read them.
  if (findings.count > 0 && (await source.begins(poolName)) > begins) {
    return auditPool(source, poolName, onProgress, expected, page);
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

/** The fold of a pool's events so far. */
class PoolAudit {
  readonly begins: number;
  /** The seq up to which the audit reads events before it reads the tokens. */
  #last: number;
  /** The seq up to which it has read them. */
  #reached: number;
  /** The number of events that were left to read the last time. */
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
      // The store fetches the next page while the audit checks this one.
      next = after < last ? read(after) : null;
      this.#add(events, after);
      // Awaited together, because the next page may fail before `onProgress` ends.
      await Promise.all([onProgress(after, last), next]);
    }
  }

  /**
   * The differences between the fold and the stored tokens; null when there are many new events to read first. It
   * returns null only while their number falls, so that the audit of a pool whose events come faster than it reads
   * ends, too.
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
    // The store keeps overdue leases open. As of instant 0 no lease is overdue, so the fold keeps them open, too.
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

// Exports a pool's events as lines of JSON: a head, one event a line in order, and an end with the expected count and
// hash. So anybody can check a file by itself, years later and without a database.

import type { AuditSource } from './audit-source.js';
import { ChainAuditor } from './chain-auditor.js';
import type { ChainPoint } from './checkpoint.js';
import { CHAIN_BEGINS, nextHash } from './event-chain.js';
import { Findings, FINDINGS_KEPT } from './findings.js';
import { PageSize, storedPages } from './stored-page.js';
import type { RecordedEventView, RestoreView } from '../reading/views.js';

/** The first line. */
export interface ExportHead {
  readonly token_pool_export: 1;
  readonly pool: string;
  readonly chained_after: number;
  /** The last dropped event, if there is one, and its hash. */
  readonly begins?: Omit<ChainPoint, 'pool'>;
  /** The restores of the database to an earlier state. Each is a gap of seqs. */
  readonly restores: readonly RestoreView[];
}

/** The last line. */
export interface ExportEnd {
  readonly events: number;
  readonly last_seq: number;
  /** The hash of the last event, which covers all earlier ones. */
  readonly last_hash: string;
}

/** Events on a page. */
const PAGE = 5000;

/**
 * The lines of a pool's export, each with its line break, some thousands at a time. The export ends with the event that
 * was the last when it began.
 * @throws DomainError `pool_not_found`, `unavailable`
 */
export async function* exportLines(
  source: AuditSource,
  pool: string,
  onProgress: (events: number, ofEvents: number) => void = () => undefined,
): AsyncGenerator<string> {
  const { last_seq, chained_after, restores, begins } = await source.look(pool, (stored) => stored);
  const head: ExportHead = {
    token_pool_export: 1,
    pool,
    chained_after,
    begins: begins ? { seq: begins.seq, hash: begins.hash } : undefined,
    restores,
  };
  yield line(head);
  let [after, events, hash] = [begins?.seq ?? 0, 0, begins?.hash ?? CHAIN_BEGINS];
  const read = storedPages(source, pool, last_seq, new PageSize(PAGE));
  while (after < last_seq) {
    const page = await read(after);
    for (const event of page) if (event.seq > chained_after) hash = nextHash(hash, event);
    if (page.length > 0) yield page.map(line).join('');
    events += page.length;
    after = page.at(-1)?.seq ?? last_seq;
    onProgress(after, last_seq);
  }
  const end: ExportEnd = { events, last_seq, last_hash: hash };
  yield line(end);
}

export interface ExportReport extends ExportEnd {
  readonly pool: string;
  readonly chained_after: number;
  /**
   * The last event with a hash; later ones are of the previous version. Without such an event, the start of the file.
   */
  readonly anchor: Omit<ChainPoint, 'pool'>;
  /** The first thousand faults of the file, in words. */
  readonly findings: readonly string[];
  /** The number of all faults. */
  readonly finding_count: number;
}

/** Checks the numbers, hashes and counts in a file. @throws Error when the file is no export */
export async function checkExport(lines: AsyncIterable<string>): Promise<ExportReport> {
  let head: ExportHead | undefined;
  let end: ExportEnd | undefined;
  let chain: ChainAuditor | undefined;
  let [events, last] = [0, 0];
  let anchor: ExportReport['anchor'] = { seq: 0, hash: CHAIN_BEGINS };
  const findings = new Findings(FINDINGS_KEPT);
  for await (const text of lines) {
    const entry = parsed(text);
    if (!head) {
      head = entry as ExportHead;
      if (head.token_pool_export !== 1) throw new Error('the file is not an export of events');
      chain = new ChainAuditor(
        { chained_after: head.chained_after, hashed_seq: 0, last_hash: null },
        undefined,
        head.begins,
      );
      anchor = head.begins ?? anchor;
      last = anchor.seq;
    } else if (end) {
      findings.add('there are lines after the last one');
    } else if ('events' in entry) {
      end = entry as ExportEnd;
    } else {
      const event = entry as RecordedEventView;
      const jump = head.restores.find(({ next_seq }) => next_seq === event.seq);
      if (event.seq !== last + 1 && jump?.after_seq !== last) findings.add(`seq ${event.seq} follows ${last}`);
      if (event.pool !== head.pool) findings.add(`seq ${event.seq} is of pool ${event.pool}`);
      chain!.add(event);
      if (event.hash !== null) anchor = { seq: event.seq, hash: event.hash };
      [events, last] = [events + 1, event.seq];
    }
  }
  if (!head || !chain) throw new Error('the file is empty');
  chain.finish().forEach((finding) => findings.add(finding));
  if (!end) findings.add(`the file ends after seq ${last}: it is not whole`);
  else if (end.events !== events || end.last_seq !== last || end.last_hash !== chain.hash) {
    findings.add(
      `there are ${events} events up to seq ${last}, and their hash or number is not what the last line says`,
    );
  }
  const { pool, chained_after } = head;
  const { kept, count } = findings;
  return {
    pool,
    chained_after,
    anchor,
    events,
    last_seq: last,
    last_hash: chain.hash,
    findings: kept,
    finding_count: count,
  };
}

export interface ExportComparison {
  readonly findings: readonly string[];
  /** Why the store has nothing to compare the file with; null when it has. */
  readonly lacking: string | null;
}

/**
 * Compares a checked file with the store. The chain of the store must contain the last event of the file with the same
 * hash, which covers all earlier events.
 * @throws DomainError `unavailable`
 */
export async function compareExport(
  { pool, last_seq, last_hash, chained_after, anchor }: ExportReport,
  source: AuditSource,
): Promise<ExportComparison> {
  const differs = (finding: string): ExportComparison => ({ findings: [finding], lacking: null });
  const begins = await source.begins(pool);
  if (begins > 0 && (begins >= last_seq || begins > anchor.seq)) {
    return { findings: [], lacking: `its events up to seq ${begins} were dropped` };
  }
  let last = Math.max(begins, anchor.seq - 1, Math.min(chained_after, last_seq) - 1);
  let { hash } = anchor;
  const read = storedPages(source, pool, last_seq, new PageSize(PAGE));
  while (last < last_seq) {
    const events = await read(last);
    for (const event of events) {
      if (event.seq > anchor.seq && event.seq > chained_after) hash = nextHash(hash, event);
      else if (event.seq === anchor.seq && event.hash !== hash) {
        return differs(`the hash of seq ${anchor.seq} is another in the database`);
      }
    }
    last = events.at(-1)?.seq ?? Infinity;
  }
  if (last !== last_seq) return differs(`the database has no event ${last_seq} of pool ${pool}`);
  if (hash !== last_hash) return differs(`an event after seq ${anchor.seq} is another in the database`);
  const isBeforeChain = last_seq > 0 && last_seq <= chained_after;
  return { findings: [], lacking: isBeforeChain ? 'its events are from before there were hashes' : null };
}

const line = (entry: object): string => `${JSON.stringify(entry)}\n`;

function parsed(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    throw new Error(`the file is not an export of events: ${JSON.stringify(text.slice(0, 40))} is not JSON`);
  }
}

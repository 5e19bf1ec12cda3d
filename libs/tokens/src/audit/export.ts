// A pool's events as lines of JSON: a line that says what follows, an event a line in order, and a line that says what was to be
// there. So a file can be checked by itself, years later and without a database.

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
  /** The events up to this one were dropped, and this was its hash. */
  readonly begins?: Omit<ChainPoint, 'pool'>;
  /** Where seqs are missing, because the database was put back to an earlier state. */
  readonly restores: readonly RestoreView[];
}

/** The last line. */
export interface ExportEnd {
  readonly events: number;
  readonly last_seq: number;
  /** Of the last event, and with it of all before. */
  readonly last_hash: string;
}

/** Events read at once. */
const PAGE = 5000;

/**
 * The lines of a pool's export, each with its line break, some thousands at a time; as of the beginning.
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
  /** The last event that carries a hash: those after it are of a version before. Without one, where the file begins. */
  readonly anchor: Omit<ChainPoint, 'pool'>;
  /** What is wrong with the file, in words; empty when all is well, and the first thousand when it is more. */
  readonly findings: readonly string[];
  /** Of all that is wrong. */
  readonly finding_count: number;
}

/** Checks a file against itself: numbers, hashes, counts. @throws Error when it is no export */
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
  /** Why there is nothing to compare a file with; null: there is. */
  readonly lacking: string | null;
}

/**
 * Compares a file that was checked with the store: whether the chain there goes through its last event, whose hash stands for all before it.
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

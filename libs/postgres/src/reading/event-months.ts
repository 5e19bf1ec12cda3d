// Finds the months of the requested events, so that a statement opens only their partitions and not those of all years.
// To open a partition costs as much as ten rows. The first seq of a month never changes, so this keeps it in memory.

import { texts } from '../connection/array-parameter.js';
import type { DataSource } from 'typeorm';
import { Database } from '../connection/database.js';
import { FIRST_SEQS, MONTHS } from './feed-statements.js';

/** Up to this many partitions, opening all of them is as fast as finding out which ones a statement needs. */
const FEW = 8;
/** How often to look for new months. */
const LOOK_AGAIN_MS = 3_600_000;
/** The newest months, some of them ahead of now. Most requests ask for their events. */
const RECENT = 5;

/** PostgreSQL's beginning of time. */
export const BEGINNING = '-infinity';
const END = 'infinity';

interface Month {
  /** A timestamp in the form that PostgreSQL reads. */
  readonly begins: string;
  readonly firstSeq: number;
}

export class EventMonths {
  #begins: readonly string[] = [];
  #lookedAt = -Infinity;
  readonly #ofPools = new Map<string, readonly Month[]>();

  constructor(private readonly database: Database) {}

  /** The one instance of a data source, so that all its readers share what they have learned. */
  static of(source: DataSource): EventMonths {
    const known = OF_SOURCES.get(source) ?? new EventMonths(new Database(source));
    OF_SOURCES.set(source, known);
    return known;
  }

  /** The instant since when events count as recent; the beginning of time if there are few partitions. */
  async recent(): Promise<string> {
    const begins = await this.#months();
    return begins.length > FEW ? (begins.at(-RECENT) as string) : BEGINNING;
  }

  /**
   * The instants between which PostgreSQL has recorded the first events of a pool after a seq, at most `most` of them.
   * They include one later month: after a restore, the next event may have a much higher seq.
   */
  async between(pool: string, after: number, most: number): Promise<{ from: string; to: string }> {
    const months = (await this.#ofPool([pool])).get(pool) ?? [];
    const later = months.findIndex(({ firstSeq }) => firstSeq > after + most);
    return {
      from: months.findLast(({ firstSeq }) => firstSeq <= after + 1)?.begins ?? BEGINNING,
      to: later < 0 ? END : (months[later + 1]?.begins ?? END),
    };
  }

  /** For each pool, an instant before which it recorded no event after the given seq. */
  async since(places: ReadonlyMap<string, number>): Promise<string[]> {
    const months = await this.#ofPool([...places.keys()]);
    return [...places].map(
      ([pool, after]) => months.get(pool)?.findLast(({ firstSeq }) => firstSeq <= after + 1)?.begins ?? BEGINNING,
    );
  }

  async #ofPool(pools: readonly string[]): Promise<ReadonlyMap<string, readonly Month[]>> {
    if ((await this.#months()).length <= FEW) return this.#ofPools;
    const unknown = pools.filter((pool) => !this.#ofPools.has(pool));
    if (unknown.length > 0) {
      const rows = await this.database.read<{ pool: string; begins: string[]; first_seqs: number[] }>(FIRST_SEQS, [
        texts(unknown),
      ]);
      for (const { pool, begins, first_seqs } of rows) {
        this.#ofPools.set(
          pool,
          begins.map((at, place) => ({ begins: at, firstSeq: first_seqs[place] as number })),
        );
      }
    }
    return this.#ofPools;
  }

  async #months(): Promise<readonly string[]> {
    if (performance.now() - this.#lookedAt > LOOK_AGAIN_MS) {
      this.#lookedAt = performance.now();
      this.#begins = (await this.database.read<{ begins: string }>(MONTHS, [])).map(({ begins }) => begins);
      this.#ofPools.clear();
    }
    return this.#begins;
  }
}

const OF_SOURCES = new WeakMap<DataSource, EventMonths>();

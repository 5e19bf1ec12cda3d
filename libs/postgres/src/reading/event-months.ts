// Where in time the events are that somebody asks for, so that a statement opens the partitions that hold them and not
// those of all years: opening one costs as much as ten rows. Facts that never change are kept: which seq is the first of a month.

import { texts } from '../connection/array-parameter.js';
import type { DataSource } from 'typeorm';
import { Database } from '../connection/database.js';
import { FIRST_SEQS, MONTHS } from './feed-statements.js';

/** So few partitions are opened as quickly as it is found out which ones are needed. */
const FEW = 8;
/** After which it is looked again whether there are new months, in milliseconds. */
const LOOK_AGAIN_MS = 3_600_000;
/** Present months, and those ahead: what is asked for is mostly there. */
const RECENT = 5;

/** Of time, as PostgreSQL has it. */
export const BEGINNING = '-infinity';
const END = 'infinity';

interface Month {
  /** As PostgreSQL reads it. */
  readonly begins: string;
  readonly firstSeq: number;
}

export class EventMonths {
  #begins: readonly string[] = [];
  #lookedAt = -Infinity;
  readonly #ofPools = new Map<string, readonly Month[]>();

  constructor(private readonly database: Database) {}

  /** What is known of them, by whichever reader of the same database. */
  static of(source: DataSource): EventMonths {
    const known = OF_SOURCES.get(source) ?? new EventMonths(new Database(source));
    OF_SOURCES.set(source, known);
    return known;
  }

  /** From when on an event is recent; the beginning of time where everything is quickly read. */
  async recent(): Promise<string> {
    const begins = await this.#months();
    return begins.length > FEW ? (begins.at(-RECENT) as string) : BEGINNING;
  }

  /**
   * Between which instants the events of a pool after a seq were recorded, so many of them at most. The month in which the
   * next ones begin is let in, too: where the pool was restored they are the first ones, however much further up.
   */
  async between(pool: string, after: number, most: number): Promise<{ from: string; to: string }> {
    const months = (await this.#ofPool([pool])).get(pool) ?? [];
    const later = months.findIndex(({ firstSeq }) => firstSeq > after + most);
    return {
      from: months.findLast(({ firstSeq }) => firstSeq <= after + 1)?.begins ?? BEGINNING,
      to: later < 0 ? END : (months[later + 1]?.begins ?? END),
    };
  }

  /** Of each pool, the instant before which no event after its seq was recorded. */
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

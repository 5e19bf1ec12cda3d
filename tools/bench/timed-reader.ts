// Times the reader's own statements in the database: runs the statements of a page again under EXPLAIN ANALYZE,
// prepared, with the plan and the settings of the service's own sessions.

import type { Connection, Pool, PoolClient, Submittable } from 'pg';
import { createDataSource } from '@app/postgres';
import { readersOf, type ServiceReaders } from '../harness/service.js';

type DataSource = ReturnType<typeof createDataSource>;

/** A statement as it goes to the database. */
interface Asked {
  readonly name: string;
  readonly text: string;
  readonly values: readonly (string | null)[];
}

export interface Timed {
  /** Milliseconds in which the database runs all statements of the page and writes their rows as text. */
  readonly inDatabase: number;
  /** Milliseconds that the caller waits, with the way there and back and the conversion of rows. */
  readonly forCaller: number;
  /** Pages of 8 kB that the statements touch, in the cache or on the disk. */
  readonly buffers: number;
}

/** A row of EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON). */
export interface Explained {
  readonly 'QUERY PLAN': [{ readonly 'Execution Time': number; readonly Plan: Readonly<Record<string, number>> }];
}

/** @returns the pages of 8 kB that the statement touches, in the cache or on the disk */
export function buffersOf({ 'QUERY PLAN': [{ Plan }] }: Explained): number {
  const { 'Shared Hit Blocks': hit = 0, 'Shared Read Blocks': read = 0 } = Plan;
  return hit + read;
}

export class TimedReader {
  readonly #asked: Asked[] = [];
  readonly #prepared = new Set<string>();
  readonly #readers: ServiceReaders;

  private constructor(
    private readonly source: DataSource,
    private readonly client: PoolClient,
    private readonly explain: string,
  ) {
    this.#readers = readersOf(this.#recording());
  }

  static async open(url: string): Promise<TimedReader> {
    const source = await createDataSource(url, { poolSize: 2 }).initialize();
    const client = await poolOf(source).connect();
    const { rows } = await client.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    const serialise = rows[0]!.version >= 170_000 ? ', SERIALIZE TEXT' : '';
    return new TimedReader(source, client, `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON${serialise})`);
  }

  async time(read: (readers: ServiceReaders) => Promise<unknown>): Promise<Timed> {
    this.#asked.length = 0;
    const begun = performance.now();
    await read(this.#readers);
    const forCaller = performance.now() - begun;
    const total = { inDatabase: 0, forCaller, buffers: 0 };
    for (const statement of [...this.#asked]) {
      const [explained] = await this.#explained<[Explained]>(statement, this.explain);
      total.inDatabase += explained['QUERY PLAN'][0]['Execution Time'];
      total.buffers += buffersOf(explained);
    }
    return total;
  }

  async close(): Promise<void> {
    this.client.release();
    await this.source.destroy();
  }

  /** Has only what the reader uses of a DataSource; its connections record each statement. */
  #recording(): DataSource {
    const connect = async (): Promise<unknown> => {
      const client = await poolOf(this.source).connect();
      const query = (exchange: Submittable): unknown => {
        exchange.submit(this.#recorder());
        return client.query(exchange);
      };
      return Object.assign(Object.create(client) as object, {
        query,
        release: (isBroken: boolean) => client.release(isBroken),
      });
    };
    return { driver: { master: { connect } } } as unknown as DataSource;
  }

  /** Records statements. It looks like a new connection, so that pg sends it the text of each prepared statement. */
  #recorder(): Connection {
    let text = '';
    const ignore = (): void => undefined;
    return {
      stream: { cork: ignore, uncork: ignore },
      parse: (statement: { text: string }) => void (text = statement.text),
      bind: (bound: { statement: string; values: (string | null)[] }) =>
        void this.#asked.push({ name: bound.statement, text, values: bound.values }),
      describe: ignore,
      execute: ignore,
      close: ignore,
      sync: ignore,
    } as unknown as Connection;
  }

  async #explained<Rows extends unknown[]>({ name, text, values }: Asked, explain: string): Promise<Rows> {
    const prepared = `timed_${name}`;
    if (!this.#prepared.has(prepared)) await this.client.query(`PREPARE ${prepared} AS ${text}`);
    this.#prepared.add(prepared);
    const literals = values.map((value) => (value === null ? 'NULL' : this.client.escapeLiteral(value))).join(', ');
    const { rows } = await this.client.query(
      `${explain} EXECUTE ${prepared}${values.length > 0 ? `(${literals})` : ''}`,
    );
    return rows as Rows;
  }
}

const poolOf = (source: DataSource): Pool => (source.driver as unknown as { master: Pool }).master;

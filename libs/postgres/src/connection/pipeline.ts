// Sends several prepared statements in one packet and reads their results from one packet. The driver's own queries end
// with a Sync each, which costs the server a packet and this process a wake-up for every statement.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING

import pg, { type ClientBase, type Connection, type PoolClient, type Submittable } from 'pg';

export interface Statement {
  readonly name: string;
  readonly text: string;
}

export const named = (name: string, text: string): Statement => ({ name, text });

/** A Buffer holds a value in PostgreSQL's binary form (array-parameter.ts). */
export type Value = string | number | boolean | Buffer | null;

export interface Query extends Statement {
  readonly values?: readonly Value[];
}

export interface QueryResult {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each statement knows its own rows
  readonly rows: any[];
  /** How many rows the statement has read or written. */
  readonly rowCount: number;
}

/**
 * The results, in the order of the statements, which see each other's effects. PostgreSQL skips the statements after
 * the first one that fails. The connection stays usable after a failed statement: the promise rejects only when the
 * server is ready again. `isInTransaction` then tells whether a transaction is open.
 * @throws pg.DatabaseError for a statement that PostgreSQL refuses; the driver's error when the connection is lost
 */
export const pipeline = (client: PoolClient, queries: readonly Query[]): Promise<QueryResult[]> =>
  new Promise((resolve, reject) => {
    client.query(new Pipeline(queries, (error, results) => (error ? reject(error) : resolve(results))));
  });

/** Whether a transaction is open, according to the server's last ReadyForQuery. */
export const isInTransaction = (client: PoolClient): boolean =>
  (client as unknown as { getTransactionStatus(): string | null }).getTransactionStatus() !== 'I';

/** How to use a connection whose session a pooler gives to another client after each transaction (`Pooler`). */
interface Sharing {
  /** Whether the pooler makes prepared statements known in whichever session comes next. */
  readonly prepares: boolean;
  /** Runs in each pipeline. Its settings hold for the transaction that begins there. */
  readonly settings: Statement;
}

const shared = new WeakMap<Connection, Sharing>();

/** Makes later pipelines on this connection rely on nothing in the session beyond the current transaction. */
export const share = (client: ClientBase, sharing: Sharing): void =>
  void shared.set((client as unknown as { connection: Connection }).connection, sharing);

/** The columns of a statement's rows. */
interface Shape {
  readonly columns: readonly { readonly name: string; readonly parse: (text: string) => unknown }[];
  /** A row of nulls to copy: to add one column after the other takes twice as long. */
  readonly empty: Readonly<Record<string, unknown>>;
}

const NO_ROWS: Shape = { columns: [], empty: {} };

/** The statements that a connection has prepared. */
interface Prepared {
  readonly shapes: Map<string, Shape>;
  /** Names of statements that failed: the server may not know them, or may have an outdated plan for them. */
  readonly doubtful: Set<string>;
}

const prepared = new WeakMap<Connection, Prepared>();
const nothingPrepared = (): Prepared => ({ shapes: new Map(), doubtful: new Set() });

const wired = (value: Value): string | Buffer | null =>
  value === null || value instanceof Buffer ? value : String(value);

/** Writes the statements, and handles the server's messages as the driver passes them on. */
class Pipeline implements Submittable {
  #queries: readonly Query[];
  readonly #results: { rows: unknown[]; rowCount: number }[] = [];
  #prepared = nothingPrepared();
  /** The statements that this pipeline prepares for the first time, and their places among the queries. */
  readonly #new: { readonly place: number; readonly name: string }[] = [];
  #rows: unknown[] = [];
  /** The place of the added statement with the settings, or -1. */
  #settingsAt = -1;

  /** The driver replaces this with a wrapper that limits how long it waits. */
  callback: (error: Error | null, results: QueryResult[]) => void;

  constructor(queries: readonly Query[], callback: Pipeline['callback']) {
    this.#queries = queries;
    this.callback = callback;
  }

  submit(given: Connection): void {
    const connection = given as unknown as Wire;
    const sharing = shared.get(given);
    const { prepares = true } = sharing ?? {};
    if (sharing) {
      // The settings follow a BEGIN, because it may set the isolation level, which must precede any query. They do not
      // go with a ROLLBACK, because a failed transaction accepts no query.
      const { text } = this.#current;
      this.#settingsAt = text === 'ROLLBACK' ? -1 : text.startsWith('BEGIN') ? 1 : 0;
      if (this.#settingsAt >= 0) this.#queries = this.#queries.toSpliced(this.#settingsAt, 0, sharing.settings);
    }
    if (prepares) {
      this.#prepared = prepared.get(given) ?? nothingPrepared();
      prepared.set(given, this.#prepared);
    }
    const { shapes, doubtful } = this.#prepared;
    connection.stream.cork();
    for (const [place, { name, text, values = [] }] of this.#queries.entries()) {
      const isNew = !prepares || !shapes.has(name);
      const statement = prepares ? name : '';
      // It is no error to close a statement that does not exist.
      if (doubtful.delete(name)) connection.close({ type: 'S', name });
      if (isNew) connection.parse({ name: statement, text });
      connection.bind({ statement, values: values.map(wired) });
      if (isNew) connection.describe({ type: 'P' });
      if (isNew) shapes.set(name, NO_ROWS);
      if (isNew) this.#new.push({ place, name });
      connection.execute();
    }
    connection.sync();
    connection.stream.uncork();
  }

  handleRowDescription({ fields }: { fields: { name: string; dataTypeID: number }[] }): void {
    const columns = fields.map(({ name, dataTypeID }) => {
      return { name, parse: pg.types.getTypeParser(dataTypeID, 'text') as (text: string) => unknown };
    });
    this.#prepared.shapes.set(this.#current.name, {
      columns,
      empty: Object.fromEntries(columns.map(({ name }) => [name, null])),
    });
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    const { columns, empty } = this.#prepared.shapes.get(this.#current.name) as Shape;
    const row = { ...empty };
    columns.forEach(({ name, parse }, place) => {
      const text = fields[place] as string | null;
      if (text !== null) row[name] = parse(text);
    });
    this.#rows.push(row);
  }

  handleCommandComplete({ text }: { text: string }): void {
    // `SELECT 1`, `INSERT 0 1`, `COMMIT`
    const rowCount = Number(text.slice(text.lastIndexOf(' ') + 1)) || 0;
    this.#results.push({ rows: this.#rows, rowCount });
    this.#rows = [];
  }

  handleReadyForQuery(): void {
    if (this.#results.length < this.#queries.length) return;
    if (this.#settingsAt >= 0) this.#results.splice(this.#settingsAt, 1);
    this.callback(null, this.#results);
  }

  /** Either the server has refused a statement and skips the rest, or the driver has lost the connection. */
  handleError(error: Error, given: Connection): void {
    if (!(error instanceof pg.DatabaseError)) return this.callback(error, []);
    this.#forget();
    const reject = (): void => {
      given.off('readyForQuery', reject).off('end', reject);
      this.callback(error, []);
    };
    given.on('readyForQuery', reject).on('end', reject);
  }

  /**
   * The server has prepared the statements before the failed one, and none after it. The next pipeline prepares the
   * failed one again: either the server never prepared it, or its tables have changed since.
   */
  #forget(): void {
    const { shapes, doubtful } = this.#prepared;
    const failedAt = this.#results.length;
    // An error after the last result concerns the session, which ends, and no statement.
    const failed = this.#queries[failedAt]?.name;
    if (failed === undefined) return;
    for (const { place, name } of this.#new) if (place > failedAt) shapes.delete(name);
    shapes.delete(failed);
    doubtful.add(failed);
  }

  /** The query whose result is arriving. */
  get #current(): Query {
    return this.#queries[this.#results.length] as Query;
  }
}

/** The driver's connection, whose published types belong to an older version. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(statement: Statement): void;
  bind(values: { statement: string; values: (string | Buffer | null)[] }): void;
  describe(what: { type: 'P' }): void;
  execute(): void;
  close(what: { type: 'S'; name: string }): void;
  sync(): void;
}

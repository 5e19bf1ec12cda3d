// Several prepared statements in one go: one packet there, one packet back. The driver's own queries would each ask
// for their answer at once, which costs the server a packet and this process a wake-up for every statement.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING

import pg, { type ClientBase, type Connection, type PoolClient, type Submittable } from 'pg';

export interface Statement {
  readonly name: string;
  readonly text: string;
}

export const named = (name: string, text: string): Statement => ({ name, text });

/** Bytes are a value in PostgreSQL's binary form (array-parameter.ts). */
export type Value = string | number | boolean | Buffer | null;

export interface Query extends Statement {
  readonly values?: readonly Value[];
}

export interface QueryResult {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each statement knows its own rows
  readonly rows: any[];
  /** That were read or written. */
  readonly rowCount: number;
}

/**
 * The results in the order of the statements, which see each other's effects. The first that fails ends it: the rest
 * is not even tried. A statement that the server refused leaves a connection that can be used on: the refusal is told
 * when the server is ready again, and it is known what is prepared. Whether a transaction is open, `isInTransaction` says.
 */
export const pipeline = (client: PoolClient, queries: readonly Query[]): Promise<QueryResult[]> =>
  new Promise((resolve, reject) => {
    client.query(new Pipeline(queries, (error, results) => (error ? reject(error) : resolve(results))));
  });

/** By the server's last word. */
export const isInTransaction = (client: PoolClient): boolean =>
  (client as unknown as { getTransactionStatus(): string | null }).getTransactionStatus() !== 'I';

/** How a connection is used whose session is somebody else's after each transaction (session.ts, `Pooler`). */
interface Sharing {
  /** Whether statements that were prepared once are known in whatever session comes next. */
  readonly prepares: boolean;
  /** Goes with each pipeline: what it sets holds for the transaction that begins there. */
  readonly settings: Statement;
}

const shared = new WeakMap<Connection, Sharing>();

/** From now on nothing is expected of a connection's session beyond the transaction in hand. */
export const share = (client: ClientBase, sharing: Sharing): void =>
  void shared.set((client as unknown as { connection: Connection }).connection, sharing);

/** Of a statement's rows. */
interface Shape {
  readonly columns: readonly { readonly name: string; readonly parse: (text: string) => unknown }[];
  /** A row with nothing in it, to be copied: to add one column after the other takes twice as long. */
  readonly empty: Readonly<Record<string, unknown>>;
}

const NO_ROWS: Shape = { columns: [], empty: {} };

/** What a connection has prepared. */
interface Prepared {
  readonly shapes: Map<string, Shape>;
  /** Names of statements that failed: they may be known to the server or not, or not be good any more. */
  readonly doubtful: Set<string>;
}

const prepared = new WeakMap<Connection, Prepared>();
const nothingPrepared = (): Prepared => ({ shapes: new Map(), doubtful: new Set() });

const wired = (value: Value): string | Buffer | null =>
  value === null || value instanceof Buffer ? value : String(value);

/** What the driver calls with each message of the server's. */
class Pipeline implements Submittable {
  #queries: readonly Query[];
  readonly #results: { rows: unknown[]; rowCount: number }[] = [];
  #prepared = nothingPrepared();
  /** Those that are prepared for the first time here, as their results are awaited. */
  readonly #new: { readonly place: number; readonly name: string }[] = [];
  #rows: unknown[] = [];
  /** The place of the statement that was put between those that were asked. */
  #settingsAt = -1;

  /** The driver wraps it, so as to limit how long it waits. */
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
      // Not before a BEGIN, which may set the isolation level: that must come before any query. And not with a ROLLBACK:
      // a transaction that failed takes no query.
      const { text } = this.#asked;
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
      // To close what there is not is no error.
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
    this.#prepared.shapes.set(this.#asked.name, {
      columns,
      empty: Object.fromEntries(columns.map(({ name }) => [name, null])),
    });
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    const { columns, empty } = this.#prepared.shapes.get(this.#asked.name) as Shape;
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

  /** By the server, which then skips the rest; or by the driver, which has lost the connection. */
  handleError(error: Error, given: Connection): void {
    if (!(error instanceof pg.DatabaseError)) return this.callback(error, []);
    this.#forget();
    const tell = (): void => {
      given.off('readyForQuery', tell).off('end', tell);
      this.callback(error, []);
    };
    given.on('readyForQuery', tell).on('end', tell);
  }

  /**
   * The statements before the one that failed are prepared, those after it are not. The one that failed is prepared anew next
   * time: perhaps it never was, or what it was prepared for has changed since.
   */
  #forget(): void {
    const { shapes, doubtful } = this.#prepared;
    const failedAt = this.#results.length;
    // After the last answer there is none: it is the session that ends.
    const failed = this.#queries[failedAt]?.name;
    if (failed === undefined) return;
    for (const { place, name } of this.#new) if (place > failedAt) shapes.delete(name);
    shapes.delete(failed);
    doubtful.add(failed);
  }

  /** The one whose answer is arriving. */
  get #asked(): Query {
    return this.#queries[this.#results.length] as Query;
  }
}

/** The driver's connection; its published types are of an older version. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(statement: Statement): void;
  bind(values: { statement: string; values: (string | Buffer | null)[] }): void;
  describe(what: { type: 'P' }): void;
  execute(): void;
  close(what: { type: 'S'; name: string }): void;
  sync(): void;
}

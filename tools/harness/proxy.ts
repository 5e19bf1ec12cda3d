// The way from one API process to the database, which can be made bad: slow, cut, silent, or deaf to COMMIT.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Weather {
  /** On the way there and on the way back, in milliseconds. */
  delayMs: number;
  /** Bytes that each connection still gets from the database before it is cut. */
  bytesLeft: number;
  /** COMMIT never arrives, or its answer does not; the connection is cut instead. */
  commit: 'arrives' | 'is lost' | 'is not answered';
  /** How often the above happens to a COMMIT. */
  probability: number;
  /** Nothing arrives any more, and nobody is told. */
  isSilent: boolean;
  /** No new connections. */
  isClosed: boolean;
}

const FAIR: Readonly<Weather> = {
  delayMs: 0,
  bytesLeft: Infinity,
  commit: 'arrives',
  probability: 1,
  isSilent: false,
  isClosed: false,
};

export class Proxy {
  #weather: Weather = { ...FAIR };
  readonly #connections = new Set<Connection>();
  #commitsLost = 0;
  readonly #server: Server;
  readonly #target: URL;

  private constructor(databaseUrl: string) {
    this.#target = new URL(databaseUrl);
    this.#server = createServer((client) => this.#accept(client));
  }

  static async open(databaseUrl: string): Promise<Proxy> {
    const proxy = new Proxy(databaseUrl);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The database's URL by way of this proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.hostname = '127.0.0.1';
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** The ports by which the database knows the connections that are open now. */
  get ports(): number[] {
    return [...this.#connections].flatMap(({ port }) => port ?? []);
  }

  /** COMMITs that did not arrive or were not answered, since it was asked last. */
  takeCommitsLost(): number {
    const lost = this.#commitsLost;
    this.#commitsLost = 0;
    return lost;
  }

  /** From now on, for connections old and new. */
  set(weather: Partial<Weather>): void {
    this.#weather = { ...FAIR, ...weather };
    if (this.#weather.isClosed) this.#cutAll();
    for (const connection of this.#connections) connection.bytesLeft = this.#weather.bytesLeft;
  }

  /** Good again. Connections that lost bytes in the silence can only be cut. */
  heal(): void {
    if (this.#weather.isSilent) this.#cutAll();
    this.#weather = { ...FAIR };
    for (const connection of this.#connections) connection.bytesLeft = Infinity;
  }

  /** Those that are open now are dead for ever, and neither side is told; new ones are fine. */
  halfOpen(): void {
    for (const connection of this.#connections) connection.isDead = true;
  }

  /** The database hears that the other side of half-open connections is gone, as its keep-alive would find out. */
  tellDatabase(): void {
    for (const connection of this.#connections) if (connection.isDead) connection.cutOffDatabase();
  }

  async close(): Promise<void> {
    this.#cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #cutAll(): void {
    for (const connection of this.#connections) connection.cut();
  }

  #accept(client: Socket): void {
    client.on('error', () => client.destroy());
    if (this.#weather.isClosed) return void client.destroy();
    const database = connect(Number(this.#target.port), this.#target.hostname);
    const connection = new Connection(client, database, this.#weather.bytesLeft);
    this.#connections.add(connection);
    connection.onClose(() => this.#connections.delete(connection));
    client.on('data', (bytes) => {
      const weather = this.#weather;
      if (weather.isSilent || connection.isDead) return;
      if (weather.commit !== 'arrives' && isCommit(bytes) && Math.random() < weather.probability) {
        this.#commitsLost++;
        if (weather.commit === 'is lost') return connection.cut();
        connection.isCommitting = true;
      }
      connection.there.send(bytes, weather.delayMs);
    });
    database.on('data', (bytes) => {
      const weather = this.#weather;
      if (weather.isSilent || connection.isDead) return;
      if (connection.isCommitting) return connection.cut();
      connection.bytesLeft -= bytes.length;
      if (connection.bytesLeft >= 0) return connection.back.send(bytes, weather.delayMs);
      client.write(bytes.subarray(0, bytes.length + connection.bytesLeft), () => connection.cut());
    });
  }
}

/** As text, or as the name of a statement that was prepared before. */
const isCommit = (bytes: Buffer): boolean => /commit/i.test(bytes.toString('latin1'));

class Connection {
  isDead = false;
  isCommitting = false;
  readonly there: SlowPipe;
  readonly back: SlowPipe;

  constructor(
    private readonly client: Socket,
    private readonly database: Socket,
    public bytesLeft: number,
  ) {
    this.there = new SlowPipe(database);
    this.back = new SlowPipe(client);
    client.setNoDelay();
    database.setNoDelay();
    database.on('error', () => this.cut());
    // On a dead connection nobody hears that the other side has gone.
    client.on('close', () => this.isDead || database.end());
    database.on('close', () => this.isDead || client.destroy());
  }

  /** undefined until the database has accepted it. */
  get port(): number | undefined {
    return this.database.localPort;
  }

  onClose(listener: () => void): void {
    let open = 2;
    const closed = (): void => {
      if (--open === 0) listener();
    };
    this.client.on('close', closed);
    this.database.on('close', closed);
  }

  cut(): void {
    this.client.destroy();
    this.database.destroy();
  }

  cutOffDatabase(): void {
    this.database.destroy();
  }
}

/** Bytes arrive late, but in order. */
class SlowPipe {
  readonly #waiting: { readonly bytes: Buffer; readonly due: number }[] = [];

  constructor(private readonly to: Socket) {}

  send(bytes: Buffer, delayMs: number): void {
    if (delayMs === 0 && this.#waiting.length === 0) return void this.to.write(bytes);
    this.#waiting.push({ bytes, due: performance.now() + delayMs });
    if (this.#waiting.length === 1) setTimeout(() => this.#flush(), delayMs);
  }

  #flush(): void {
    const now = performance.now();
    while (this.#waiting[0] && this.#waiting[0].due <= now)
      this.to.write((this.#waiting.shift() as { bytes: Buffer }).bytes);
    if (this.#waiting[0]) setTimeout(() => this.#flush(), Math.max(1, this.#waiting[0].due - now));
  }
}

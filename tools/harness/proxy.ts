// A proxy between an API process and PostgreSQL that can slow, cut or silence connections, or lose a COMMIT.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Weather {
  /** Milliseconds, added in each direction. */
  delayMs: number;
  /** Bytes that each connection still receives from the database before the proxy cuts it. */
  bytesLeft: number;
  /** Whether COMMIT or its answer is lost; the proxy cuts the connection at that point. */
  commit: 'arrives' | 'is lost' | 'is not answered';
  /** The share of COMMITs to which this happens. */
  probability: number;
  /** After this many such COMMITs the others arrive. */
  commitsLeft: number;
  /** The proxy drops every byte and keeps the connections open. */
  isSilent: boolean;
  /** The proxy cuts every connection and accepts no new one. */
  isClosed: boolean;
}

const FAIR: Readonly<Weather> = {
  delayMs: 0,
  bytesLeft: Infinity,
  commit: 'arrives',
  probability: 1,
  commitsLeft: Infinity,
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

  /** The database's URL through this proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.hostname = '127.0.0.1';
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** The client ports that the database sees for the open connections. */
  get ports(): number[] {
    return [...this.#connections].flatMap(({ port }) => port ?? []);
  }

  /** @returns how many COMMITs or their answers were lost since the last call */
  takeCommitsLost(): number {
    const lost = this.#commitsLost;
    this.#commitsLost = 0;
    return lost;
  }

  /** Applies to open and to new connections; fields that are not given are back to normal. */
  set(weather: Partial<Weather>): void {
    this.#weather = { ...FAIR, ...weather };
    if (this.#weather.isClosed) this.#cutAll();
    for (const connection of this.#connections) connection.bytesLeft = this.#weather.bytesLeft;
  }

  /** Back to normal. Connections that lost bytes in the silence are out of step, so the proxy cuts them. */
  heal(): void {
    if (this.#weather.isSilent) this.#cutAll();
    this.#weather = { ...FAIR };
    for (const connection of this.#connections) connection.bytesLeft = Infinity;
  }

  /** Silences the open connections for good, as a failover does; new ones work. */
  halfOpen(): void {
    for (const connection of this.#connections) connection.isDead = true;
  }

  /** Closes the database's side of half-open connections, as its TCP keep-alive would in the end. */
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
    const database = connect(Number(this.#target.port || 5432), this.#target.hostname);
    const connection = new Connection(client, database, this.#weather.bytesLeft);
    this.#connections.add(connection);
    connection.onClose(() => this.#connections.delete(connection));
    client.on('data', (bytes) => {
      const weather = this.#weather;
      if (weather.isSilent || connection.isDead) return;
      if (weather.commit !== 'arrives' && isCommit(bytes) && Math.random() < weather.probability) {
        const isLost = weather.commit === 'is lost';
        this.#commitsLost++;
        if (--weather.commitsLeft === 0) weather.commit = 'arrives';
        if (isLost) return connection.cut();
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

/** COMMIT comes as text or as the name of a prepared statement. */
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
    // On a half-open connection neither side learns that the other one has gone.
    client.on('close', () => this.isDead || database.end());
    database.on('close', () => this.isDead || client.destroy());
  }

  /** undefined until the database accepts the connection. */
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

/** Delays bytes and keeps their order. */
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

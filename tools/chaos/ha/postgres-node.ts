// A PostgreSQL server: the primary, or a standby that replicates from it.

import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { signalWithChildren } from '../../harness/processes.js';
import { Proxy } from '../../harness/proxy.js';
import { freePort } from '../../harness/port.js';
import { Daemon, finish } from './daemon.js';

const USER = 'tokens';
const DATABASE = 'tokens';
const READY_MS = 20_000;

/** Settings of a durable database. The standby copies them from the primary. */
const SETTINGS = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
wal_level = replica
wal_log_hints = on
wal_keep_size = 256MB
synchronous_commit = on
wal_sender_timeout = 5s
max_connections = 60
`;

export interface NodeOptions {
  readonly name: string;
  /** The folder of the server's programs. */
  readonly bin: string;
  /** The folder for data, which belongs to the server's user. */
  readonly directory: string;
  readonly logs: string;
  readonly password: string;
}

export class PostgresNode {
  #daemon: Daemon | null = null;
  #feed: Proxy | null = null;

  private constructor(
    private readonly options: NodeOptions,
    readonly port: number,
  ) {}

  /** Creates and starts an empty primary. */
  static async primary(options: NodeOptions): Promise<PostgresNode> {
    const node = new PostgresNode(options, await freePort());
    const passwords = join(options.directory, 'password');
    writeFileSync(passwords, options.password, { mode: 0o644 });
    await node.#run(
      'initdb',
      '-D',
      node.#data,
      '-U',
      USER,
      '-A',
      'scram-sha-256',
      `--pwfile=${passwords}`,
      '-E',
      'UTF8',
      '--locale=C',
    );
    rmSync(passwords);
    appendFileSync(join(node.#data, 'postgresql.conf'), SETTINGS);
    await node.start();
    await node.query(`CREATE DATABASE ${DATABASE}`, [], 'postgres');
    return node;
  }

  /** Copies a primary and starts a standby that replicates from it. */
  static async standbyOf(primary: PostgresNode, options: NodeOptions): Promise<PostgresNode> {
    const node = new PostgresNode(options, await freePort());
    node.#feed = await Proxy.open(primary.url);
    await node.#run(
      'pg_basebackup',
      '-d',
      node.#feedOf(node.#feed),
      '-D',
      node.#data,
      '-X',
      'stream',
      '-c',
      'fast',
      '-R',
    );
    node.#waitForNobody();
    await node.start();
    return node;
  }

  get name(): string {
    return this.options.name;
  }

  get url(): string {
    return `postgres://${USER}:${this.options.password}@127.0.0.1:${this.port}/${DATABASE}`;
  }

  /** The proxy through which a standby replicates; only a standby has one. */
  get feed(): Proxy {
    return this.#feed as Proxy;
  }

  async start(): Promise<void> {
    const program = join(this.options.bin, 'postgres');
    const args = ['-D', this.#data, '-p', String(this.port)];
    this.#daemon = await Daemon.start({
      program,
      args,
      port: this.port,
      log: join(this.options.logs, `${this.name}.log`),
    });
    for (const deadline = Date.now() + READY_MS; ; await sleep(50)) {
      try {
        return void (await this.query('SELECT', [], 'postgres'));
      } catch (error) {
        if (Date.now() > deadline) throw new Error(`${this.name} does not get ready`, { cause: error });
      }
    }
  }

  /** Signals the server and each of its processes. */
  signal(signal: NodeJS.Signals): void {
    const pid = this.#daemon?.pid ?? 0;
    if (pid !== 0) signalWithChildren(pid, signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#daemon?.ended();
  }

  /** Resolves when it takes writes. */
  async promote(): Promise<void> {
    const [row] = await this.query<{ done: boolean }>('SELECT pg_promote(true, 20) AS done', [], 'postgres');
    if (!row?.done) throw new Error(`${this.name} could not be promoted`);
  }

  /** Lets commits wait for a standby. Waits first until it replicates, since otherwise every commit would hang. */
  async waitFor(standby: PostgresNode): Promise<void> {
    await this.#until(`SELECT FROM pg_stat_replication WHERE state = 'streaming'`);
    await this.query(`ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (${standby.name})'`, [], 'postgres');
    await this.query('SELECT pg_reload_conf()', [], 'postgres');
    await this.#until(`SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`);
  }

  /** Turns a dead old primary into a standby of the new one; what only the old one had is lost. */
  async followInstead(primary: PostgresNode): Promise<void> {
    await this.#feed?.close();
    this.#feed = await Proxy.open(primary.url);
    // pg_rewind looks for the new timeline in the last checkpoint, which may be older than the promotion.
    await primary.query('CHECKPOINT', [], 'postgres');
    // pg_rewind starts a killed server for a moment, so that it ends in order.
    await this.#run('pg_rewind', '-D', this.#data, `--source-server=${this.#feedOf(this.#feed)}`, '-R');
    this.#waitForNobody();
    await this.start();
  }

  async query<Row extends object>(sql: string, values: unknown[] = [], database = DATABASE): Promise<Row[]> {
    const client = await this.session(database);
    try {
      return (await client.query<Row>(sql, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** Opens a session, which the caller ends. */
  async session(database = DATABASE): Promise<Client> {
    const url = new URL(this.url);
    url.pathname = `/${database}`;
    const client = new Client({ connectionString: url.href, connectionTimeoutMillis: 1000, query_timeout: 25_000 });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async remove(): Promise<void> {
    await this.kill();
    await this.#feed?.close();
  }

  get #data(): string {
    return join(this.options.directory, this.name);
  }

  #run(program: string, ...args: string[]): Promise<void> {
    return finish(join(this.options.bin, program), args);
  }

  /** @returns libpq's connection string for replication */
  #feedOf(feed: Proxy): string {
    const { port } = new URL(feed.url);
    const { password, name } = this.options;
    return `host=127.0.0.1 port=${port} user=${USER} password=${password} dbname=postgres application_name=${name}`;
  }

  /** A copy would wait for the primary's standby, which is itself. PostgreSQL takes the last line of the file. */
  #waitForNobody(): void {
    appendFileSync(join(this.#data, 'postgresql.auto.conf'), `synchronous_standby_names = ''\n`);
  }

  async #until(sql: string): Promise<void> {
    for (const deadline = Date.now() + READY_MS; (await this.query(sql, [], 'postgres')).length === 0; await sleep(50))
      if (Date.now() > deadline) throw new Error(`${this.name}: never came true: ${sql}`);
  }
}

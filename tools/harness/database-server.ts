// A durable PostgreSQL for one run, which can be killed, stopped and restarted on the same port.

import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLocalPostgres, type LocalPostgres } from '@app/local-postgres';
import { Client } from 'pg';
import { signalIfThere, signalWithChildren } from './processes.js';

export class DatabaseServer {
  readonly #handles: LocalPostgres[] = [];

  private constructor(private readonly directory: string) {}

  static async start(): Promise<DatabaseServer> {
    const server = new DatabaseServer(await mkdtemp(join(tmpdir(), 'token-pool-chaos-')));
    await server.restart();
    return server;
  }

  get url(): string {
    return this.#handle.url;
  }

  get pid(): number {
    return this.#handle.pid;
  }

  get version(): string {
    return this.#handle.version;
  }

  /** Sends SIGKILL to the server and each of its processes, so that none writes what is only in memory. */
  async kill(): Promise<void> {
    const { pid } = this.#handle;
    signalWithChildren(pid, 'SIGKILL');
    await gone(pid);
  }

  /** `fast` rolls open transactions back and writes a checkpoint; `immediate` ends without one, as a crash does. */
  async stop(how: 'fast' | 'immediate'): Promise<void> {
    const { pid } = this.#handle;
    signalIfThere(pid, how === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await gone(pid);
  }

  /** Resolves when it is ready again. */
  async restart(): Promise<void> {
    const before = this.#handles.at(-1)?.url;
    this.#handles.push(await startLocalPostgres({ directory: this.directory }));
    if (before !== undefined && this.url !== before) throw new Error('PostgreSQL came back on another port');
  }

  /** Opens a session, which the caller ends. */
  async session(applicationName = 'chaos'): Promise<Client> {
    const client = new Client({ connectionString: this.url, application_name: applicationName });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
    const client = await this.session();
    try {
      return (await client.query<Row>(sql, values)).rows;
    } finally {
      await client.end();
    }
  }

  async remove(): Promise<void> {
    const { directory } = this.#handle;
    for (const handle of this.#handles) await handle.stop().catch(() => undefined);
    for (const path of [this.directory, directory]) rmSync(path, { recursive: true, force: true });
  }

  get #handle(): LocalPostgres {
    return this.#handles.at(-1) as LocalPostgres;
  }
}

async function gone(pid: number): Promise<void> {
  for (const deadline = Date.now() + 20_000; isAlive(pid); await sleep(5)) {
    if (Date.now() > deadline) throw new Error(`PostgreSQL (process ${pid}) does not end`);
  }
}

/** A zombie, whose parent has not read its exit code yet, counts as dead. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return process.platform !== 'linux';
  }
}

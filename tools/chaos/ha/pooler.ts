// Runs PgBouncer between the API and the current primary.

import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePort } from '../../harness/port.js';
import { Daemon } from './daemon.js';
import type { PostgresNode } from './postgres-node.js';

const SETTINGS = 'deploy/ha/pgbouncer.ini';

export class Pooler {
  private constructor(
    readonly url: string,
    private readonly daemon: Daemon,
    private readonly directory: string,
    private readonly port: number,
  ) {}

  static async start(program: string, directory: string, logs: string, primary: PostgresNode): Promise<Pooler> {
    const port = await freePort();
    const { username, password } = new URL(primary.url);
    copyFileSync(SETTINGS, join(directory, 'pgbouncer-settings.ini'));
    writeFileSync(join(directory, 'pgbouncer-users.txt'), `"${username}" "${password}"\n`);
    writeConfiguration(directory, port, primary);
    const args = [join(directory, 'pgbouncer.ini')];
    const daemon = await Daemon.start({ program, args, port, log: join(logs, 'pgbouncer.log') });
    const url = new URL(primary.url);
    url.port = String(port);
    return new Pooler(url.href, daemon, directory, port);
  }

  /**
   * Points to another primary. PgBouncer closes connections to the old one as they come free; those that hang there end
   * with the timeout of their clients. KILL and RESUME would end them at once, but PgBouncer crashes on KILL under load
   * (its issue 1401).
   */
  async pointTo(primary: PostgresNode): Promise<void> {
    writeConfiguration(this.directory, this.port, primary);
    const url = new URL(this.url);
    url.pathname = '/pgbouncer';
    const client = new Client({ connectionString: url.href });
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query('RELOAD');
    } finally {
      await client.end();
    }
  }

  async remove(): Promise<void> {
    await this.daemon.kill();
  }
}

function writeConfiguration(directory: string, port: number, primary: PostgresNode): void {
  const { username } = new URL(primary.url);
  writeFileSync(
    join(directory, 'pgbouncer.ini'),
    `[databases]
tokens = host=127.0.0.1 port=${primary.port} dbname=tokens

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_file = ${join(directory, 'pgbouncer-users.txt')}
admin_users = ${username}

%include ${join(directory, 'pgbouncer-settings.ini')}
`,
  );
}

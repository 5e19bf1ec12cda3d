// The built service on a database and a port of its own, for as long as something needs it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const MAIN = join(import.meta.dirname, '../../../dist/api/main.js');

/** @param work gets the URL of a fresh service @throws Error with what the service has printed when it does not start */
export async function withService(work) {
  const folder = mkdtempSync(join(tmpdir(), 'token-pool-clients-'));
  // PostgreSQL may run as another user.
  chmodSync(folder, 0o755);
  const port = await freePort();
  const { PATH, HOME } = process.env;
  const service = spawn(process.execPath, [MAIN], {
    cwd: folder,
    env: { PATH, HOME, PORT: String(port), LOG_FORMAT: 'json' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [service.stdout, service.stderr]) stream.on('data', (bytes) => (output += bytes));
  const ended = once(service, 'close');
  const url = `http://127.0.0.1:${port}`;
  try {
    while (!(await isReady(url))) {
      if (service.exitCode !== null) throw new Error(`the service ended instead of getting ready: ${output}`);
      await sleep(50);
    }
    return await work(url);
  } finally {
    service.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

const isReady = (url) =>
  fetch(`${url}/health/ready`).then(
    ({ ok }) => ok,
    () => false,
  );

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

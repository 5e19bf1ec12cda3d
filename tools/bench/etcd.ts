// Starts etcd where it is installed: one member on the same disk, used through its JSON gateway.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Resources } from './resources.js';
import type { Target } from './http-load.js';
import { freePort } from '../harness/port.js';
import { untilListening } from './server-process.js';

export interface Etcd {
  readonly version: string;
  /** Puts a key if it exists, as every write under a lock does. */
  readonly transaction: Target;
  readonly leaseGrant: Target;
  stop(): Promise<void>;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const KEY = base64('token-pool/default');

/** @returns null without etcd on the PATH */
export async function startEtcd(resources: Resources): Promise<Etcd | null> {
  const version = installedVersion();
  if (version === null) return null;
  const directory = mkdtempSync(join(tmpdir(), 'token-pool-bench-etcd-'));
  resources.add(() => rmSync(directory, { recursive: true, force: true }));
  const [clients, peers] = [await freePort(), await freePort()];
  const [url, peerUrl] = [`http://127.0.0.1:${clients}`, `http://127.0.0.1:${peers}`];
  const child = spawn(
    'etcd',
    [
      `--data-dir=${directory}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
      '--log-level=error',
    ],
    { stdio: 'ignore', cwd: directory },
  );
  const exit = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exit;
  };
  resources.add(stop);
  await untilListening(clients, child);
  await untilPut(url);
  const put = { key: KEY, value: base64('7d2f7a54-5b1c-4d0e-9c3a-1f2e3d4c5b6a') };
  const transaction = {
    compare: [{ key: KEY, target: 'CREATE', result: 'GREATER', create_revision: '0' }],
    success: [{ request_put: put }],
  };
  return {
    version,
    stop,
    transaction: { urls: [url], path: '/v3/kv/txn', body: JSON.stringify(transaction) },
    leaseGrant: { urls: [url], path: '/v3/lease/grant', body: JSON.stringify({ TTL: '86400', ID: '0' }) },
  };
}

/** etcd listens before it has elected itself, so this waits for the first write. */
async function untilPut(url: string): Promise<void> {
  const body = JSON.stringify({ key: KEY, value: base64('first') });
  for (;;) {
    const answer = await fetch(`${url}/v3/kv/put`, { method: 'POST', body });
    await answer.arrayBuffer();
    if (answer.ok) return;
  }
}

function installedVersion(): string | null {
  try {
    return /etcd Version: (\S+)/.exec(execFileSync('etcd', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
  } catch {
    return null;
  }
}

// What an answer costs in processor time: unlike a rate, it hardly depends on what else the machine does.

import type { Cluster } from './cluster.js';
import { cpuSeconds } from './cpu.js';
import { load, type Target } from './http-load.js';
import type { ServerProcess } from './server-process.js';

/** Of one answer, in microseconds. */
export interface ProcessorTime {
  readonly client: number;
  readonly server: number;
  /** Null where it cannot be told. */
  readonly postgres: number | null;
}

/** With 64 connections. */
export async function processorTime(
  cluster: Cluster,
  server: ServerProcess,
  target: Target,
  seconds: number,
): Promise<ProcessorTime> {
  const used = async () => ({
    client: process.cpuUsage().user + process.cpuUsage().system,
    server: (await server.vitals()).cpuMicros,
    postgres: seconds1e6(cpuSeconds(cluster.pid, true)),
  });
  const before = await used();
  const begun = performance.now();
  const { rate } = await load(target, 64, seconds);
  const requests = rate * ((performance.now() - begun) / 1000);
  const after = await used();
  const each = (field: 'client' | 'server') => (after[field] - before[field]) / requests;
  const postgres =
    after.postgres === null || before.postgres === null ? null : (after.postgres - before.postgres) / requests;
  return { client: each('client'), server: each('server'), postgres };
}

const seconds1e6 = (seconds: number | null): number | null => (seconds === null ? null : seconds * 1e6);

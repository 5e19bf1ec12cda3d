// Measures the processor time of an answer, which unlike a rate does not depend on other work of the machine.

import type { Cluster } from './cluster.js';
import { cpuSeconds } from '../harness/cpu.js';
import type { Measured, ProcessorTime } from './measured.js';
import { median } from '../harness/numbers.js';
import type { ServerProcess } from './server-process.js';

/** @param server null for a service in this process */
export async function withProcessorTime(
  cluster: Cluster,
  server: ServerProcess | null,
  work: () => Promise<Measured>,
): Promise<Measured & { readonly cpu: ProcessorTime }> {
  const used = async (): Promise<ProcessorTime> => {
    const { user, system } = process.cpuUsage();
    const [client, ofServer] = server ? [user + system, (await server.vitals()).cpuMicros] : [0, user + system];
    const seconds = cpuSeconds(cluster.pid);
    return { client, server: ofServer, postgres: seconds === null ? null : seconds * 1e6 };
  };
  const before = await used();
  const begun = performance.now();
  const measured = await work();
  const answers = measured.rate * ((performance.now() - begun) / 1000);
  const after = await used();
  const postgres = after.postgres === null || before.postgres === null ? null : after.postgres - before.postgres;
  const cpu = {
    client: (after.client - before.client) / answers,
    server: (after.server - before.server) / answers,
    postgres: postgres === null ? null : postgres / answers,
  };
  return { ...measured, cpu };
}

export const medianTime = (times: readonly ProcessorTime[]): ProcessorTime => ({
  client: median(times.map(({ client }) => client)),
  server: median(times.map(({ server }) => server)),
  postgres: times.some(({ postgres }) => postgres === null) ? null : median(times.map(({ postgres }) => postgres ?? 0)),
});

// What OpenTelemetry costs: the same service without it, and with it to a collector that takes everything, on the same
// machine like all else.

import type { Bench } from '../bench.js';
import { load } from '../http-load.js';
import { median } from '../numbers.js';
import { inRounds, type Row } from '../rounds.js';
import { startServer } from '../server-process.js';
import { LONG_SECONDS, USER } from '../service.js';

export const WITHOUT = 'without telemetry';

const SAMPLES = { 'metrics only': '0', 'one trace in a hundred': '0.01', 'one in ten': '0.1', 'every request': '1' };

export interface TelemetryResult {
  readonly rows: readonly Row[];
  /** Processor time of the service for an answer at 64 connections, in microseconds: what another process does matters less. */
  readonly cpu: readonly { readonly what: string; readonly micros: number }[];
}

export async function measureTelemetry({
  isShort,
  rounds,
  cluster,
  belongings,
  say,
  logFile,
}: Bench): Promise<TelemetryResult> {
  const collector = await startServer('collector', {}, logFile('collector'), belongings);
  const database = await cluster.createDatabase('telemetry');
  const start = (env: Record<string, string>) => {
    const all = { DATABASE_URL: database.url, TOKEN_TTL_SECONDS: String(LONG_SECONDS), ...env };
    return startServer('service', all, logFile('telemetry'), belongings);
  };
  const services = [{ what: WITHOUT, server: await start({}) }];
  for (const [what, share] of Object.entries(isShort ? { 'every request': '1' } : SAMPLES)) {
    const sampler = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: share };
    services.push({ what, server: await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...sampler }) });
  }
  const body = JSON.stringify({ user_id: USER });
  const asked = services.map(({ what, server }) => ({
    what,
    server,
    micros: [] as number[],
    target: { urls: [server.url], path: '/api/tokens/allocate', body },
  }));
  const seconds = isShort ? 0.5 : 4;
  for (const { what, target } of asked) {
    say(`warming up: ${what}`);
    await load(target, 64, isShort ? 0.4 : 3);
  }
  const cases = (isShort ? [64] : [1, 64]).flatMap((connections) =>
    asked.map(({ what, target, server, micros }) => ({
      what,
      at: connections,
      measure: async () => {
        const [before, begun] = [await server.vitals(), performance.now()];
        const measured = await load(target, connections, seconds);
        const answers = (measured.rate * (performance.now() - begun)) / 1000;
        if (connections === 64) micros.push(((await server.vitals()).cpuMicros - before.cpuMicros) / answers);
        return measured;
      },
    })),
  );
  const rows = await inRounds(rounds, cases, say);
  for (const { server } of services) await server.stop();
  await collector.stop();
  await database.drop();
  return { rows, cpu: asked.map(({ what, micros }) => ({ what, micros: median(micros) })) };
}

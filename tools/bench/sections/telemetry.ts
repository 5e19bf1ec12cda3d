// What OpenTelemetry costs: the same service without it, and with it to a collector that takes everything, on the same
// machine like all else.

import type { Bench } from '../bench.js';
import type { Row } from '../rounds.js';
import { startServer } from '../server-process.js';
import { LONG_SECONDS } from '../service.js';
import { overHttp, sideBySide } from '../side-by-side.js';

export const WITHOUT = 'without telemetry';

const SAMPLES = { 'metrics only': '0', 'one trace in a hundred': '0.01', 'one in ten': '0.1', 'every request': '1' };

export interface TelemetryResult {
  readonly rows: readonly Row[];
}

export async function measureTelemetry(bench: Bench): Promise<TelemetryResult> {
  const { isShort, cluster, belongings, logFile } = bench;
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
  const contenders = services.map(({ what, server }) => overHttp(what, server));
  const rows = await sideBySide(bench, contenders, isShort ? [64] : [1, 64]);
  for (const { server } of services) await server.stop();
  await collector.stop();
  await database.drop();
  return { rows };
}

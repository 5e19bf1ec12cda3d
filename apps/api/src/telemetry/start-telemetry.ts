// Starts the OpenTelemetry SDK, which reads the rest of its configuration from the OTEL_* variables. Only a dynamic
// import loads this file, because the SDK costs half a second and 30 MB.

import { setTimeout as sleep } from 'node:timers/promises';
import { api, core, metrics, NodeSDK, resources } from '@opentelemetry/sdk-node';
// The package does not export this function, which reads OTEL_EXPORTER_OTLP_PROTOCOL and all other exporter variables.
import { getOtlpMetricExporterFromEnv } from '@opentelemetry/sdk-node/build/src/utils.js';
import { DEFAULT_LIMITS } from '@app/tokens';
import type { Logger } from 'pino';
import { VERSION } from '../version.js';
import { MetricBridge } from './metric-bridge.js';
import { traceRequests } from './request-tracer.js';
import type { Telemetry } from './telemetry.js';
import { TransactionTracer } from './transaction-tracer.js';

const NAME = 'token-pool-service';

/** How long the shutdown waits for a collector, in milliseconds; well below the limit of an orderly shutdown. */
const SHUTDOWN_EXPORT_MS = 1500;
const EXPORT_INTERVAL_MS = 60_000;
const EXPORT_TIMEOUT_MS = 30_000;

export function startTelemetry(logger: Logger): Telemetry {
  const bridge = new MetricBridge(NAME);
  const sdk = new NodeSDK({
    resource: resources.defaultResource().merge(
      resources.resourceFromAttributes({
        'service.name': NAME,
        'service.version': VERSION,
      }),
    ),
    // No process detector: it would send the process's owner and arguments to the collector.
    resourceDetectors: [resources.envDetector, resources.hostDetector, resources.serviceInstanceIdDetector],
    metricReaders: readersOf(bridge),
    logRecordProcessors: [],
    // Requests and commands pass their spans on as values, which costs less than asynchronous context.
    contextManager: null as never,
    // The span of a batch links to each of its requests.
    spanLimits: { linkCountLimit: DEFAULT_LIMITS.batch },
  });
  sdk.start();
  logDiagnosticsTo(logger);
  const tracer = api.trace.getTracer(NAME);
  return {
    handlers: [traceRequests(tracer)],
    observers: [new TransactionTracer(tracer)],
    measure: (families) => bridge.connect(families),
    end: async () => {
      bridge.disconnectDatabase();
      const failed = (error: unknown): void => logger.warn({ reason: reasonOf(error) }, 'telemetry was not sent');
      await Promise.race([sdk.shutdown().catch(failed), sleep(SHUTDOWN_EXPORT_MS, undefined, { ref: false })]);
    },
  };
}

function readersOf(bridge: MetricBridge): metrics.IMetricReader[] {
  if (core.getStringListFromEnv('OTEL_METRICS_EXPORTER')?.includes('none')) return [];
  const exportIntervalMillis = core.getNumberFromEnv('OTEL_METRIC_EXPORT_INTERVAL') ?? EXPORT_INTERVAL_MS;
  const timeout = core.getNumberFromEnv('OTEL_METRIC_EXPORT_TIMEOUT') ?? EXPORT_TIMEOUT_MS;
  return [
    new metrics.PeriodicExportingMetricReader({
      exporter: getOtlpMetricExporterFromEnv(),
      metricProducers: [bridge],
      exportIntervalMillis,
      exportTimeoutMillis: Math.min(timeout, exportIntervalMillis),
    }),
  ];
}

/** Sends the SDK's own warnings and errors to the log, each as its first line. */
function logDiagnosticsTo(logger: Logger): void {
  const warn = (message: string): void => logger.warn({ reason: reasonOf(message) }, 'telemetry');
  const quiet = (): void => undefined;
  const options = { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true };
  api.diag.setLogger({ error: warn, warn, info: quiet, debug: quiet, verbose: quiet }, options);
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  try {
    return String((JSON.parse(text) as { message: unknown }).message);
  } catch {
    return text.split('\n', 1)[0] as string;
  }
}

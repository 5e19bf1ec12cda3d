// Translates the metrics of /metrics to OpenTelemetry, under the same names, whenever a metric reader collects.

import { api, core, metrics, resources } from '@opentelemetry/sdk-node';
import type { Family, Sample } from '../metrics/family.js';

type Families = (withDatabase: boolean) => Promise<Family[]>;
type Points<T> = metrics.DataPoint<T>[];

export class MetricBridge implements metrics.MetricProducer {
  readonly #began = core.hrTime();
  #families: Families = () => Promise.resolve([]);
  #hasDatabase = true;

  constructor(private readonly name: string) {}

  connect(families: Families): void {
    this.#families = families;
  }

  disconnectDatabase(): void {
    this.#hasDatabase = false;
  }

  async collect(): Promise<metrics.CollectionResult> {
    const families = await this.#families(this.#hasDatabase);
    const collected = families.map((family) => this.#metricOf(family));
    return {
      resourceMetrics: {
        resource: resources.emptyResource(),
        scopeMetrics: [{ scope: { name: this.name }, metrics: collected }],
      },
      errors: [],
    };
  }

  #metricOf({ name, help, type, samples }: Family): metrics.MetricData {
    const ofAll = {
      descriptor: { name, description: help, unit: '', valueType: api.ValueType.DOUBLE },
      aggregationTemporality: metrics.AggregationTemporality.CUMULATIVE,
    };
    const span = { startTime: this.#began, endTime: core.hrTime() };
    if (type === 'histogram') {
      const dataPoints = histograms(name, samples).map((point) => ({ ...span, ...point }));
      return { ...ofAll, dataPointType: metrics.DataPointType.HISTOGRAM, dataPoints };
    }
    const dataPoints: Points<number> = samples.map(({ labels, value }) => ({ ...span, attributes: labels, value }));
    return type === 'counter'
      ? { ...ofAll, dataPointType: metrics.DataPointType.SUM, isMonotonic: true, dataPoints }
      : { ...ofAll, dataPointType: metrics.DataPointType.GAUGE, dataPoints };
  }
}

interface Collected {
  readonly attributes: Sample['labels'];
  readonly boundaries: number[];
  /** For each boundary the number of values up to it; then the number of all values. */
  readonly upTo: number[];
  sum: number;
}

/**
 * Prometheus has one cumulative sample a bucket. OpenTelemetry has one point with all buckets, each of which counts its
 * own values only.
 */
function histograms(
  name: string,
  samples: readonly Sample[],
): Pick<Points<metrics.Histogram>[number], 'attributes' | 'value'>[] {
  const all = new Map<string, Collected>();
  for (const { metricName, labels, value } of samples) {
    const { le, ...attributes } = labels;
    const key = JSON.stringify(attributes);
    const one = all.get(key) ?? { attributes, boundaries: [], upTo: [], sum: 0 };
    all.set(key, one);
    if (metricName === `${name}_sum`) one.sum = value;
    if (metricName !== `${name}_bucket`) continue;
    one.upTo.push(value);
    if (le !== '+Inf') one.boundaries.push(Number(le));
  }
  return [...all.values()].map(({ attributes, boundaries, upTo, sum }) => {
    const counts = upTo.map((count, place) => count - (upTo[place - 1] ?? 0));
    return { attributes, value: { buckets: { boundaries, counts }, sum, count: upTo.at(-1) ?? 0 } };
  });
}

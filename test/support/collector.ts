// A collector of OpenTelemetry that keeps what it is sent: OTLP over HTTP, as JSON.
// https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md#otlphttp

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number; readonly doubleValue?: number };
}

interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly links: readonly { readonly spanId: string }[];
  readonly status: { readonly code?: number };
}

export interface Span {
  readonly trace: string;
  readonly id: string;
  readonly parent: string | undefined;
  readonly name: string;
  /** In milliseconds since the epoch. */
  readonly start: number;
  readonly ms: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Ids of spans. */
  readonly links: readonly string[];
  readonly hasFailed: boolean;
}

export interface Point {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly asDouble?: number;
  readonly count?: number;
  readonly sum?: number;
  readonly bucketCounts?: readonly number[];
  readonly explicitBounds?: readonly number[];
}

export interface Collector {
  readonly url: string;
  /** Everything, as it came. */
  received(): string;
  spans(): Span[];
  /** The points of each metric, as last told. */
  metrics(): Map<string, Point[]>;
  /** Attributes of the sender. */
  resource(): Readonly<Record<string, unknown>>;
  close(): void;
}

export async function startCollector(): Promise<Collector> {
  const received: { path: string; body: string }[] = [];
  const server = createServer((req, res) => {
    void text(req).then((body) => {
      received.push({ path: req.url as string, body });
      res.setHeader('content-type', 'application/json').end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sent = <T>(path: string): T[] =>
    received.filter((one) => one.path === path).map(({ body }) => JSON.parse(body) as T);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: () => received.map(({ body }) => body).join('\n'),
    spans: () =>
      sent<{ resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[] }>('/v1/traces')
        .flatMap(({ resourceSpans }) => resourceSpans)
        .flatMap(({ scopeSpans }) => scopeSpans)
        .flatMap(({ spans }) => spans)
        .map(readSpan),
    metrics: () => {
      const last = sent<{ resourceMetrics: { scopeMetrics: { metrics: SentMetric[] }[] }[] }>('/v1/metrics').at(-1);
      const metrics = last?.resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((one) => one.metrics));
      return new Map((metrics ?? []).map((metric) => [metric.name, pointsOf(metric)]));
    },
    resource: () => {
      const [first] = sent<{ resourceSpans: { resource: { attributes: Attribute[] } }[] }>('/v1/traces');
      return asRecord(first?.resourceSpans[0]?.resource.attributes ?? []);
    },
    close: () => void server.close().closeAllConnections(),
  };
}

type Points = { readonly dataPoints: readonly (Omit<Point, 'labels'> & { readonly attributes: Attribute[] })[] };

interface SentMetric {
  readonly name: string;
  readonly sum?: Points;
  readonly gauge?: Points;
  readonly histogram?: Points;
}

const pointsOf = ({ sum, gauge, histogram }: SentMetric): Point[] =>
  (sum ?? gauge ?? histogram)!.dataPoints.map(({ attributes, ...point }) => ({
    ...point,
    labels: asRecord(attributes),
  }));

const readSpan = (span: SentSpan): Span => ({
  trace: span.traceId,
  id: span.spanId,
  parent: span.parentSpanId,
  name: span.name,
  start: Number(span.startTimeUnixNano) / 1e6,
  ms: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
  attributes: asRecord(span.attributes),
  links: span.links.map(({ spanId }) => spanId),
  hasFailed: span.status.code === 2,
});

const asRecord = (attributes: readonly Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

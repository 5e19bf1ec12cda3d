// All metrics as text: the counts of this process, the current state in the database, and the process itself.

import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import {
  Executor,
  LineReader,
  LiveFeed,
  PoolReader,
  TOKEN_STATUSES,
  type LeaseAgesView,
  type LineAgesView,
  type PoolView,
  type TokenStatus,
} from '@app/tokens';
import { collectDefaultMetrics, Registry, type Histogram, type Metric } from 'prom-client';
import { Connections } from './connections.js';
import { by, type Family, type Sample } from './family.js';
import { HttpMetrics } from './http-metrics.js';
import { LineMetrics } from './line-metrics.js';
import { PoolMetrics } from './pool-metrics.js';
import { StreamMetrics } from './stream-metrics.js';
import { UpkeepMetrics } from './upkeep-metrics.js';

/** How long a scrape waits for the database: well below the timeout of Prometheus, which is 10 s by default. */
const PATIENCE_MS = 2000;

/** Memory, processor time, handles, garbage collection, and the delay of the event loop. */
const ofProcess = new Registry();
collectDefaultMetrics({ register: ofProcess });
const collections = ofProcess.getSingleMetric('nodejs_gc_duration_seconds') as Histogram<'kind'>;
for (const kind of ['minor', 'major', 'incremental', 'weakcb']) collections.zero({ kind });

interface Sight {
  readonly pools: readonly PoolView[];
  readonly ages: readonly LeaseAgesView[];
  readonly lines: readonly LineAgesView[];
}

@Injectable()
export class Exposition {
  #look: Promise<Sight | null> | undefined;

  constructor(
    private readonly pools: PoolMetrics,
    private readonly line: LineMetrics,
    private readonly upkeep: UpkeepMetrics,
    private readonly http: HttpMetrics,
    private readonly executor: Executor,
    private readonly reader: PoolReader,
    private readonly lines: LineReader,
    private readonly connections: Connections,
    private readonly streams: StreamMetrics,
    private readonly feed: LiveFeed,
  ) {}

  /** @param visible the pools to include; null: all */
  async text(visible: ReadonlySet<string> | null = null): Promise<string> {
    return Registry.merge([await this.#counted(true, visible), ofProcess]).metrics();
  }

  /**
   * The families of all pools.
   * @param withDatabase false leaves out what only the database can tell
   */
  async families(withDatabase: boolean): Promise<Family[]> {
    const metrics = await Registry.merge([await this.#counted(withDatabase, null), ofProcess]).getMetricsAsJSON();
    return metrics.map(({ name, help, type, values }) => ({ name, help, type, samples: values }) as unknown as Family);
  }

  async #counted(withDatabase: boolean, visible: ReadonlySet<string> | null): Promise<Registry> {
    const sight = withDatabase ? await this.#sight() : null;
    const names = sight?.pools.map(({ name }) => name) ?? [];
    this.pools.know(names);
    this.line.know(names);
    this.upkeep.know(names);
    const counted = new Registry();
    for (const family of [
      ...(withDatabase ? ofPools(sight) : []),
      ...this.pools.families((poolName) => this.executor.waitingFor(poolName)),
      ...this.line.families(),
      ...this.upkeep.families(),
      ...(withDatabase ? this.#ofDatabase(sight !== null) : []),
      ...this.http.families(),
      ...this.streams.families(this.feed.furthestBehind),
    ]) {
      counted.registerMetric(asMetric(visible === null ? family : withoutOthers(family, visible)));
    }
    return counted;
  }

  #sight(): Promise<Sight | null> {
    // Concurrent scrapes share one look, so that a slow database does not get more queries.
    this.#look ??= this.#lookAtDatabase().finally(() => (this.#look = undefined));
    return Promise.race([this.#look, sleep(PATIENCE_MS, null, { ref: false })]);
  }

  async #lookAtDatabase(): Promise<Sight | null> {
    try {
      const [pools, ages, lines] = await Promise.all([this.reader.pools(), this.reader.leaseAges(), this.lines.ages()]);
      return { pools, ages, lines };
    } catch {
      return null;
    }
  }

  #ofDatabase(isUp: boolean): Family[] {
    const { total, idle, waiting } = this.connections.use();
    const gauge = (name: string, help: string, value: number): Family => ({
      name,
      type: 'gauge',
      help,
      samples: [{ labels: {}, value }],
    });
    return [
      gauge('token_pool_database_up', '1 when the database answered in time, just now; else 0.', Number(isUp)),
      gauge('token_pool_database_connections', 'Connections of this process to the database.', total),
      gauge('token_pool_database_connections_idle', 'Those that nobody uses.', idle),
      gauge('token_pool_database_connections_waiting', 'Callers that wait for a connection.', waiting),
    ];
  }
}

const NO_TOKENS = Object.fromEntries(TOKEN_STATUSES.map((status) => [status, 0])) as Record<TokenStatus, number>;

/** What the database tells; without its answer there are no samples, since old ones would be wrong. */
function ofPools(sight: Sight | null): Family[] {
  const { pools = [], ages = [], lines = [] } = sight ?? {};
  const gauge = (name: string, help: string, samples: Sample[]): Family => ({ name, type: 'gauge', help, samples });
  const ofAges = (value: (view: LeaseAgesView) => number): Sample[] =>
    ages.map((view) => ({ labels: { pool: view.pool }, value: value(view) }));
  const ofLines = (value: (view: LineAgesView) => number): Sample[] => {
    const byPool = new Map(lines.map((view) => [view.pool, value(view)]));
    return pools.map(({ name }) => ({ labels: { pool: name }, value: byPool.get(name) ?? 0 }));
  };
  return [
    gauge(
      'token_pool_tokens',
      'Tokens that there are, by their status.',
      pools.flatMap(({ name, counts: { total: _, ...states } }) =>
        by('state', { ...NO_TOKENS, ...states }, { pool: name }),
      ),
    ),
    gauge(
      'token_pool_waiting',
      'Callers that wait in line.',
      ofLines(({ waiting }) => waiting),
    ),
    gauge(
      'token_pool_oldest_wait_seconds',
      'For how long the first of them waits; 0 when nobody does.',
      ofLines(({ oldest_wait_seconds }) => oldest_wait_seconds),
    ),
    gauge(
      'token_pool_oldest_active_lease_age_seconds',
      'How long ago the oldest active lease began; 0 without one.',
      ofAges(({ oldest_active_seconds }) => oldest_active_seconds),
    ),
    gauge(
      'token_pool_sweep_backlog',
      'Leases that are over and whose end is not written down yet.',
      ofAges(({ overdue }) => overdue),
    ),
    gauge(
      'token_pool_sweep_lag_seconds',
      'For how long the longest of them is over; 0 without one.',
      ofAges(({ overdue_seconds }) => overdue_seconds),
    ),
    gauge(
      'token_pool_clock_behind_seconds',
      'How far the clock of the database is behind the time of the pool, as it was set back or was ahead.',
      ofAges(({ clock_behind_seconds }) => clock_behind_seconds),
    ),
  ];
}

function withoutOthers(family: Family, visible: ReadonlySet<string>): Family {
  const samples = family.samples.filter(({ labels: { pool } }) => pool === undefined || visible.has(String(pool)));
  return { ...family, samples };
}

/** Has only what a registry uses of a metric. */
function asMetric({ name, type, help, samples }: Family): Metric {
  return { name, get: () => Promise.resolve({ name, type, help, values: samples }) } as unknown as Metric;
}

// The stored results as JSON, from which the page is generated. Sections may come from different runs.

import { loadavg } from 'node:os';
import type { Cluster } from './cluster.js';
import { commit, machine } from '../harness/surroundings.js';
import type { AuditResult } from './sections/audit.js';
import type { HttpResult } from './sections/http.js';
import type { LineResult } from './sections/line.js';
import type { ProcessResult } from './sections/process.js';
import type { ReleaseResult } from './sections/release.js';
import type { ScaleResult } from './sections/scale.js';
import type { SoakResult } from './sections/soak.js';
import type { SweepResult } from './sections/sweep.js';
import type { ThingsResult } from './sections/things.js';

export interface Results {
  http: HttpResult;
  process: ProcessResult;
  release: ReleaseResult;
  scale: ScaleResult;
  sweep: SweepResult;
  audit: AuditResult;
  soak: SoakResult;
  things: ThingsResult;
  line: LineResult;
}

export type SectionName = keyof Results;

export type BenchResult = {
  [Name in SectionName]?: { readonly about: About; readonly result: Results[Name] };
};

/** The circumstances of a section's run. */
export interface About {
  readonly begun: string;
  readonly seconds: number;
  readonly rounds: number;
  readonly isShort: boolean;
  readonly commit: string;
  readonly machine: string;
  readonly node: string;
  readonly postgres: Readonly<Record<string, string>>;
  readonly isEmbedded: boolean;
  /** The load average of the machine before the section. */
  readonly loadBefore: number;
}

export interface Beginning {
  readonly begun: string;
  readonly at: number;
  readonly load: number;
}

export const beginning = (): Beginning => ({
  begun: new Date().toISOString(),
  at: performance.now(),
  load: loadavg()[0] as number,
});

export function about({ begun, at, load }: Beginning, cluster: Cluster, rounds: number, isShort: boolean): About {
  return {
    begun,
    seconds: Math.round((performance.now() - at) / 1000),
    rounds,
    isShort,
    commit: commit(),
    machine: machine(),
    node: process.version,
    postgres: cluster.settings,
    isEmbedded: cluster.directory !== null,
    loadBefore: Math.round(load * 100) / 100,
  };
}

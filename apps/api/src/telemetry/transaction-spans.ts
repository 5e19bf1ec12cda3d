// A transaction as spans: how long it took to get the pool's lock, to decide, and to write.

import { api } from '@opentelemetry/sdk-node';
import type { Phases } from '@app/tokens';

/** As far as it came. The lock is asked for, had, and the pool read, by one round trip. */
export function tracePhases(tracer: api.Tracer, parent: api.Span, { began, locked, decided, ended }: Phases): void {
  const within = api.trace.setSpan(api.ROOT_CONTEXT, parent);
  const phase = (name: string, startTime: number, endTime: number, kind = api.SpanKind.CLIENT): void =>
    tracer
      .startSpan(name, { kind, startTime, attributes: kind === api.SpanKind.CLIENT ? DATABASE : {} }, within)
      .end(endTime);
  phase('lock', began, locked ?? ended);
  if (locked === null || decided === null) return;
  phase('decide', locked, decided, api.SpanKind.INTERNAL);
  phase('commit', decided, ended);
}

export const DATABASE = { 'db.system.name': 'postgresql' };

/** The same in figures, in milliseconds, for whoever does not see the spans. */
export const phaseAttributes = ({ began, locked, decided, ended, tries }: Phases): api.Attributes => ({
  'token_pool.lock_ms': rounded((locked ?? ended) - began),
  ...(decided === null ? {} : { 'token_pool.commit_ms': rounded(ended - decided) }),
  'token_pool.tries': tries,
});

/** To microseconds. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

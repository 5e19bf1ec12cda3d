// Creates the spans of a transaction when it is over: for each request the wait for its transaction, and the
// transaction itself with its phases (lock, decide, commit). The span of a batch belongs to the trace of its first
// traced request, and has links to all of them.

import { api } from '@opentelemetry/sdk-node';
import type { ObservedCommand, Observer, TransactionReport } from '@app/tokens';

type Phases = NonNullable<TransactionReport['phases']>;

const DATABASE = { 'db.system.name': 'postgresql' };

export class TransactionTracer implements Observer {
  constructor(private readonly tracer: api.Tracer) {}

  observe({ poolName, commands, outcome, phases }: TransactionReport): void {
    const traced = commands.filter(({ command }) => command.caller?.trace !== undefined);
    const host = traced[0];
    if (host === undefined) return;
    const ofPool = { 'token_pool.pool': poolName };
    const end = (span: api.Span, at: number): void => {
      if (outcome !== 'committed') span.setStatus({ code: api.SpanStatusCode.ERROR });
      span.end(at);
    };
    if (phases === null) {
      const now = performance.now();
      for (const one of traced) end(this.#wait(one, ofPool), now);
      return;
    }
    const ofTransaction = { ...ofPool, ...DATABASE, ...phaseAttributes(phases) };
    const ofBatch = { ...ofTransaction, 'token_pool.batch_size': commands.length };
    const isExclusive = host.command.isExclusive === true;
    const transaction = (one: ObservedCommand, links: api.Link[] = []): api.Span => {
      this.#wait(one, ofPool).end(phases.began);
      const attributes = isExclusive ? ofTransaction : ofBatch;
      const options = { kind: api.SpanKind.CLIENT, startTime: phases.began, attributes, links };
      return this.tracer.startSpan('transaction', options, contextOf(one));
    };
    const first = transaction(host);
    if (isExclusive) {
      this.#tracePhases(first, phases);
      end(first, phases.ended);
      return;
    }
    const links = traced.map((one) => ({ context: spanOf(one).spanContext() }));
    const batch = this.tracer.startSpan(
      'batch',
      { startTime: phases.began, attributes: ofBatch, links },
      within(first),
    );
    this.#tracePhases(batch, phases);
    end(batch, phases.ended);
    end(first, phases.ended);
    const link = { context: batch.spanContext() };
    for (const one of traced.slice(1)) end(transaction(one, [link]), phases.ended);
  }

  #wait(one: ObservedCommand, attributes: api.Attributes): api.Span {
    const options = {
      startTime: one.since,
      attributes: { ...attributes, 'token_pool.command': one.command.kind },
    };
    return this.tracer.startSpan('wait for batch', options, contextOf(one));
  }

  /** Creates a span for each phase that the transaction reached. One round trip takes the lock and reads the pool. */
  #tracePhases(parent: api.Span, { began, locked, decided, ended }: Phases): void {
    const phase = (name: string, startTime: number, endTime: number, kind = api.SpanKind.CLIENT): void => {
      const attributes = kind === api.SpanKind.CLIENT ? DATABASE : {};
      this.tracer.startSpan(name, { kind, startTime, attributes }, within(parent)).end(endTime);
    };
    phase('lock', began, locked ?? ended);
    if (locked === null || decided === null) return;
    phase('decide', locked, decided, api.SpanKind.INTERNAL);
    phase('commit', decided, ended);
  }
}

/** The durations of the phases, in milliseconds, for tools that show a span's attributes but not its children. */
const phaseAttributes = ({ began, locked, decided, ended, tries }: Phases): api.Attributes => ({
  'token_pool.lock_ms': rounded((locked ?? ended) - began),
  ...(decided === null ? {} : { 'token_pool.commit_ms': rounded(ended - decided) }),
  'token_pool.tries': tries,
});

/** Rounds milliseconds to microseconds. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** Only the request tracer sets `trace`, and always to a span. */
const spanOf = ({ command }: ObservedCommand): api.Span => command.caller!.trace as api.Span;

const within = (parent: api.Span): api.Context => api.trace.setSpan(api.ROOT_CONTEXT, parent);

const contextOf = (one: ObservedCommand): api.Context => within(spanOf(one));

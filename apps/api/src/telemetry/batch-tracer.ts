// Spans of batches, made when they are over. Each request shows for how long it waited for its batch, and the transaction
// that it then had a part in. The batch itself stands in the trace of one of its requests and is linked with all of them.

import { api } from '@opentelemetry/sdk-node';
import type { Batch, Observer } from '@app/tokens';
import { DATABASE, phaseAttributes, tracePhases } from './transaction-spans.js';

type Member = Batch['commands'][number];

export class BatchTracer implements Pick<Observer, 'decided' | 'failed'> {
  constructor(private readonly tracer: api.Tracer) {}

  decided(batch: Batch): void {
    this.#trace(batch, false);
  }

  failed(batch: Batch): void {
    this.#trace(batch, true);
  }

  #trace({ poolName, commands, phases }: Batch, hasFailed: boolean): void {
    const traced = commands.filter(({ command }) => command.caller.trace !== undefined);
    const host = traced[0];
    if (host === undefined) return;
    const ofPool = { 'token_pool.pool': poolName };
    const end = (span: api.Span, at: number): void => {
      if (hasFailed) span.setStatus({ code: api.SpanStatusCode.ERROR });
      span.end(at);
    };
    if (phases === null) {
      const now = performance.now();
      for (const member of traced) end(this.#wait(member, ofPool), now);
      return;
    }
    const attributes = { ...ofPool, ...DATABASE, 'token_pool.batch_size': commands.length, ...phaseAttributes(phases) };
    const transaction = (member: Member, links: api.Link[] = []): api.Span => {
      this.#wait(member, ofPool).end(phases.began);
      const options = { kind: api.SpanKind.CLIENT, startTime: phases.began, attributes, links };
      return this.tracer.startSpan('transaction', options, contextOf(member));
    };
    const first = transaction(host);
    const links = traced.map(({ command }) => ({ context: spanOf(command).spanContext() }));
    const within = api.trace.setSpan(api.ROOT_CONTEXT, first);
    const batch = this.tracer.startSpan('batch', { startTime: phases.began, attributes, links }, within);
    tracePhases(this.tracer, batch, phases);
    end(batch, phases.ended);
    end(first, phases.ended);
    const link = { context: batch.spanContext() };
    for (const member of traced.slice(1)) end(transaction(member, [link]), phases.ended);
  }

  #wait(member: Member, attributes: api.Attributes): api.Span {
    const options = {
      startTime: member.since,
      attributes: { ...attributes, 'token_pool.command': member.command.kind },
    };
    return this.tracer.startSpan('wait for batch', options, contextOf(member));
  }
}

/** Put there by the request tracer, and by nobody else. */
const spanOf = ({ caller }: Member['command']): api.Span => caller.trace as api.Span;

const contextOf = ({ command }: Member): api.Context => api.trace.setSpan(api.ROOT_CONTEXT, spanOf(command));

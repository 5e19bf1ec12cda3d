// Transactions on whole pools, which go through no queue, shown in the trace of the request that asked for them.

import { api } from '@opentelemetry/sdk-node';
import { Phases, type Caller, type Needs, type PoolPolicy, type TokenPool, type Transactions } from '@app/tokens';
import { DATABASE, phaseAttributes, tracePhases } from './transaction-spans.js';

type Decision<T> = (pool: TokenPool) => T;

export class TracedTransactions implements Transactions {
  constructor(
    private readonly transactions: Transactions,
    private readonly tracer: api.Tracer,
  ) {}

  change<T>(poolName: string, needs: Needs, decide: Decision<T>): Promise<T> {
    return this.#traced(poolName, decide, (deciding) => this.transactions.change(poolName, needs, deciding));
  }

  create<T>(policy: PoolPolicy, decide: Decision<T>): Promise<T> {
    return this.#traced(policy.name, decide, (deciding) => this.transactions.create(policy, deciding));
  }

  /** Whoever asks is known only to the decision: a transaction that never came so far is in no trace. */
  async #traced<T>(poolName: string, decide: Decision<T>, transact: (decide: Decision<T>) => Promise<T>): Promise<T> {
    const phases = new Phases();
    let caller: Caller | null = null;
    let hasFailed = true;
    try {
      const result = await transact((pool) =>
        phases.deciding(() => {
          try {
            return decide(pool);
          } finally {
            caller = pool.caller;
          }
        }),
      );
      hasFailed = false;
      return result;
    } finally {
      this.#told(poolName, caller, phases.end(), hasFailed);
    }
  }

  #told(poolName: string, caller: Caller | null, phases: Phases, hasFailed: boolean): void {
    if (caller?.trace === undefined) return;
    const within = api.trace.setSpan(api.ROOT_CONTEXT, caller.trace as api.Span);
    const attributes = { 'token_pool.pool': poolName, ...DATABASE, ...phaseAttributes(phases) };
    const options = { kind: api.SpanKind.CLIENT, startTime: phases.began, attributes };
    const span = this.tracer.startSpan('transaction', options, within);
    tracePhases(this.tracer, span, phases);
    if (hasFailed) span.setStatus({ code: api.SpanStatusCode.ERROR });
    span.end(phases.ended);
  }
}

// A repository whose transactions are shown in the trace of the request that asked for them: those on whole pools, which
// go through no queue.

import { api } from '@opentelemetry/sdk-node';
import { Phases, TokenPoolRepository, type Caller, type Needs, type PoolPolicy, type TokenPool } from '@app/tokens';
import { DATABASE, phaseAttributes, tracePhases } from './transaction-spans.js';

type Decision<T> = (pool: TokenPool) => T;

export class TracedTokenPoolRepository extends TokenPoolRepository {
  constructor(
    private readonly repository: TokenPoolRepository,
    private readonly tracer: api.Tracer,
  ) {
    super();
  }

  change<T>(poolName: string, needs: Needs, decide: Decision<T>): Promise<T> {
    return this.#traced(poolName, decide, (deciding) => this.repository.change(poolName, needs, deciding));
  }

  changeIfIdle<T>(poolName: string, needs: Needs, decide: Decision<T>): Promise<T | undefined> {
    return this.repository.changeIfIdle(poolName, needs, decide);
  }

  create<T>(policy: PoolPolicy, decide: Decision<T>): Promise<T> {
    return this.#traced(policy.name, decide, (deciding) => this.repository.create(policy, deciding));
  }

  forgetAnswers(poolName: string, most: number): Promise<number> {
    return this.repository.forgetAnswers(poolName, most);
  }

  makeRoom(): Promise<void> {
    return this.repository.makeRoom();
  }

  poolsToSweep(): Promise<string[]> {
    return this.repository.poolsToSweep();
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

// The only way to change a pool. The executor runs commands in one transaction a pool at a time. Commands for a pool
// that arrive while a transaction is under way share the next one. There is no timer, so no command waits when the pool
// is idle. An exclusive command keeps its place in the queue and has a transaction of its own.

import { decideBatch, type Outcome } from './batch.js';
import { Next, type Command } from './command.js';
import { callerGone, DomainError, type DomainErrorCode } from '../kernel/domain-error.js';
import { InvariantViolation } from '../kernel/invariant-violation.js';
import { together, type LoadSpec } from './load-spec.js';
import type { Observer, TransactionReport } from './observer.js';
import { Phases } from './phases.js';
import type { PoolPolicy } from '../pool/pool-policy.js';
import type { TokenPool } from '../pool/token-pool.js';
import { SharedUse } from './shared-use.js';
import type { TokenPoolRepository } from './token-pool-repository.js';

export interface ExecutorLimits {
  /** The most commands that may wait for one pool. The executor refuses further ones with `unavailable`. */
  readonly waiting: number;
  /** The most commands in one transaction. */
  readonly batch: number;
  /** The longest wait in milliseconds, after which the executor refuses a command with `unavailable`. */
  readonly patienceMs: number;
}

/** These limits make an overloaded pool refuse within seconds and hold a few megabytes at most. */
export const DEFAULT_LIMITS: ExecutorLimits = { waiting: 2000, batch: 200, patienceMs: 4000 };

/** The process counts as shared by pools for this many milliseconds after a command for another pool. */
const SHARED_MS = 1000;
/** The most commands in one transaction while pools share the process, so that its work delays others less. */
const SHARED_BATCH = 100;
/** The most callers of a batch that get their answers in one turn of the event loop while pools share the process. */
const ANSWERS_PER_TURN = 16;
/** The interval in milliseconds at which the executor refuses commands that have waited for too long. */
const LATE_EVERY_MS = 250;

/** Answers the callers of a batch; returns a promise when that takes several turns of the event loop. */
type Answer = () => Promise<void> | undefined | void;

type Transact = <T>(loads: LoadSpec, decide: (pool: TokenPool) => T) => Promise<T | undefined>;

interface Waiting {
  readonly command: Command<unknown>;
  readonly since: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** The transaction that it needs, where that is not a change of the pool that waits for its lock. */
  readonly transact: Transact | undefined;
}

export class Executor {
  /**
   * What waits for each pool that has a transaction under way, the oldest first. There is one transaction a pool and
   * process: if the process is suspended, PostgreSQL takes the pool's lock back after 2 s. If there were more
   * transactions, the next one would get the lock then, and the process would hold it for another 2 s without working
   * on it.
   */
  readonly #lanes = new Map<string, Waiting[]>();
  #lateTimer: NodeJS.Timeout | undefined;
  readonly #use = new SharedUse();

  constructor(
    private readonly pools: TokenPoolRepository,
    private readonly limits: ExecutorLimits = DEFAULT_LIMITS,
    private readonly observers: readonly Observer[] = [],
  ) {}

  /** The number of commands that wait for this pool, without those of the transaction under way. */
  waitingFor(poolName: string): number {
    return this.#lanes.get(poolName)?.length ?? 0;
  }

  /**
   * Resolves when the transaction of the command is committed, or the last of its transactions.
   * @throws DomainError of the command; `pool_not_found`; `unavailable` when too many commands wait or the pool is too
   * slow
   */
  submit<T>(poolName: string, command: Command<T>): Promise<T> {
    return this.#enqueue(poolName, command);
  }

  /**
   * As `submit` of an exclusive command, but without waiting. Returns undefined when another process has the lock of
   * the pool, when this process has a transaction of the pool under way or waiting, or when there is no such pool.
   */
  async tryRun<T>(poolName: string, command: Command<T>): Promise<T | undefined> {
    if (this.#lanes.has(poolName)) return undefined;
    return this.#enqueue(poolName, command, (loads, decide) => this.pools.changeIfIdle(poolName, loads, decide));
  }

  /**
   * Creates a pool and executes the command on it in one transaction. If the command is refused, there is no pool.
   * @throws DomainError of the command; `pool_exists`; `unavailable`
   */
  create<T>(policy: PoolPolicy, command: Command<T>): Promise<T> {
    return this.#enqueue(policy.name, command, (_, decide) => this.pools.create(policy, decide));
  }

  #enqueue<T>(poolName: string, command: Command<T>, transact?: Transact): Promise<T> {
    return new Promise((resolve, reject) => {
      const since = performance.now();
      this.#use.note(poolName);
      const waiting = { command, since, resolve: resolve as (value: unknown) => void, reject, transact };
      const lane = this.#lanes.get(poolName);
      if (!lane) {
        const lane = [waiting];
        this.#lanes.set(poolName, lane);
        void this.#serve(poolName, lane);
      } else if (lane.length < this.limits.waiting) {
        lane.push(waiting);
      } else {
        reject(overloaded(`${this.limits.waiting} commands are waiting for pool ${poolName}`));
      }
    });
  }

  async #serve(poolName: string, lane: Waiting[]): Promise<void> {
    this.#lateTimer ??= setInterval(() => this.#refuseAllLate(), LATE_EVERY_MS).unref();
    // Commands that arrive later in this turn of the event loop join the first batch.
    if (!isAlone(lane[0]!)) await new Promise(setImmediate);
    while (lane.length > 0) {
      const batch = this.#take(poolName, lane);
      const answer = batch.length === 0 ? () => undefined : await this.#execute(poolName, lane, batch);
      // With more to do the next transaction is sent first: the database works while these are answered.
      if (lane.length > 0) {
        setImmediate(() => void answer());
        continue;
      }
      // What callers ask after these answers goes together: the next transaction waits for the last of them.
      const answered = answer();
      if (answered) await answered;
    }
    this.#lanes.delete(poolName);
  }

  /** All lanes share one timer: a command that comes alone has a lane of its own, and would set and clear a timer. */
  #refuseAllLate(): void {
    for (const [poolName, lane] of this.#lanes) this.#refuseLate(poolName, lane);
    if (this.#lanes.size > 0) return;
    clearInterval(this.#lateTimer);
    this.#lateTimer = undefined;
  }

  /** The next commands that go together, without those whose callers do not wait any more. */
  #take(poolName: string, lane: Waiting[]): Waiting[] {
    this.#refuseLate(poolName, lane);
    let size = Math.min(1, lane.length);
    const most = Math.min(this.limits.batch, this.#isShared ? SHARED_BATCH : Infinity, lane.length);
    while (size < most && !isAlone(lane[0]!) && !isAlone(lane[size]!)) size++;
    const batch = lane.splice(0, size);
    const gone = batch.filter(({ command }) => command.isGone?.());
    if (gone.length === 0) return batch;
    this.#refuse(poolName, gone, callerGone());
    return batch.filter((waiting) => !gone.includes(waiting));
  }

  /** Whether there was a command for more than one pool within the last second. */
  get #isShared(): boolean {
    return this.#use.isWithin(SHARED_MS);
  }

  #refuseLate(poolName: string, lane: Waiting[]): void {
    const { patienceMs } = this.limits;
    const oldest = performance.now() - patienceMs;
    const inTime = lane.findIndex(({ since }) => since >= oldest);
    const late = lane.splice(0, inTime === -1 ? lane.length : inTime);
    if (late.length > 0) this.#refuse(poolName, late, overloaded(`the command waited for more than ${patienceMs} ms`));
  }

  /** Refuses these commands without a transaction. */
  #refuse(poolName: string, commands: readonly Waiting[], error: DomainError): void {
    const refusals = refusalsOf(commands, () => error);
    this.#report({ poolName, commands, refusals, outcome: 'not begun', phases: null });
    for (const { reject } of commands) reject(error);
  }

  /**
   * Commits a batch and returns the function that answers its callers. Deferred commands come first in the next batch.
   */
  async #execute(poolName: string, lane: Waiting[], batch: readonly Waiting[]): Promise<Answer> {
    const phases = new Phases();
    try {
      const decided = await this.#transact(poolName, batch, phases);
      phases.end();
      if (decided === undefined) return () => batch[0]!.resolve(undefined);
      const { pool, outcomes } = decided;
      const commands = batch.filter((_, place) => outcomes[place] !== 'deferred');
      if (commands.length < batch.length) lane.unshift(...batch.filter((_, place) => outcomes[place] === 'deferred'));
      return () => {
        const refusals = refusalsOf(batch, (place) => errorIn(outcomes[place]));
        this.#report({ poolName, commands, refusals, outcome: 'committed', phases, pool });
        return this.#settle(poolName, batch, outcomes);
      };
    } catch (error) {
      const outcome = error instanceof InvariantViolation ? 'violated' : 'failed';
      const refusals = refusalsOf(batch, () => error);
      this.#report({ poolName, commands: batch, refusals, outcome, phases: phases.end() });
      if (batch.length > 1 && !(error instanceof DomainError)) return this.#executeEach(poolName, lane, batch);
      return () => batch.forEach(({ reject }) => reject(error));
    }
  }

  /**
   * A transaction that failed for no reason of the domain's is rolled back; only the command to blame may fail for it.
   */
  async #executeEach(poolName: string, lane: Waiting[], batch: readonly Waiting[]): Promise<Answer> {
    for (const waiting of batch) await (await this.#execute(poolName, lane, [waiting]))();
    return () => undefined;
  }

  #transact(
    poolName: string,
    batch: readonly Waiting[],
    phases: Phases,
  ): Promise<{ pool: TokenPool; outcomes: Outcome[] } | undefined> {
    const commands = batch.map(({ command }) => command);
    const decide = (pool: TokenPool) => ({ pool, outcomes: phases.deciding(() => decideBatch(pool, commands)) });
    const [{ command, transact }] = batch as [Waiting];
    if (!isAlone(batch[0]!)) {
      return this.pools.change(poolName, together(commands.map((one) => one.loads)), decide);
    }
    if (!transact) return this.pools.change(poolName, command.loads, decide);
    return transact(command.loads, (pool) => {
      const decided = decide(pool);
      // A refused command must not leave a new pool.
      const [outcome] = decided.outcomes;
      if (typeof outcome === 'object' && 'error' in outcome) throw outcome.error;
      return decided;
    });
  }

  /**
   * Answers the callers. While pools share the process, it answers some in each turn of the event loop, because their
   * work on the answers must not delay everything else.
   * @returns a promise that resolves when all callers have their answers; undefined when they have them already
   */
  #settle(poolName: string, batch: readonly Waiting[], outcomes: readonly Outcome[]): Promise<void> | undefined {
    const now = this.#isShared ? Math.min(ANSWERS_PER_TURN, batch.length) : batch.length;
    for (let place = 0; place < now; place++) this.#settleOne(poolName, batch[place]!, outcomes[place]!);
    if (now === batch.length) return undefined;
    const [others, theirs] = [batch.slice(now), outcomes.slice(now)];
    return new Promise(setImmediate).then(() => this.#settle(poolName, others, theirs));
  }

  #settleOne(poolName: string, { resolve, reject }: Waiting, outcome: Outcome): void {
    if (outcome === 'deferred') return;
    if ('error' in outcome) reject(outcome.error);
    else if (outcome.value instanceof Next) resolve(afterCommit(this.#enqueue(poolName, outcome.value.command)));
    else resolve(outcome.value);
  }

  #report(report: TransactionReport): void {
    for (const observer of this.observers) observer.observe(report);
  }
}

/** @param errorAt the error of the command at a place, which is a refusal if it is a DomainError */
function refusalsOf(commands: readonly Waiting[], errorAt: (place: number) => unknown): DomainErrorCode[] {
  const refusals: DomainErrorCode[] = [];
  for (const [place, { command }] of commands.entries()) {
    const error = command.caller === null ? undefined : errorAt(place);
    if (error instanceof DomainError) refusals.push(error.code);
  }
  return refusals;
}

const errorIn = (outcome: Outcome | undefined): DomainError | undefined =>
  typeof outcome === 'object' && 'error' in outcome ? outcome.error : undefined;

const isAlone = ({ command, transact }: Waiting): boolean => command.isExclusive === true || transact !== undefined;

/** What fails when a part is committed already must not say that nothing was changed. */
export async function afterCommit<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'unavailable') throw error;
    const detail = 'the database was lost after a part was done; whether the rest is done is unknown';
    throw new DomainError('unavailable', detail, error.facts);
  }
}

const overloaded = (why: string): DomainError =>
  new DomainError('unavailable', `${why}; nothing was changed`, { retryAfterSeconds: 1 });

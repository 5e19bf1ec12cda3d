// Counts what this process does in the pools, after each commit.

import { Injectable } from '@nestjs/common';
import {
  DomainError,
  isEviction,
  type DomainErrorCode,
  type EndReason,
  type GrantReason,
  type Observer,
  type TokenPool,
  type TransactionReport,
} from '@app/tokens';
import { AGES, Distribution, LATENCIES } from './distribution.js';
import { by, type Family, type Sample } from './family.js';

/** The outcome of a keep-alive: granted, refused with a code, or failed because of a bug. */
type Renewal = 'renewed' | DomainErrorCode | 'internal_error';

/** The codes with which a pool refuses: an ended lease as `stale_lease`, which is answered as `lease_ended`. */
const REFUSALS = [
  'pool_exhausted',
  'quota_exceeded',
  'pool_limit_reached',
  'pool_is_fixed',
  'token_deleted',
  'token_in_use',
  'token_not_active',
  'stale_lease',
  'lease_handle_required',
  'not_renewable',
  'insufficient_scope',
  'idempotency_key_reused',
  'invalid_request',
  'unavailable',
] as const satisfies readonly DomainErrorCode[];

class PoolTally {
  readonly grants: Record<GrantReason, number> = {
    allocated: 0,
    allocated_after_eviction: 0,
    offered: 0,
    cleaning: 0,
  };
  readonly ends: Record<EndReason, number> = {
    released_by_client: 0,
    revoked: 0,
    undelivered: 0,
    lru_eviction: 0,
    over_share_eviction: 0,
    selected_eviction: 0,
    cleanup: 0,
    ttl_expired: 0,
    unclaimed: 0,
    deleted_by_client: 0,
    pool_deleted: 0,
  };
  readonly violations = { database: 0, audit: 0 };
  readonly refusals: Partial<Record<DomainErrorCode, number>> = Object.fromEntries(REFUSALS.map((code) => [code, 0]));
}

@Injectable()
export class PoolMetrics implements Observer {
  readonly #pools = new Map<string, PoolTally>();
  readonly #renewals: Partial<Record<Renewal, number>> = {
    renewed: 0,
    invalid_request: 0,
    lease_handle_required: 0,
    token_not_found: 0,
    token_not_active: 0,
    stale_lease: 0,
    not_renewable: 0,
    lease_ended: 0,
    token_deleted: 0,
    history_dropped: 0,
    idempotency_key_reused: 0,
    unavailable: 0,
    internal_error: 0,
  };
  readonly #batchSize = new Distribution([1, 2, 5, 10, 20, 50, 100, 200]);
  readonly #wait = new Distribution(LATENCIES);
  readonly #transaction = new Distribution(LATENCIES);
  readonly #expiryDelay = new Distribution(LATENCIES);
  readonly #victimAge = new Distribution(AGES);

  /** Shows these pools even when nothing happens in them. */
  know(poolNames: readonly string[]): void {
    for (const name of poolNames) this.#tallyOf(name);
  }

  observe({ poolName, commands, refusals, ...report }: TransactionReport): void {
    if (report.outcome === 'violated') this.#tallyOf(poolName).violations.database++;
    if (report.outcome !== 'committed') return this.#countRefusals(this.#pools.get(poolName), refusals);
    const { pool, phases } = report;
    this.#countRefusals(this.#tallyOf(poolName), refusals);
    this.#transaction.add((phases.ended - phases.began) / 1000);
    this.#count(pool);
    if (commands[0]?.command.isExclusive) return;
    this.#batchSize.add(commands.length);
    for (const { since } of commands) this.#wait.add((phases.began - since) / 1000);
  }

  #count({ policy, events, now }: TokenPool): void {
    const { grants, ends } = this.#tallyOf(policy.name);
    for (const { event, reason, occurredAt, lease } of events) {
      if (event === 'activated') grants[reason as GrantReason]++;
      else if (event === 'renewed') this.#countRenewal('renewed');
      else if (event === 'released' || event === 'expired') ends[reason as EndReason]++;
      if (event === 'expired') this.#expiryDelay.add((now - occurredAt) / 1_000_000);
      else if (isEviction(reason)) this.#victimAge.add((occurredAt - lease!.activatedAt) / 1_000_000);
    }
  }

  /** Callers may name pools that do not exist; those have no tally, so that nobody can make up labels. */
  #countRefusals(tally: PoolTally | undefined, refusals: readonly DomainErrorCode[]): void {
    if (tally === undefined) return;
    for (const code of refusals) tally.refusals[code] = (tally.refusals[code] ?? 0) + 1;
  }

  /** Counts the findings of an audit. */
  found(poolName: string, findings: number): void {
    this.#tallyOf(poolName).violations.audit += findings;
  }

  /** Counts the refusals of a keep-alive; its event counts a success. */
  async renewal<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#countRenewal(error instanceof DomainError ? error.code : 'internal_error');
      throw error;
    }
  }

  families(waitingFor: (poolName: string) => number): Family[] {
    const ofPools = (samples: (tally: PoolTally, pool: string) => Sample[]): Sample[] =>
      [...this.#pools].flatMap(([pool, tally]) => samples(tally, pool));
    const histogram = (name: string, help: string, values: Distribution): Family => ({
      name,
      type: 'histogram',
      help,
      samples: values.samples(name),
    });
    return [
      {
        name: 'token_pool_grants_total',
        type: 'counter',
        help: 'Leases granted.',
        samples: ofPools(({ grants }, pool) => by('reason', grants, { pool })),
      },
      {
        name: 'token_pool_ends_total',
        type: 'counter',
        help: 'Leases whose end was written down.',
        samples: ofPools(({ ends }, pool) => by('reason', ends, { pool })),
      },
      {
        name: 'token_pool_refusals_total',
        type: 'counter',
        help: 'Commands of callers that were refused, by the code.',
        samples: ofPools(({ refusals }, pool) => by('error', refusals as Record<DomainErrorCode, number>, { pool })),
      },
      {
        name: 'token_pool_renewals_total',
        type: 'counter',
        help: 'Keep-alives, by what came of them.',
        samples: by('outcome', this.#renewals as Record<Renewal, number>),
      },
      {
        name: 'token_pool_invariant_violations_total',
        type: 'counter',
        help: 'Transactions that the database refused by one of its rules, and findings of audits. Anything but 0 is a bug.',
        samples: ofPools(({ violations }, pool) => by('noticed_by', violations, { pool })),
      },
      {
        name: 'token_pool_queue_length',
        type: 'gauge',
        help: 'Commands that wait for the transaction after the one under way.',
        samples: ofPools((_, pool) => [{ labels: { pool }, value: waitingFor(pool) }]),
      },
      histogram('token_pool_queue_wait_seconds', 'From asking to the begin of the transaction.', this.#wait),
      histogram('token_pool_batch_size', 'Commands decided by one transaction.', this.#batchSize),
      histogram(
        'token_pool_transaction_duration_seconds',
        "Committed transactions, from asking for a connection to COMMIT's answer.",
        this.#transaction,
      ),
      histogram(
        'token_pool_expiry_delay_seconds',
        'How late expiries were written down, counted from their deadlines.',
        this.#expiryDelay,
      ),
      histogram('token_pool_victim_age_seconds', 'How old leases were when they were evicted.', this.#victimAge),
    ];
  }

  #tallyOf(poolName: string): PoolTally {
    let tally = this.#pools.get(poolName);
    if (!tally) this.#pools.set(poolName, (tally = new PoolTally()));
    return tally;
  }

  #countRenewal(outcome: Renewal): void {
    this.#renewals[outcome] = (this.#renewals[outcome] ?? 0) + 1;
  }
}

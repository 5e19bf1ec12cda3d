// Reads pools in memory. test/database/readers.spec.ts runs the same tests on it as on the PostgreSQL reader.

import { callerGone, poolDeleted, poolNotFound } from '../kernel/domain-error.js';
import { toWire } from '../pool/policy-fields.js';
import { isOverdue } from '../pool/token.js';
import { PoolReader } from '../reading/pool-reader.js';
import type { LeaseAgesView, PoolView } from '../reading/views.js';
import type { InMemoryTokenPoolRepository } from './in-memory-token-pool-repository.js';
import { tokenView } from './views.js';

export class InMemoryPoolReader extends PoolReader {
  constructor(
    private readonly repository: InMemoryTokenPoolRepository,
    private readonly gone?: AbortSignal,
  ) {
    super();
  }

  until(gone: AbortSignal): InMemoryPoolReader {
    return new InMemoryPoolReader(this.repository, gone);
  }

  async pools(names: ReadonlySet<string> | null = null): Promise<PoolView[]> {
    return this.#live()
      .filter((name) => names === null || names.has(name))
      .map((name) => this.#view(name));
  }

  async names(): Promise<string[]> {
    return this.#names();
  }

  async pool(poolName: string): Promise<PoolView> {
    if (!this.#names().includes(poolName)) throw poolNotFound(poolName);
    if (!this.#live().includes(poolName)) throw poolDeleted(poolName);
    return this.#view(poolName);
  }

  async leaseAges(): Promise<LeaseAgesView[]> {
    return this.#live().map((pool) => {
      const { tokens, now, clockBehind } = this.repository.look(pool);
      const leases = [...tokens.values()].flatMap(({ lease }) => lease ?? []);
      const overdue = leases.filter((lease) => isOverdue(lease, now));
      const running = leases.filter((lease) => !isOverdue(lease, now));
      return {
        pool,
        oldest_active_seconds: secondsSince(now, running.sort((a, b) => a.fence - b.fence)[0]?.activatedAt),
        overdue: overdue.length,
        overdue_seconds: secondsSince(now, overdue.sort((a, b) => a.expiresAt - b.expiresAt)[0]?.expiresAt),
        clock_behind_seconds: clockBehind / 1_000_000,
      };
    });
  }

  #live(): string[] {
    return this.#names().filter((name) => this.repository.look(name).state.life === 'live');
  }

  #names(): string[] {
    if (this.gone?.aborted) throw callerGone();
    return this.repository.poolNames.toSorted();
  }

  #view(poolName: string): PoolView {
    const { state, tokens, now } = this.repository.look(poolName);
    const { policy } = state;
    const counts = { total: tokens.size, available: 0, active: 0, cooling: 0, dirty: 0, cleaning: 0, disabled: 0 };
    for (const token of tokens.values()) counts[tokenView(poolName, token, now, false, null, state).status]++;
    return {
      name: policy.name,
      kind: policy.kind,
      ...toWire(policy),
      counts: state.hasUpkeep ? counts : { total: counts.total, available: counts.available, active: counts.active },
      last_seq: state.lastSeq,
    };
  }
}

const secondsSince = (now: number, instant = now): number => (now - instant) / 1_000_000;

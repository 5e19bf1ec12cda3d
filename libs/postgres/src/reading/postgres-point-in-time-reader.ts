// Reconstructs from the events what the service showed at a past instant.

import type { DataSource } from 'typeorm';
import {
  DomainError,
  historyDropped,
  PointInTimeReader,
  poolNotFound,
  tokenNotFound,
  type EndReason,
  type Attributes,
  type DisabledView,
  type Metadata,
  type OwnedDetails,
  type OwnedUse,
  type PoolView,
  type TokenStatus,
  type Whereabouts,
  type WirePolicy,
} from '@app/tokens';
import { Database } from '../connection/database.js';
import {
  COUNT_THEN,
  LAST_EVENT_THEN,
  PARTITION_THEN,
  POOL_THEN,
  SEQ_THEN,
  STATES_THEN,
  THING_THEN,
  TOKEN_UPKEEP_THEN,
  USES_THEN,
} from './past-statements.js';
import { LOCATE, SHOWN_USES } from './token-statements.js';

/** The most events to count where they hold no counters; that takes about a second. */
const MOST_COUNTED = 1_000_000;

interface LastEvent {
  readonly event: 'activated' | 'renewed' | 'released' | 'expired' | 'generated' | 'deleted';
  readonly user_id: string | null;
  readonly holder: string | null;
  readonly fence: number | null;
  readonly isOverdue: boolean | null;
  readonly activated_at: string | null;
  readonly expires_at: string | null;
  readonly key_id: string | null;
  readonly lease_metadata: Metadata | null;
}

type PoolThen = Omit<PoolView, 'counts'> &
  Counters & { readonly overdue: number; readonly policy_then: Partial<WirePolicy> | null };

interface ThingThen {
  readonly name: string | null;
  readonly attributes: Attributes | null;
}

type UpkeepThen = DisabledView & Pick<OwnedDetails, 'status' | 'available_at'>;

const IN_SERVICE = { available_at: null, disabled_reason: null, disabled_at: null, disabled_by: null };

const NO_COUNTS = { available: 0, active: 0, cooling: 0, dirty: 0, cleaning: 0, disabled: 0 };

interface Counters {
  readonly total: number | null;
  readonly leases: number | null;
}

export class PostgresPointInTimeReader extends PointInTimeReader {
  readonly #database: Database;

  constructor(
    private readonly source: DataSource,
    gone?: AbortSignal,
  ) {
    super();
    this.#database = new Database(source, gone);
  }

  until(gone: AbortSignal): PostgresPointInTimeReader {
    return new PostgresPointInTimeReader(this.source, gone);
  }

  async pool(name: string, at: string): Promise<PoolView> {
    const { seq, as_of } = await this.#then(name, at);
    const [row] = await this.#database.read<PoolThen>(POOL_THEN, [name, at, seq]);
    const { overdue, total: ofTotal, leases: ofLeases, policy_then, ...policy } = row!;
    const { total, leases } = await this.#counters(name, seq, { total: ofTotal, leases: ofLeases });
    const states = await this.#database.read<{ status: TokenStatus; number: number }>(STATES_THEN, [name, at, seq]);
    const active = leases - overdue;
    const counts =
      states.length === 0
        ? { total, available: total - active, active }
        : { total, ...NO_COUNTS, ...Object.fromEntries(states.map(({ status, number }) => [status, number])) };
    return { ...policy, ...policy_then, counts, last_seq: seq, as_of };
  }

  async token(id: string, at: string): Promise<OwnedDetails> {
    const [found] = await this.#database.read<Whereabouts>(LOCATE, [id]);
    if (!found) throw tokenNotFound(id);
    const { pool } = found;
    const { seq, as_of, begins } = await this.#then(pool, at);
    const [last] = await this.#database.read<LastEvent>(LAST_EVENT_THEN, [pool, at, id, seq]);
    // Either the token's last event by then was dropped, or the token did not exist: nothing tells which.
    if (!last && begins !== null)
      throw historyDropped(pool, begins, `the state of token ${id} at ${as_of} is no longer known`);
    if (!last) throw new DomainError('token_not_found', `there was no token ${id} at ${as_of}`);
    if (last.event === 'deleted') throw new DomainError('token_deleted', `token ${id} was deleted before ${as_of}`);
    const isOpen = last.event === 'activated' || last.event === 'renewed';
    const isActive = isOpen && last.isOverdue === false;
    const { user_id, holder, fence, activated_at, expires_at } = last;
    const ended = await this.#database.read<OwnedUse>(USES_THEN, [pool, at, id, seq, SHOWN_USES, fence ?? 0]);
    const [thing] = await this.#database.read<ThingThen>(THING_THEN, [pool, at, id, seq]);
    const [upkeep] = await this.#database.read<UpkeepThen>(TOKEN_UPKEEP_THEN, [pool, at, id, seq]);
    const open: OwnedUse[] = isOpen ? [openUse(last, isActive)] : [];
    return {
      id,
      pool,
      name: thing?.name ?? null,
      attributes: thing?.attributes ?? null,
      status: isActive ? 'active' : 'available',
      ...(upkeep ?? IN_SERVICE),
      active_user_id: isActive ? user_id : null,
      holder: isActive ? holder : null,
      last_activated_at: activated_at,
      expires_at: isActive ? expires_at : null,
      fence: isActive ? fence : null,
      lease_metadata: isActive ? last.lease_metadata : null,
      draining: null,
      current_user: isActive
        ? { user_id: user_id!, holder, activated_at: activated_at!, expires_at: expires_at! }
        : null,
      history: [...open, ...ended].slice(0, SHOWN_USES),
      key_id: isActive ? last.key_id : null,
      as_of,
    };
  }

  /** The pool's last event recorded by the instant. */
  async #then(pool: string, at: string): Promise<{ seq: number; as_of: string; begins: number | null }> {
    const [partition] = await this.#database.read<{ begins: string; ends: string }>(PARTITION_THEN, [at]);
    if (!partition) throw new DomainError('invalid_request', 'as_of must not be in the future');
    const values = [pool, at, partition.begins, partition.ends];
    const [then] = await this.#database.read<{
      seq: number;
      isFuture: boolean;
      as_of: string;
      begins: number | null;
    }>(SEQ_THEN, values);
    if (!then) throw poolNotFound(pool);
    if (then.isFuture) throw new DomainError('invalid_request', 'as_of must not be in the future');
    if (then.seq === 0 && then.begins !== null)
      throw historyDropped(pool, then.begins, `the state of the pool at ${then.as_of} is no longer known`);
    if (then.seq === 0) throw new DomainError('pool_not_found', `pool ${pool} had no token yet at ${then.as_of}`);
    return then;
  }

  async #counters(pool: string, seq: number, { total, leases }: Counters): Promise<{ total: number; leases: number }> {
    if (total !== null && leases !== null) return { total, leases };
    if (seq > MOST_COUNTED) {
      const why = `the ${seq} events up to as_of were written by a version without counters, and are too many to be counted`;
      throw new DomainError('invalid_request', why);
    }
    const [counted] = await this.#database.read<{ total: number; leases: number }>(COUNT_THEN, [pool, seq]);
    return counted!;
  }
}

const openUse = (
  { user_id, holder, fence, activated_at, expires_at, key_id }: LastEvent,
  isActive: boolean,
): OwnedUse => ({
  user_id: user_id!,
  holder,
  fence: fence!,
  started_at: activated_at!,
  ended_at: isActive ? null : expires_at,
  end_reason: isActive ? null : ('ttl_expired' satisfies EndReason),
  key_id,
});

// Compares the clients' histories with the audit. A success is in it exactly once and as answered; a refusal is not in
// it; a request of unknown outcome is in it at most once; and each event has a request that caused it.

import { SOMEBODY, type OwnedEvent } from '@app/tokens';
import type { Call, Operation, PoolHistory } from '../history.js';
import { isOk, isRefused, isUnknown } from '../load/recorder.js';
import { isOfKey } from './access.js';
import { disagreements, requestsOf } from './attempts.js';
import type { Callers } from './callers.js';
import type { Finding, Rule } from './finding.js';
import type { Wall } from './instants.js';
import { append, lastDeadline, type Grant, type Ledger } from './ledger.js';

/** An operation with its known place in the audit. */
export interface Placed {
  readonly operation: Operation;
  readonly seq: number;
}

type Of<Do extends Call['do']> = Extract<Call, { do: Do }>;

export class Answers {
  readonly findings: Finding[] = [];
  readonly placed: Placed[] = [];

  constructor(
    private readonly pool: PoolHistory,
    private readonly ledger: Ledger,
    private readonly wall: Wall,
    private readonly callers: Callers,
  ) {}

  check(): void {
    const by = new Map<Call['do'], Operation[]>();
    for (const request of requestsOf(this.pool.operations)) {
      append(by, request.operation.call.do, request.operation);
      for (const what of disagreements(request)) this.#add('answered', what);
    }
    this.#allocates(by.get('allocate') ?? []);
    this.#releases(by.get('release') ?? []);
    this.#keepAlives(by.get('keep-alive') ?? []);
    this.#generates(by.get('generate') ?? []);
    this.#deletes((by.get('delete') ?? []).filter(({ call }) => call.do === 'delete' && !call.whenFree));
    this.#cleanups(by.get('cleanup') ?? []);
  }

  #allocates(operations: readonly Operation[]): void {
    const known = new Map(operations.map((operation) => [operation.id, operation]));
    for (const operation of operations) {
      const grants = this.ledger.grantsOf.get(operation.id) ?? [];
      const [grant] = grants;
      if (grants.length > 1) this.#find('answered', operation, `was granted ${grants.length} leases`);
      if (isRefused(operation) && grant) this.#find('refused', operation, `but was granted fence ${grant.event.fence}`);
      if (isOk(operation) && !grant) this.#find('answered', operation, 'is not in the audit');
      if (!grant) continue;
      this.placed.push({ operation, seq: grant.event.seq });
      if (isOk(operation)) this.#compareGrant(operation, operation.call as Of<'allocate'>, grant);
    }
    for (const id of this.ledger.grantsOf.keys()) if (!known.has(id)) this.#unasked(`grant to "${id}"`, id);
  }

  #compareGrant(operation: Operation, call: Of<'allocate'>, { event, before }: Grant): void {
    const answer = operation.answer ?? {};
    if (call.short) return this.#expectSame(operation, { token: answer['token'] }, { token: event.token_id });
    const evicted = event.reason === 'allocated_after_eviction' ? before : undefined;
    const isEvictedSeen = !evicted || this.callers.sees(operation.by, evicted.key_id);
    this.#expectSame(
      operation,
      {
        token: answer['token_id'],
        user: answer['user_id'],
        fence: answer['fence'],
        from: answer['activated_at'],
        until: answer['expires_at'],
        evicted: (answer['evicted'] as { fence: number } | null)?.fence,
        evictedUser: (answer['evicted'] as { user_id: string } | null)?.user_id,
        lease: parseInt(String(answer['lease_id']).replaceAll('-', '').slice(0, 12), 16),
      },
      {
        token: event.token_id,
        user: call.user,
        fence: event.fence,
        from: event.occurred_at,
        until: event.expires_at,
        evicted: evicted?.fence,
        evictedUser: isEvictedSeen ? evicted?.user_id : SOMEBODY,
        lease: event.fence,
      },
    );
  }

  #releases(operations: readonly Operation[]): void {
    const claimed = new Map<number, Operation>();
    const perhaps = new Map<number, number>();
    const anonymous = new Map<string, { ok: number; perhaps: number }>();
    for (const operation of operations) {
      const { of, token } = operation.call as Of<'release'>;
      const grant = of === null ? undefined : this.ledger.grantOf(of);
      const fence = grant?.event.fence ?? 0;
      if (this.#isForeign(operation, grant)) this.#expectUnknown(operation);
      else if (isRefused(operation)) this.#expectOver(operation, grant);
      else if (of === null) {
        const count = anonymous.get(token) ?? { ok: 0, perhaps: 0 };
        anonymous.set(token, count);
        if (isOk(operation)) count.ok++;
        else count.perhaps++;
      } else if (isUnknown(operation)) perhaps.set(fence, (perhaps.get(fence) ?? 0) + 1);
      else if (grant?.end?.reason !== 'released_by_client')
        this.#find('answered', operation, `but fence ${fence} ended by ${grant?.end?.reason ?? 'nothing'}`);
      else if (claimed.has(fence)) this.#find('answered', operation, `and so was ${claimed.get(fence)?.id}`);
      else {
        claimed.set(fence, operation);
        this.placed.push({ operation, seq: grant.end.seq });
      }
    }
    // Only the token tells releases apart that name no lease.
    const tokens = new Set([...anonymous.keys(), ...this.ledger.releasedBy.keys()]);
    for (const token of tokens) {
      const rest = (this.ledger.releasedBy.get(token) ?? []).filter(({ fence }) => !claimed.has(fence ?? 0));
      const unexplained = rest.filter(({ fence }) => !perhaps.has(fence ?? 0)).length;
      const { ok, perhaps: maybe } = anonymous.get(token) ?? { ok: 0, perhaps: 0 };
      if (ok > rest.length)
        this.#add('answered', `token ${token}: ${ok} releases were answered, ${rest.length} are there`);
      if (unexplained > ok + maybe)
        this.#unasked(`releases of token ${token}`, `${unexplained}, of which ${ok + maybe} were asked for`);
    }
  }

  #keepAlives(operations: readonly Operation[]): void {
    const byFence = new Map<number, { ok: Operation[]; perhaps: number }>();
    for (const operation of operations) {
      const { of } = operation.call as Of<'keep-alive'>;
      const grant = this.ledger.grantOf(of);
      const fence = grant?.event.fence ?? 0;
      if (this.#isForeign(operation, grant)) {
        this.#expectUnknown(operation);
        continue;
      }
      if (isRefused(operation)) {
        if (operation.error !== 'not_renewable') this.#expectOver(operation, grant);
        continue;
      }
      const those = byFence.get(fence) ?? { ok: [], perhaps: 0 };
      byFence.set(fence, those);
      if (isOk(operation)) those.ok.push(operation);
      else those.perhaps++;
    }
    for (const [fence, { renewals }] of this.ledger.grants) {
      const { ok, perhaps } = byFence.get(fence) ?? { ok: [], perhaps: 0 };
      this.#matchRenewals(fence, renewals, ok, perhaps);
      byFence.delete(fence);
    }
    for (const { ok } of byFence.values())
      for (const operation of ok) this.#find('answered', operation, 'is of a lease that was never granted');
  }

  #matchRenewals(fence: number, renewals: readonly OwnedEvent[], ok: readonly Operation[], perhaps: number): void {
    const left = [...renewals];
    // Short answers hold no deadline, so they take the renewals that the other answers leave.
    const [short, long] = [ok.filter(({ call }) => isShort(call)), ok.filter(({ call }) => !isShort(call))];
    for (const operation of long) {
      const answer = operation.answer ?? {};
      const place = left.findIndex(({ expires_at }) => expires_at === answer['expires_at']);
      const [event] = place < 0 ? [] : left.splice(place, 1);
      if (!event) {
        this.#find('answered', operation, `fence ${fence} was not renewed until ${String(answer['expires_at'])}`);
        continue;
      }
      this.placed.push({ operation, seq: event.seq });
      const said = { token: answer['token_id'], user: answer['user_id'], fence: answer['fence'] };
      this.#expectSame(operation, said, { token: event.token_id, user: event.user_id, fence: event.fence });
    }
    if (left.length < short.length)
      this.#add('answered', `fence ${fence}: ${short.length} short renewals were answered, ${left.length} are there`);
    if (left.length > short.length + perhaps)
      this.#unasked(`renewals of fence ${fence}`, `${left.length}, of which ${short.length + perhaps} were asked for`);
  }

  #generates(operations: readonly Operation[]): void {
    const { kind, size } = this.pool.setting;
    // Imports put the things of a listed pool there.
    if (kind === 'listed') return;
    if (kind === 'fixed') {
      if (this.ledger.generated.size !== size || this.ledger.deleted.size > 0)
        this.#add('audit', `a fixed pool of ${size} has made ${this.ledger.generated.size} tokens`);
      return;
    }
    const answered = new Set<string>();
    for (const operation of operations.filter(isOk)) {
      const id = String(operation.answer?.['id'] ?? operation.answer?.['token']);
      const event = this.ledger.generated.get(id);
      if (!event) this.#find('answered', operation, `token ${id} is not in the audit`);
      else if (answered.has(id)) this.#find('answered', operation, `token ${id} was answered twice`);
      else this.placed.push({ operation, seq: event.seq });
      answered.add(id);
    }
    const perhaps = operations.filter(isUnknown).length;
    const others = [...this.ledger.generated.keys()].filter((id) => !answered.has(id)).length;
    if (others > perhaps) this.#unasked('tokens generated', `${others}, of which ${perhaps} may have been asked for`);
  }

  #deletes(operations: readonly Operation[]): void {
    const answered = new Map<string, Operation>();
    const perhaps = new Set<string>();
    for (const operation of operations) {
      const { token } = operation.call as Of<'delete'>;
      if (isUnknown(operation)) perhaps.add(token);
      if (!isOk(operation)) continue;
      const event = this.ledger.deleted.get(token);
      if (event?.reason !== 'deleted_by_client') this.#find('answered', operation, 'is not in the audit');
      else if (answered.has(token)) this.#find('answered', operation, `and so was ${answered.get(token)?.id}`);
      else this.placed.push({ operation, seq: event.seq });
      answered.set(token, operation);
    }
    for (const [token, { reason }] of this.ledger.deleted) {
      if (reason === 'deleted_by_client' && !answered.has(token) && !perhaps.has(token))
        this.#unasked(`token ${token} deleted`, 'by nobody');
    }
  }

  /**
   * In pools of this size a cleanup is one transaction, so that the ends that it records share one instant. The audit
   * does not say which ends belong to which cleanup. If an assignment exists, this finds it: the cleanups take their
   * first possible instant in the order of their answers.
   */
  #cleanups(operations: readonly Operation[]): void {
    const groups = new Map<string, OwnedEvent[]>();
    for (const event of this.ledger.cleanups) append(groups, event.recorded_at, event);
    const left = [...groups.values()];
    for (const operation of operations.filter(isOk).sort((a, b) => a.answered - b.answered)) {
      const released = operation.answer?.['released'];
      if (released === 0) continue;
      const place = left.findIndex((group) => group.length === released && this.#isDuring(operation, group[0]));
      const [group] = place < 0 ? [] : left.splice(place, 1);
      if (group) this.placed.push({ operation, seq: group.at(-1)?.seq ?? 0 });
      else this.#find('answered', operation, `no ${String(released)} leases were ended by it`);
    }
    const perhaps = operations.filter(isUnknown).length;
    if (left.length > perhaps) this.#unasked('cleanups', `${left.length}, of which ${perhaps} may have been asked for`);
  }

  #isDuring({ sent, answered }: Operation, event: OwnedEvent | undefined): boolean {
    const at = this.ledger.positions[event?.seq ?? 0]?.recordedAt ?? 0;
    return at >= this.wall.at(sent) - this.wall.tolerance && at <= this.wall.at(answered) + this.wall.tolerance;
  }

  #isForeign({ by }: Operation, grant: Grant | undefined): boolean {
    return grant !== undefined && !this.callers.sees(by, grant.event.key_id);
  }

  /** The service must treat a foreign lease as one that does not exist, and tell nothing of it. */
  #expectUnknown(operation: Operation): void {
    const { error = '' } = operation;
    if (isUnknown(operation) || isOfKey(operation) || UNKNOWN.has(error)) return;
    this.#find('access', operation, 'it is about a lease of another key');
  }

  /** A refusal is wrong while the lease runs; and what it says of the lease's end must be true. */
  #expectOver(operation: Operation, grant: Grant | undefined): void {
    const { status, error, answer } = operation;
    if (!grant || status === null || isOfKey(operation)) return;
    const until = this.wall.at(operation.answered) + this.wall.tolerance;
    const endedAt = grant.end ? (this.ledger.positions[grant.end.seq]?.recordedAt ?? 0) : Infinity;
    if (endedAt > until && lastDeadline(grant) > until)
      this.#find('refused', operation, `(${error}) although fence ${grant.event.fence} was open`);
    if (error === 'lease_ended')
      this.#expectSame(operation, answer ?? {}, { end_reason: grant.end?.reason, ended_at: grant.end?.occurred_at });
  }

  #expectSame(
    operation: Operation,
    said: Readonly<Record<string, unknown>>,
    recorded: Readonly<Record<string, unknown>>,
  ): void {
    for (const [field, value] of Object.entries(recorded)) {
      if (said[field] !== value)
        this.#find('answered', operation, `${field} is ${String(said[field])}, in the audit ${String(value)}`);
    }
  }

  #unasked(what: string, why: string): void {
    this.#add('unasked', `${what}: ${why}`);
  }

  #find(rule: Rule, { id, call, status, error }: Operation, what: string): void {
    this.#add(rule, `${call.do} ${id} was answered ${status ?? 'not at all'}${error ? ` ${error}` : ''}: ${what}`);
  }

  #add(rule: Rule, what: string): void {
    this.findings.push({ rule, what: `${this.pool.setting.name}: ${what}` });
  }
}

/** Errors for a request that names an unknown lease or a deleted token. */
const UNKNOWN: ReadonlySet<string> = new Set(['token_not_active', 'stale_lease', 'token_deleted', 'ECONNREFUSED']);

const isShort = (call: Call): boolean => 'short' in call && call.short === true;

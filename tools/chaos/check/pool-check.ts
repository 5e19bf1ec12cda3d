// Runs all checks of one pool.

import { asStored, Auditor, fromIso, type EventView, type OwnedEvent } from '@app/tokens';
import type { FinalState, Operation, PoolHistory } from '../history.js';
import { isOk } from '../load/recorder.js';
import { isOfKey } from './access.js';
import { Answers, type Placed } from './answers.js';
import type { Callers } from './callers.js';
import { checkFairness, isAtQuota, isEvictionBarred } from './fairness.js';
import type { Finding, Rule } from './finding.js';
import type { Wall } from './instants.js';
import { lastDeadline, Ledger } from './ledger.js';
import { Order } from './order.js';
import { checkThings, policyChanges, secretsInEvents } from './things.js';

export function checkPool(pool: PoolHistory, wall: Wall, callers: Callers): Finding[] {
  const ledger = new Ledger(pool.events);
  const answers = new Answers(pool, ledger, wall, callers);
  answers.check();
  const writes = answers.placed.map(({ operation, seq }) => ({ ...spanOf(operation), seq }));
  const reads = pool.operations.filter(isOk).flatMap((operation) => {
    const seq = operation.answer?.['last_seq'];
    return typeof seq === 'number' ? [{ ...spanOf(operation), seq }] : [];
  });
  const order = new Order(writes, reads);
  const what: [Rule, string[]][] = [
    ['audit', audited(pool)],
    ['audit', leasesAreShort(pool)],
    ['audit', pool.state === null ? ['there is no final state'] : stored(pool.state, ledger)],
    ['order', inOrder(answers.placed, order)],
    ['time', inTime(answers.placed, ledger, wall)],
    ['read', snapshots(pool, ledger, order, wall)],
    ['read', activeLists(pool, ledger, answers.placed, wall, callers)],
    ['read', feeds(pool)],
    ['access', shownEvents(pool, callers)],
    ['fair', checkFairness(pool, ledger)],
    ['audit', secretsInEvents(pool)],
    ['answered', checkThings(pool)],
    ['answered', policyChanges(pool)],
    ['refused', exhausted(pool, ledger, order, wall)],
    ['refused', forgotten(pool, ledger, order)],
  ];
  const named = what.flatMap(([rule, all]) => all.map((one) => ({ rule, what: `${pool.setting.name}: ${one}` })));
  return [...answers.findings, ...named];
}

const spanOf = ({ sent, answered }: Operation): { sent: number; answered: number } => ({ sent, answered });

/** Checks invariants 1 to 6 and 8, and compares the fold with the tokens that the API shows. */
export function audited({ setting, events, state }: PoolHistory): string[] {
  const auditor = new Auditor(setting.size, state?.restores);
  const ids = new Set<string>();
  for (const event of events) {
    auditor.add(asStored(event));
    ids.add(event.id);
  }
  const findings = [...auditor.finish()];
  if (ids.size !== events.length) findings.push(`${events.length - ids.size} events have the id of another`);
  if (state === null) return findings;
  const { counts, last_seq } = state.pool;
  const shown: Record<string, number> = { total: state.tokens.length, ...countBy(state.tokens) };
  for (const [status, counted] of Object.entries({ ...shown, ...counts }))
    if (counted !== (shown[status] ?? 0))
      findings.push(`counts are ${JSON.stringify(counts)}, but ${JSON.stringify(shown)} tokens are shown`);
  const newest = events.at(-1)?.seq ?? 0;
  if (last_seq !== newest) findings.push(`last_seq is ${last_seq}, but the newest event is ${newest}`);
  return [...findings, ...auditor.compare(state.tokens, shownAt(state))];
}

const countBy = (tokens: FinalState['tokens']): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { status } of tokens) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

const justBefore = (at: string | null | undefined): number => (at == null ? Infinity : fromIso(at) - 1);

/** @returns an instant at which the tokens were as shown: just before the next one is over, or has rested */
function shownAt({ tokens }: FinalState): number {
  return Math.min(...tokens.flatMap(({ expires_at, available_at }) => [expires_at, available_at].map(justBefore)));
}

function leasesAreShort({ setting, events }: PoolHistory): string[] {
  const most = setting.ttl_seconds * 1e6;
  return events
    .filter(({ event }) => event === 'activated' || event === 'renewed')
    .filter(({ occurred_at, expires_at }) => fromIso(expires_at ?? '') - fromIso(occurred_at) > most)
    .map(({ seq, expires_at }) => `seq ${seq}: a lease until ${expires_at} is longer than the pool allows`);
}

/** Compares the rows with the fold. Overdue leases without a recorded end are open in both. */
function stored({ rows }: FinalState, ledger: Ledger): string[] {
  const open = new Map(
    [...ledger.grants.values()].filter(({ end }) => end === null).map((grant) => [grant.event.token_id, grant]),
  );
  const findings = rows.flatMap(({ id, fence, user_id, expires_at }) => {
    const grant = open.get(id);
    open.delete(id);
    const isSame =
      fence === (grant?.event.fence ?? null) &&
      user_id === (grant?.event.user_id ?? null) &&
      (grant ? fromIso(expires_at ?? '') === lastDeadline(grant) : expires_at === null);
    return isSame ? [] : [`token ${id} is stored with fence ${fence}, the feed says ${grant?.event.fence ?? null}`];
  });
  return [...findings, ...[...open.keys()].map((id) => `token ${id} is held in the feed, but not stored`)];
}

function inOrder(placed: readonly Placed[], order: Order): string[] {
  return placed.flatMap(({ operation: { id, call, sent }, seq }) => {
    const floor = order.floor(sent);
    return seq > floor ? [] : [`${call.do} ${id} is seq ${seq}, but was sent when seq ${floor} had been answered`];
  });
}

function inTime(placed: readonly Placed[], ledger: Ledger, wall: Wall): string[] {
  return placed.flatMap(({ operation: { id, call, sent, answered }, seq }) => {
    const at = ledger.positions[seq]?.recordedAt ?? 0;
    const [early, late] = [wall.at(sent) - at, at - wall.at(answered)];
    if (early > wall.tolerance) return [`${call.do} ${id} was recorded ${Math.round(early)} µs before it was sent`];
    if (late > wall.tolerance) return [`${call.do} ${id} was recorded ${Math.round(late)} µs after it was answered`];
    return [];
  });
}

/** Checks invariant 2, and that each read sees what the service had answered before. */
function snapshots(pool: PoolHistory, ledger: Ledger, order: Order, wall: Wall): string[] {
  const open = openAt(
    pool.events,
    pool.operations.filter((operation) => operation.call.do === 'pool' && isOk(operation)),
  );
  return open.flatMap(({ operation: { id, sent, answered, answer }, deadlines }) => {
    const counts = answer?.['counts'] as { total: number; available: number; active: number };
    const seq = answer?.['last_seq'] as number;
    const total = ledger.positions[seq]?.tokens ?? -1;
    const most = deadlines.filter((deadline) => deadline > wall.at(sent) - wall.tolerance).length;
    const least = deadlines.filter((deadline) => deadline > wall.at(answered) + wall.tolerance).length;
    const findings = [];
    if (counts.available + counts.active !== counts.total || counts.total !== total)
      findings.push(`read ${id}: counts are ${JSON.stringify(counts)} at seq ${seq}, where there are ${total} tokens`);
    if (counts.active < least || counts.active > most)
      findings.push(`read ${id}: ${counts.active} leases are active at seq ${seq}, not ${least} to ${most}`);
    const floor = order.floor(sent);
    if (seq < floor) findings.push(`read ${id} saw seq ${seq}, when seq ${floor} had been answered`);
    return findings;
  });
}

/** Finds the deadlines of the leases that were open at the seq of each read, in one pass over the feed. */
function openAt(
  events: readonly EventView[],
  reads: readonly Operation[],
): { operation: Operation; deadlines: number[] }[] {
  const waiting = [...reads].sort((a, b) => seqOf(b) - seqOf(a));
  const deadlines = new Map<number | null, number>();
  const found: { operation: Operation; deadlines: number[] }[] = [];
  const take = (upTo: number): void => {
    for (let next = waiting.at(-1); next && seqOf(next) <= upTo; next = waiting.at(-1))
      found.push({ operation: waiting.pop() as Operation, deadlines: [...deadlines.values()] });
  };
  for (const { seq, event, fence, expires_at } of events) {
    take(seq - 1);
    if (event === 'activated' || event === 'renewed') deadlines.set(fence, fromIso(expires_at ?? ''));
    else deadlines.delete(fence);
  }
  take(Infinity);
  return found;
}

const seqOf = ({ answer }: Operation): number => answer?.['last_seq'] as number;

/** Checks invariant 7, and that each read sees what the service had answered before. */
function activeLists(
  pool: PoolHistory,
  ledger: Ledger,
  placed: readonly Placed[],
  wall: Wall,
  callers: Callers,
): string[] {
  const endedBy = new Map(placed.map(({ operation, seq }) => [seq, operation]));
  return pool.operations
    .filter((operation) => operation.call.do === 'active' && isOk(operation))
    .flatMap(({ id, by, sent, answer }) => {
      const tokens = answer?.['tokens'] as { id: string; active_user_id: string; fence: number; expires_at: string }[];
      return tokens.flatMap((token, place) => {
        const grant = ledger.grants.get(token.fence);
        const findings = [];
        const { event, renewals, end } = grant ?? {};
        const user = event && callers.sees(by, event.key_id) ? event.user_id : null;
        if (event?.token_id !== token.id || user !== token.active_user_id)
          findings.push(
            `list ${id} shows token ${token.id} with fence ${token.fence} of ${token.active_user_id}, not of ${user}`,
          );
        else if (![event, ...(renewals ?? [])].some(({ expires_at }) => expires_at === token.expires_at))
          findings.push(`list ${id} shows fence ${token.fence} until ${token.expires_at}, which is not in the audit`);
        if (fromIso(token.expires_at) < wall.at(sent) - wall.tolerance)
          findings.push(`list ${id} shows fence ${token.fence} as active, which was overdue since ${token.expires_at}`);
        const ending = end && endedBy.get(end.seq);
        if (ending && ending.answered < sent)
          findings.push(`list ${id} shows fence ${token.fence}, whose end (${ending.id}) had been answered`);
        if (place > 0 && token.fence < (tokens[place - 1]?.fence ?? 0)) findings.push(`list ${id} is not in order`);
        return findings;
      });
    });
}

/** A page may end early when the metadata of its events could be longer than 1 MB as text: 26 times what is stored. */
const FULL_PAGE_BYTES = 10_000;

/** Checks that a page of the feed has no gap and shows the events that are in the audit at the end. */
function feeds({ operations, events }: PoolHistory): string[] {
  return operations
    .filter((operation) => operation.call.do === 'feed' && isOk(operation))
    .flatMap(({ id, call, answer }) => {
      const after = call.do === 'feed' ? call.after : 0;
      const seqs = answer?.['seqs'] as number[];
      const upTo = Math.min(after + 1000, answer?.['last_seq'] as number);
      const last = seqs.at(-1) ?? after;
      const endsEarly = last < upTo && !(seqs.length > 0 && (answer?.['bytes'] as number) > FULL_PAGE_BYTES);
      const findings = [];
      if (seqs.some((seq, place) => seq !== after + place + 1) || endsEarly)
        findings.push(`feed ${id} has a gap: after ${after} up to ${upTo} there are ${seqs.length} events`);
      if (seqs.length > 0 && events[last - 1]?.id !== answer?.['last_id'])
        findings.push(`feed ${id} showed another event at seq ${last}`);
      return findings;
    });
}

/** Checks that the feed shows a user key only the leases of that key. An event without a lease is about nobody's. */
function shownEvents({ operations, events }: PoolHistory, callers: Callers): string[] {
  const bySeq = new Map(events.map((event) => [event.seq, event]));
  const isForeign = (by: Operation['by'], { fence = null, key_id = null }: Partial<OwnedEvent> = {}): boolean =>
    fence !== null && !callers.sees(by, key_id);
  return operations.flatMap(({ id, by, answer }) => {
    const foreign = ((answer?.['shown'] ?? []) as number[]).filter((seq) => isForeign(by, bySeq.get(seq)));
    return foreign.length > 0 ? [`feed ${id} showed ${by} whose lease seq ${foreign.join(', ')} is about`] : [];
  });
}

const FOR_WANT: ReadonlySet<string> = new Set(['pool_exhausted', 'pool_limit_reached', 'quota_exceeded']);

/** Checks that a refusal for lack of tokens or quota was true at some instant between request and answer. */
function exhausted(pool: PoolHistory, ledger: Ledger, order: Order, wall: Wall): string[] {
  return (
    pool.operations
      // Whether a selection had a free token depends on its attributes of then, and a token that is to go is no victim.
      .filter(({ error = '' }) => FOR_WANT.has(error) && pool.setting.kind !== 'listed')
      .flatMap(({ id, by = null, call, error, sent, answered }) => {
        const from = wall.at(sent) - wall.tolerance;
        const last = Math.min(order.ceiling(answered) - 1, pool.events.at(-1)?.seq ?? 0);
        for (let seq = order.floor(sent); seq <= last; seq++) {
          const position = ledger.positions[seq];
          if (!position) continue;
          const { tokens, leases, nextDeadline, recordedAt } = position;
          const at = Math.max(recordedAt, from) - wall.tolerance;
          const user = call.do === 'allocate' ? call.user : null;
          const running = (): typeof leases => leases.filter(({ until }) => until > at);
          const isTrue =
            error === 'pool_limit_reached'
              ? tokens >= pool.setting.size
              : error === 'quota_exceeded'
                ? isAtQuota(pool.setting, running(), user, by)
                : leases.length >= tokens && nextDeadline > at && isEvictionBarred(pool.setting, leases, at);
          if (isTrue) return [];
        }
        return [
          `${call.do} ${id} was refused (${error}) between seq ${order.floor(sent)} and ${last}, and that was not so`,
        ];
      })
  );
}

/** Checks that a repeated request with the idempotency key of a success gets that success, not a refusal. */
function forgotten({ operations }: PoolHistory, ledger: Ledger, order: Order): string[] {
  return operations.flatMap((operation) => {
    const { id, key, call, status, error, sent } = operation;
    const isRefusal = status !== null && status >= 400 && status < 500 && !isOfKey(operation);
    if (key === undefined || call.do !== 'allocate' || !isRefusal) return [];
    const grant = ledger.grantOf(key);
    const isOld = grant !== undefined && grant.event.seq <= order.floor(sent);
    return isOld ? [`allocate ${id} was refused (${error}), although its key had been granted`] : [];
  });
}

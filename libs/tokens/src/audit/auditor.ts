// Checks a pool's feed event by event against the invariants of the service, from the first event or from a snapshot.
// It shares no code with the aggregate that must keep these invariants.

import { AlikeTokens, isSelected } from './alike-tokens.js';
import {
  areSame,
  asText,
  Comparison,
  type FoldedThing,
  type FoldedToken,
  type FoldedUpkeep,
  type OpenLease,
} from './comparison.js';
import { Findings, nameOf } from './findings.js';
import { fromIso, toIso, type Instant } from '../kernel/instant.js';
import { LineJudge } from './line-judge.js';
import { HeldByUser, mostOf } from './held-by-user.js';
import { UpkeepJudge } from './upkeep-judge.js';
import {
  DELETE_REASONS,
  DISABLE_REASONS,
  END_REASONS,
  GRANT_REASONS,
  isEviction,
  isOfLine,
  isOfPool,
  isOfUpkeep,
  LEAVE_REASONS,
  SOIL_REASONS,
  type PolicyDifference,
} from '../pool/token-event.js';
import type {
  EventView,
  RestoreView,
  SnapshotTokenView,
  SnapshotUpkeepView,
  SnapshotView,
  StoredEventView,
  StoredPoolView,
  StoredTokenView,
} from '../reading/views.js';

const REASONS: Record<EventView['event'], readonly EventView['reason'][]> = {
  generated: [null],
  described: [null],
  activated: GRANT_REASONS,
  renewed: [null, 'claimed'],
  released: END_REASONS.filter((reason) => reason !== 'ttl_expired' && reason !== 'unclaimed'),
  expired: ['ttl_expired', 'unclaimed'],
  deleted: DELETE_REASONS,
  soiled: SOIL_REASONS,
  cleaned: [null],
  disabled: DISABLE_REASONS,
  enabled: [null],
  policy_changed: [null],
  pool_deleted: [null],
  pool_opened: [null],
  queued: [null],
  left: LEAVE_REASONS,
  promised: [null],
};

/** Converts an event of the API to what the auditor reads. */
export const asStored = (event: EventView): StoredEventView => ({
  ...event,
  occurred_at: fromIso(event.occurred_at),
  recorded_at: fromIso(event.recorded_at),
  expires_at: event.expires_at === null ? null : fromIso(event.expires_at),
});

/** What the auditor needs to know of the pool's row. */
type StoredAuditee = Pick<StoredPoolView, 'restores'> & { readonly policy: Pick<StoredPoolView['policy'], 'size'> };

export class Auditor {
  readonly #tokens = new Map<string, FoldedToken>();
  /** The open leases by fence, and so in the order of their grants. */
  readonly #open = new Map<number, OpenLease>();
  /**
   * Continues where it stopped: a new iterator would step over every entry that the map has deleted but not yet freed.
   */
  #fences = this.#open.keys();
  #oldest = 0;
  #seq = 0;
  #fence = 0;
  #recordedAt: Instant = 0;
  /** Null until the first eviction by share, so that other pools do not pay for it. */
  #held: HeldByUser | null = null;
  /** Null until the first eviction of a selection. */
  #alike: AlikeTokens | null = null;
  /** The open leases that were the oldest and were not evicted, because they are offered or their tokens leave. */
  readonly #spared = new Set<number>();
  #leavingTokens = 0;
  /** The token of each name. */
  readonly #names = new Map<string, string>();
  /** Whether the pool is listed; null while the feed has not told. Its first token tells, too. */
  #isListed: boolean | null = null;
  #lastEvictionAt: Instant = -Infinity;
  readonly #line: LineJudge;
  readonly #upkeep: UpkeepJudge;
  #offeredLeases = 0;
  #cleaningLeases = 0;
  /** At least how many tokens are disabled, held or not; 0 only if none is. */
  #disabledTokens = 0;
  #previous: StoredEventView | null = null;

  /** The fields of the policy whose value the feed has told, by their names on the wire. */
  readonly #policy = new Map<string, unknown>();
  /** The event that made the most tokens while the feed has not told the size, and their number. */
  #most: { readonly event: StoredEventView; readonly tokens: number } | null = null;
  /** Null while the feed has not told. */
  #isPoolDeleted: boolean | null;
  /** The token whose lease the last event ended, while it was to be deleted then, or the pool was above its size. */
  #mustGo: string | null = null;
  /** The restores by `after_seq`. Of several without an event between them the last one gives the next numbers. */
  readonly #restores = new Map<number, RestoreView>();

  /**
   * @param size the present size of the pool; it counts where the feed tells of no other
   * @param restores the recorded gaps of the numbers, oldest first; any other gap is a finding
   * @param begins the snapshot that stands for dropped events, without its tokens
   * @param findings receives the violations, each in words and with the seq of its event
   */
  constructor(
    private size: number,
    restores: readonly RestoreView[] = [],
    begins: Omit<SnapshotView, 'parts'> | null = null,
    readonly findings = new Findings(),
  ) {
    this.#isPoolDeleted = begins ? null : false;
    const find = (event: StoredEventView, what: string): void => this.#find(event, what);
    this.#line = new LineJudge(begins === null, find);
    this.#upkeep = new UpkeepJudge(this.#policy, find);
    if (begins) {
      this.#seq = begins.seq;
      this.#recordedAt = begins.recorded_at;
      this.#fence = begins.last_fence;
      this.#lastEvictionAt = begins.last_eviction_at ?? -Infinity;
    }
    this.#expectRestores(restores);
  }

  /** An auditor for a stored pool. It yields to the event loop between the parts of a snapshot of a million tokens. */
  static async of(
    { policy, restores, begins }: StoredAuditee & Pick<StoredPoolView, 'begins'>,
    findings?: Findings,
  ): Promise<Auditor> {
    const auditor = new Auditor(policy.size, restores, begins, findings);
    for await (const part of begins?.parts ?? []) {
      for (const token of part) auditor.#recall(token);
      await new Promise(setImmediate);
    }
    return auditor;
  }

  /** Takes over a newer row of the pool. Must be called before `add` with the events since then. */
  goOn({ policy, restores }: StoredAuditee): void {
    this.size = policy.size;
    this.#expectRestores(restores);
  }

  #expectRestores(restores: readonly RestoreView[]): void {
    for (const restore of restores) {
      if (restore.after_seq >= this.#seq) this.#restores.set(restore.after_seq, restore);
    }
  }

  /** The fence of the latest grant. */
  get fence(): number {
    return this.#fence;
  }

  /** How many offers came later than promised while the service was down. */
  get lateOffers(): number {
    return this.#line.late;
  }

  get events(): number {
    return this.#seq;
  }

  get tokens(): number {
    return this.#tokens.size;
  }

  get openLeases(): number {
    return this.#open.size;
  }

  /** The fields of the policy whose value the feed has told, by their names on the wire. */
  get policy(): ReadonlyMap<string, unknown> {
    return this.#policy;
  }

  /** Whether the pool is listed; null while the feed has not told. */
  get isListed(): boolean | null {
    return this.#isListed;
  }

  /** The pool's part of a snapshot after the last event. */
  get state(): Omit<SnapshotView, 'hash' | 'parts'> {
    return {
      seq: this.#seq,
      recorded_at: this.#recordedAt,
      last_fence: this.#fence,
      last_eviction_at: this.#lastEvictionAt === -Infinity ? null : this.#lastEvictionAt,
    };
  }

  /** The tokens of a snapshot after the last event, at most `most` at a time. */
  *tokensBy(most: number): Generator<SnapshotTokenView[]> {
    let part: SnapshotTokenView[] = [];
    for (const { id, thing, isLeaving, lease, lastActivatedAt, lastEndAt, upkeep } of this.#heldFirst()) {
      part.push({
        id,
        ...thing,
        ...(isLeaving && { leaving: true }),
        ...(upkeep && { upkeep: asSnapshot(upkeep) }),
        last_activated_at: lastActivatedAt,
        last_end_at: lastEndAt,
        lease: lease && {
          user_id: lease.userId,
          ...(lease.holder !== null && { holder: lease.holder }),
          ...(lease.isCleaning && { cleaning: true }),
          fence: lease.fence,
          expires_at: lease.expiresAt,
        },
      });
      if (part.length < most) continue;
      yield part;
      part = [];
    }
    if (part.length > 0) yield part;
  }

  /** The next event of the feed. */
  add(event: StoredEventView): void {
    this.#passRestore();
    this.#expect(event.seq === this.#seq + 1, event, `seq follows ${this.#seq}`);
    this.#expect(event.recorded_at >= this.#recordedAt, event, `was recorded before its predecessor`);
    this.#expect(event.occurred_at <= event.recorded_at, event, `was recorded before it occurred`);
    this.#expect(REASONS[event.event].includes(event.reason), event, `has reason ${event.reason}`);
    this.#expectNoSecret(event);
    this.#expectEvictionServed(event);
    this.#expectGone(event);
    this.#seq = event.seq;
    this.#recordedAt = event.recorded_at;
    this.#expectLife(event);
    const token = event.token_id === null ? undefined : this.#tokens.get(event.token_id);
    this.#line.add(event, token);
    this.#upkeep.add(event, token);
    if (event.token_id === null) this.#ofPool(event);
    else this.#ofToken(event, event.token_id);
    this.#previous = event;
  }

  #poolDeleted(event: StoredEventView): void {
    this.#expect(this.#tokens.size === 0, event, `leaves ${this.#tokens.size} tokens`);
    this.#isPoolDeleted = true;
    // The pool may be opened again as one of another kind.
    this.#isListed = null;
  }

  /**
   * No event may contain a secret. What the caller gave with a lease is the caller's own, and so are the names of
   * attributes.
   */
  #expectNoSecret({ metadata, ...event }: StoredEventView): void {
    if (event.event === 'activated' || metadata === null) return;
    for (const part of [metadata, metadata['before'], metadata['after']]) {
      if (typeof part !== 'object' || part === null) continue;
      for (const [key, value] of Object.entries(part)) {
        const isRight = part === metadata && event.event === 'described' && value === 'changed';
        if (key === 'sealed' || (key === 'secret' && !isRight)) this.#find({ ...event, metadata }, 'contains a secret');
      }
    }
  }

  /** A deleted pool does nothing until it is opened again, and only a deleted one is opened. */
  #expectLife(event: StoredEventView): void {
    const isOpening = event.event === 'pool_opened';
    // Whether it was deleted is not known of dropped events.
    const isRight = this.#isPoolDeleted === null || this.#isPoolDeleted === isOpening;
    this.#expect(isRight, event, isOpening ? 'opens a pool that is not deleted' : 'happens in a deleted pool');
    this.#isPoolDeleted = false;
  }

  #ofToken(event: StoredEventView, id: string): void {
    const token = this.#tokens.get(id);
    if (isOfPool(event.event)) this.#find(event, 'is about a token');
    else if (event.event === 'generated') this.#generated(event, id, token);
    else if (!token) this.#find(event, 'is about a token that does not exist');
    else if (event.event === 'deleted') this.#deleted(event, token);
    else if (event.event === 'activated') this.#activated(event, token);
    else if (event.event === 'renewed') this.#renewed(event, token);
    else if (event.event === 'described') this.#described(event, token);
    else if (isOfUpkeep(event.event)) this.#keptUp(event, token);
    else this.#ended(event, token);
  }

  #ofPool(event: StoredEventView): void {
    if (!isOfPool(event.event)) return this.#find(event, 'is about no token');
    if (isOfLine(event.event)) return;
    const {
      kind,
      before = {},
      after = {},
    } = (event.metadata ?? {}) as Partial<PolicyDifference> & { kind?: StoredPoolView['kind'] };
    if (kind !== undefined) this.#kindTold(event, kind);
    for (const [field, value] of Object.entries(before)) {
      const known = this.#policy.get(field);
      const isRight = known === undefined || known === value;
      this.#expect(isRight, event, `says that ${field} was ${String(value)}, and it was ${String(known)}`);
    }
    if (before.size !== undefined && this.#size === undefined) this.#judgeMost(before.size);
    // The end of a pool tells the whole policy of then.
    const told = event.event === 'pool_deleted' ? before : after;
    for (const [field, value] of Object.entries(told)) this.#policy.set(field, value);
    if (event.event === 'pool_deleted') this.#poolDeleted(event);
  }

  #kindTold(event: StoredEventView, kind: StoredPoolView['kind']): void {
    const isListed = kind === 'listed';
    const known = this.#policy.get('kind') ?? kind;
    const isRight = event.event === 'pool_opened' || (known === kind && (this.#isListed ?? isListed) === isListed);
    this.#expect(isRight, event, `says that the pool was ${kind}, and it was not`);
    this.#policy.set('kind', kind);
    this.#isListed = isListed;
  }

  /**
   * The differences between the fold of the feed and the tokens that the service shows, as of one instant. A token
   * whose lease is overdue by then counts as available, whether or not the end is recorded.
   */
  compare(shown: readonly StoredTokenView[], asOf: Instant): string[] {
    const comparison = this.comparison(asOf);
    comparison.add(shown);
    return comparison.finish().kept;
  }

  /** As `compare`, but page by page. `add` must not be called meanwhile. */
  comparison(asOf: Instant, findings = new Findings()): Comparison {
    return new Comparison(this.#tokens, asOf, findings);
  }

  /** Must be called once, after the last event. */
  finish(): string[] {
    for (const lease of this.#open.values()) this.#expectNotPassedOver(lease, null);
    this.#expectEvictionServed(null);
    this.#expectGone(null);
    this.#line.finish();
    this.#upkeep.finish();
    this.#passRestore();
    if (this.#size === undefined) this.#judgeMost(this.size);
    for (const seq of this.#restores.keys()) this.#find(null, `a restore after seq ${seq}, where there is no event`);
    return this.findings.kept;
  }

  #recall(view: SnapshotTokenView): void {
    const { id, name, attributes, leaving, last_activated_at, last_end_at, lease: of, upkeep } = view;
    const lease = of && {
      tokenId: id,
      userId: of.user_id,
      holder: of.holder ?? null,
      fence: of.fence,
      expiresAt: of.expires_at,
      ...(of.cleaning && { isCleaning: true }),
    };
    const thing = name === undefined ? null : { name, attributes: attributes ?? {} };
    const times = { lastActivatedAt: last_activated_at, lastEndAt: last_end_at };
    const folded = { id, thing, lease, isLeaving: leaving === true, ...times, comparedIn: 0, upkeep: recalled(upkeep) };
    this.#tokens.set(id, folded);
    this.#upkeep.recall(folded);
    if (lease?.isCleaning) this.#cleaningLeases++;
    if (folded.upkeep?.disabled) this.#disabledTokens++;
    if (lease) this.#open.set(lease.fence, lease);
    if (leaving) this.#leavingTokens++;
    if (name !== undefined) this.#names.set(name, id);
    this.#isListed = name !== undefined;
  }

  *#heldFirst(): Generator<FoldedToken> {
    for (const { tokenId } of this.#open.values()) yield this.#tokens.get(tokenId) as FoldedToken;
    for (const token of this.#tokens.values()) if (token.lease === null) yield token;
  }

  /** Where the pool was restored, its numbers go on as was written down then. */
  #passRestore(): void {
    const restore = this.#restores.get(this.#seq);
    if (!restore) return;
    this.#restores.delete(this.#seq);
    const { after_seq, after_fence, next_seq, next_fence } = restore;
    if (after_fence !== this.#fence)
      this.#find(null, `the restore after seq ${after_seq} says fence ${after_fence}, the feed says ${this.#fence}`);
    this.#seq = next_seq - 1;
    this.#fence = next_fence - 1;
  }

  /** The grant of the same token must follow an eviction at once. */
  #expectEvictionServed(next: StoredEventView | null): void {
    if (!this.#previous || !isEviction(this.#previous.reason)) return;
    const isServed = next?.event === 'activated' && next.token_id === this.#previous.token_id;
    this.#expect(isServed, this.#previous, 'evicts for nobody');
  }

  /**
   * The deletion of the same token must follow at once when a lease ends in a pool above its size, or the token was to
   * be deleted then.
   */
  #expectGone(next: StoredEventView | null): void {
    if (this.#mustGo === null || !this.#previous) return;
    const isGone = next?.event === 'deleted' && next.token_id === this.#mustGo;
    const isLeaving = this.#tokens.get(this.#mustGo)?.isLeaving === true;
    const otherwise = isLeaving
      ? 'leaves a token that was to be deleted'
      : 'leaves a token beyond the size of the pool';
    this.#expect(isGone, this.#previous, otherwise);
    this.#mustGo = null;
  }

  /** The size of the pool; undefined while the feed has not told it. */
  get #size(): number | undefined {
    return this.#policy.get('size') as number | undefined;
  }

  /** How many tokens the pool has beyond its size, as far as the feed has told that. */
  get #surplus(): number {
    return this.#tokens.size - (this.#size ?? Infinity);
  }

  #generated(event: StoredEventView, id: string, token: FoldedToken | undefined): void {
    this.#expect(!token, event, 'generates a token that exists');
    const thing = this.#thingOf(event);
    const never = { lease: null, isLeaving: false, lastActivatedAt: null, lastEndAt: 0, comparedIn: 0, upkeep: null };
    const made = { id, thing, ...never };
    if (token) this.#remove(token);
    this.#tokens.set(id, made);
    if (thing) this.#named(event, id, thing.name);
    this.#alike?.joined(made, event.occurred_at);
    const [tokens, size] = [this.#tokens.size, this.#size];
    if (size !== undefined) this.#expectSize(event, tokens, size);
    else if (tokens > (this.#most?.tokens ?? 0)) this.#most = { event, tokens };
  }

  /** What a token stands for in a listed pool; null in another one, whose tokens have no names. */
  #thingOf(event: StoredEventView): FoldedThing | null {
    const { name, attributes } = event.metadata ?? {};
    const hasName = typeof name === 'string';
    this.#isListed ??= hasName;
    const otherwise = hasName ? 'has a name in a pool that is not listed' : 'has no name in a listed pool';
    this.#expect(hasName === this.#isListed, event, otherwise);
    if (!hasName) return null;
    this.#expect(isObject(attributes), event, 'has no attributes');
    return { name, attributes: isObject(attributes) ? (attributes as FoldedThing['attributes']) : {} };
  }

  #named(event: StoredEventView, id: string, name: string): void {
    const other = this.#names.get(name);
    this.#expect(other === undefined || other === id, event, `takes the name ${name}, which token ${other} has`);
    this.#names.set(name, id);
  }

  #remove(token: FoldedToken): void {
    if (token.isLeaving) this.#leavingTokens--;
    this.#forget(token);
    this.#alike?.left(token);
    this.#tokens.delete(token.id);
  }

  #forget({ id, thing }: FoldedToken): void {
    if (thing && this.#names.get(thing.name) === id) this.#names.delete(thing.name);
  }

  #described(event: StoredEventView, token: FoldedToken): void {
    const { before, after, secret } = event.metadata ?? {};
    if (!isObject(before) || !isObject(after)) return this.#find(event, 'does not say what it changes');
    const known: Readonly<Record<string, unknown>> = { ...token.thing, draining: token.isLeaving };
    const fields = new Set([...Object.keys(before), ...Object.keys(after)]);
    this.#expect(fields.size > 0 || secret !== undefined, event, 'changes nothing');
    this.#expect(secret === undefined || token.thing !== null, event, 'changes the secret of a token without a name');
    for (const field of fields) {
      const [was, is, told] = [before[field], after[field], known[field]].map(asText);
      if (!Object.hasOwn(known, field)) this.#find(event, `changes ${field}, which the token does not have`);
      else if (!areSame(before[field], known[field])) {
        this.#find(event, `says that ${field} was ${was}, and it was ${told}`);
      }
      this.#expect(is !== undefined && !areSame(before[field], after[field]), event, `leaves ${field} as it was`);
    }
    const { name, attributes, draining } = after;
    if (token.thing) this.#describe(event, token, { ...token.thing, ...(after as Partial<FoldedThing>) });
    if (name !== undefined && typeof name !== 'string') this.#find(event, 'has no name');
    if (attributes !== undefined && !isObject(attributes)) this.#find(event, 'has no attributes');
    if (draining !== undefined) this.#drained(event, token, draining === true);
  }

  #describe(event: StoredEventView, token: FoldedToken, { name, attributes }: FoldedThing): void {
    this.#forget(token);
    this.#alike?.left(token);
    token.thing = { name, attributes };
    this.#named(event, token.id, name);
    this.#alike?.joined(token, event.occurred_at);
  }

  #drained(event: StoredEventView, token: FoldedToken, isLeaving: boolean): void {
    this.#expect(token.lease !== null, event, 'waits for the end of a lease that is not open');
    if (isLeaving !== token.isLeaving) this.#leavingTokens += isLeaving ? 1 : -1;
    token.isLeaving = isLeaving;
    if (token.lease && !isLeaving) this.#alike?.stays(token.lease);
  }

  /** The first change of the size tells what it was before, and the end of the feed that it was never changed. */
  #judgeMost(size: number): void {
    if (this.#most) this.#expectSize(this.#most.event, this.#most.tokens, size);
    this.#most = null;
  }

  #expectSize(event: StoredEventView, tokens: number, size: number): void {
    this.#expect(tokens <= size, event, `makes more than ${size} tokens`);
  }

  #deleted(event: StoredEventView, token: FoldedToken): void {
    this.#expect(token.lease === null, event, 'deletes a token that is held');
    const isRight = event.reason !== 'shrunk' || this.#size === undefined || this.#surplus > 0;
    this.#expect(isRight, event, 'deletes a token that is not beyond the size of the pool');
    this.#remove(token);
  }

  #activated(event: StoredEventView, token: FoldedToken): void {
    this.#expect(token.lease === null, event, 'hands out a token that is held');
    this.#expect(event.fence === this.#fence + 1, event, `fence ${event.fence} follows ${this.#fence}`);
    this.#expect(event.occurred_at >= token.lastEndAt, event, 'begins before the use before it ended');
    this.#expect(event.user_id !== null, event, 'is granted to nobody');
    const isPaused = this.#policy.get('status') === 'paused' && event.reason !== 'cleaning';
    this.#expect(!isPaused, event, 'is granted in a pool that is paused');
    const afterEviction = isEviction(this.#previous?.reason ?? null);
    const isPlain = event.reason === 'offered' || event.reason === 'cleaning';
    const isRight = isPlain || afterEviction === (event.reason === 'allocated_after_eviction');
    this.#expect(isRight, event, `has reason ${event.reason}`);
    const lease = {
      tokenId: token.id,
      userId: event.user_id ?? '',
      holder: event.holder,
      fence: event.fence ?? 0,
      expiresAt: event.expires_at ?? 0,
      ...(event.reason === 'offered' && { isOffered: true }),
      ...(event.reason === 'cleaning' && { isCleaning: true }),
    };
    if (event.reason === 'cleaning') this.#cleaningLeases++;
    if (event.reason === 'offered') this.#offeredLeases++;
    this.#expect(lease.expiresAt > event.occurred_at, event, 'has no deadline after its beginning');
    this.#fence = lease.fence;
    this.#open.set(lease.fence, lease);
    const size = this.#size ?? Infinity;
    this.#expect(this.#open.size <= size, event, `is granted beyond the size of ${size}`);
    this.#held?.granted(lease);
    if (token.lease) this.#alike?.ended(token.lease);
    this.#alike?.granted(lease);
    token.lease = lease;
    token.lastActivatedAt = event.occurred_at;
  }

  #renewed(event: StoredEventView, token: FoldedToken): void {
    const lease = this.#leaseOf(event, token);
    if (!lease) return;
    this.#expect(event.occurred_at < lease.expiresAt, event, 'renews a lease that was overdue');
    const isClaim = event.reason === 'claimed';
    const renewed = { ...lease, expiresAt: event.expires_at ?? 0, ...(isClaim && { isOffered: false }) };
    if (isClaim && lease.isOffered) this.#offeredLeases--;
    this.#expect(renewed.expiresAt > event.occurred_at, event, 'has no deadline after it');
    this.#open.set(lease.fence, renewed);
    token.lease = renewed;
    if (isClaim) this.#alike?.stays(renewed);
  }

  /** The UpkeepJudge has folded it. */
  #keptUp(event: StoredEventView, token: FoldedToken): void {
    if (event.event === 'disabled') this.#disabledTokens++;
    if (event.event !== 'enabled') return;
    this.#disabledTokens--;
    if (token.lease) this.#alike?.stays(token.lease);
  }

  #ended(event: StoredEventView, token: FoldedToken): void {
    const lease = this.#leaseOf(event, token);
    if (!lease) return;
    if (event.event === 'expired') {
      if (event.occurred_at !== lease.expiresAt)
        this.#find(event, `did not expire at its deadline ${toIso(lease.expiresAt)}`);
      this.#expectNotPassedOver(lease, event);
    } else {
      this.#expect(event.occurred_at < lease.expiresAt, event, 'releases a lease that was overdue');
      if (isEviction(event.reason)) this.#evicted(event, lease, token);
    }
    this.#open.delete(lease.fence);
    if (lease.isOffered) this.#offeredLeases--;
    if (lease.isCleaning) this.#cleaningLeases--;
    this.#held?.ended(lease);
    this.#alike?.ended(lease);
    if ((this.#surplus > 0 && event.reason !== 'pool_deleted') || token.isLeaving) this.#mustGo = token.id;
    token.lease = null;
    token.lastEndAt = event.occurred_at;
  }

  #evicted(event: StoredEventView, lease: OpenLease, token: FoldedToken): void {
    this.#expect(!token.isLeaving, event, 'evicts a lease with whose end the token is deleted');
    if (event.reason === 'selected_eviction') return this.#evictedOfSelection(event, lease, token);
    if (event.reason === 'lru_eviction') {
      const oldest = this.#oldestFence();
      this.#expect(lease.fence === oldest, event, `evicts fence ${lease.fence} while ${oldest} is the smallest`);
    } else this.#evictedOverShare(event, lease);
    // Free tokens may be kept for those who wait for certain ones.
    const keptBack = this.#upkeep.keptBack(event.occurred_at);
    const isFull = this.#open.size + keptBack === this.#tokens.size || this.#line.keepsTokens;
    this.#expect(isFull, event, 'evicts while a token is free');
    this.#lastEvictionAt = event.occurred_at;
  }

  /** Other tokens may be free, and others may be overdue: only those that are selected count. */
  #evictedOfSelection(event: StoredEventView, { fence }: OpenLease, { thing }: FoldedToken): void {
    const select = event.metadata?.['select'];
    if (!isObject(select)) return this.#find(event, 'does not say what was selected');
    const isOne = isSelected(thing?.attributes ?? {}, select);
    this.#expect(isOne, event, 'evicts a token that is not selected');
    this.#alike ??= new AlikeTokens(this.#tokens);
    const { oldestFence, free } = this.#alike.evicted(select, event.occurred_at);
    const isOldest = !isOne || fence === oldestFence;
    this.#expect(isOldest, event, `evicts fence ${fence} while ${oldestFence} is the smallest of those selected`);
    const keptBack = this.#upkeep.keptBack(event.occurred_at, ({ thing: of }) =>
      isSelected(of?.attributes ?? {}, select),
    );
    this.#expect(free === keptBack, event, 'evicts while a selected token is free');
  }

  /**
   * Also right for pools with protection: a protected first candidate stops the eviction, and no later one replaces it.
   */
  #evictedOverShare(event: StoredEventView, { userId, fence }: OpenLease): void {
    this.#held ??= new HeldByUser(this.#open.values());
    const held = this.#held.leasesOf(userId);
    const most =
      this.#leavingTokens + this.#offeredLeases + this.#cleaningLeases + this.#disabledTokens === 0
        ? this.#held.most()
        : mostOf(this.#open.values(), (lease) => !this.#isSpared(lease));
    this.#expect(
      held === most.leases,
      event,
      `evicts a lease of a user who has ${held} where another has ${most.leases}`,
    );
    const isOldest = held !== most.leases || fence === most.fence;
    this.#expect(isOldest, event, `evicts fence ${fence} while ${most.fence} is the smallest of who holds the most`);
  }

  /** The smallest fence, without the leases that are not evicted. */
  #oldestFence(): number | undefined {
    // In the order of their grants, and before all that the iterator has not met.
    for (const fence of this.#spared) {
      const lease = this.#open.get(fence);
      if (lease && !this.#isSpared(lease)) return fence;
      if (!lease) this.#spared.delete(fence);
    }
    for (let lease = this.#open.get(this.#oldest); !lease || this.#isSpared(lease);) {
      if (lease) this.#spared.add(lease.fence);
      const { done, value } = this.#fences.next();
      if (done) {
        // All leases are met. An iterator that has reached the end stays there, so later leases need a new one.
        this.#fences = this.#open.keys();
        return undefined;
      }
      this.#oldest = value;
      lease = this.#open.get(value);
    }
    return this.#oldest;
  }

  /** Whether a lease is not evicted: it is offered or a cleaning, or its token is deleted or disabled at its end. */
  #isSpared({ tokenId, isOffered, isCleaning }: OpenLease): boolean {
    const token = this.#tokens.get(tokenId);
    return isOffered === true || isCleaning === true || token?.isLeaving === true || token?.upkeep?.disabled != null;
  }

  /** An eviction between the deadline of this lease and its recorded end took another token while this one was free. */
  #expectNotPassedOver(lease: OpenLease, event: StoredEventView | null): void {
    if (lease.isCleaning || this.#tokens.get(lease.tokenId)?.upkeep?.disabled) return;
    const lastAt = Math.max(this.#lastEvictionAt, this.#alike?.evictedAt(lease.tokenId) ?? -Infinity);
    if (lastAt < lease.expiresAt) return;
    const [evictedAt, dueAt] = [toIso(lastAt), toIso(lease.expiresAt)];
    this.#find(event, `an eviction at ${evictedAt} passed over fence ${lease.fence}, overdue since ${dueAt}`);
  }

  #leaseOf(event: StoredEventView, token: FoldedToken): OpenLease | null {
    const { lease } = token;
    if (lease?.fence === event.fence && lease?.userId === event.user_id) return lease;
    this.#find(
      event,
      lease ? `is not about the open lease, fence ${lease.fence}` : 'is about a lease that is not open',
    );
    return null;
  }

  #expect(isRight: boolean, event: StoredEventView, otherwise: string): void {
    if (!isRight) this.#find(event, otherwise);
  }

  #find(event: StoredEventView | null, what: string): void {
    this.findings.add(event ? `${nameOf(event)}: ${what}` : what);
  }
}

const asSnapshot = ({ dirtySince, restsUntil, failedCleanings, disabled }: FoldedUpkeep): SnapshotUpkeepView => ({
  ...(dirtySince !== null && { dirty_since: dirtySince }),
  ...(restsUntil !== null && { rests_until: restsUntil }),
  ...(failedCleanings > 0 && { failed_cleanings: failedCleanings }),
  ...(disabled && { disabled }),
});

const recalled = (upkeep: SnapshotUpkeepView | undefined): FoldedUpkeep | null =>
  upkeep
    ? {
        dirtySince: upkeep.dirty_since ?? null,
        restsUntil: upkeep.rests_until ?? null,
        failedCleanings: upkeep.failed_cleanings ?? 0,
        disabled: upkeep.disabled ?? null,
      }
    : null;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

// Converts a pool's slice between rows and the domain. Rows hold instants as seconds in a double when PostgreSQL
// returns them, and as microseconds when it stores them.

import { randomUUID } from 'node:crypto';
import {
  fromWire,
  keepsBack,
  nextHash,
  NO_UPKEEP,
  OPEN,
  policyFields,
  SealedSecret,
  tokensOfSelection,
} from '@app/tokens';
import type {
  AttributeValue,
  Lease,
  LeaseCount,
  LineSlice,
  Instant,
  IdempotencyRecord,
  LoadSpec,
  PoolKind,
  PoolLife,
  PoolPolicy,
  PoolSlice,
  Selector,
  Thing,
  Token,
  TokenEvent,
  TokenPool,
  Upkeep,
  WirePolicy,
} from '@app/tokens';
import { bigints, booleans, jsons, texts, uuids, words } from '../connection/array-parameter.js';
import type { Value } from '../connection/pipeline.js';
import { isMissing, isOneOf } from '../schema/attributes-path.js';
import type { SelectionFloors } from './selection-floors.js';

/** A row of LOAD_SLICE. */
export interface SliceRow extends WirePolicy {
  kind: PoolKind;
  life: PoolLife;
  last_seq: string;
  last_fence: string;
  token_count: number;
  lease_count: number;
  last_place: string;
  open_tickets: number;
  /** Null in a pool that keeps no token back. */
  upkeep_seq: string | null;
  dirty_count: number;
  disabled_count: number;
  cleaning_count: number;
  /** In hexadecimal digits. */
  last_hash: string | null;
  hashed_seq: string;
  things_seq: string;
  now: number;
  /** Whether NOTE_CLOCK must run. */
  must_note_clock: boolean;
  next_expiry: number | null;
  tokens: TokenTuple[] | null;
  /** Only LOAD_COUNTED_SLICE returns these. */
  users?: LeaseCountTuple[] | null;
  keys?: LeaseCountTuple[] | null;
  /** Only LOAD_LISTED_SLICE returns it. */
  things?: ThingTuple[] | null;
  /** Only in a pool that may keep tokens back. */
  upkeep?: UpkeepTuple[] | null;
}

type UpkeepTuple = [
  tokenId: string,
  dirtySince: number | null,
  restsUntil: number | null,
  failedCleanings: number,
  uncleanUsers: string[],
  disabledReason: string | null,
  disabledAt: number | null,
  disabledBy: string | null,
  cleaningFence: number | null,
];

type ThingTuple = [tokenId: string, name: string, attributes: Record<string, AttributeValue>, sealed: string | null];

type LeaseCountTuple = [holder: string, leases: number, nextExpiry: number];

type TokenTuple = [
  id: string,
  userId: string | null,
  leaseId: string | null,
  keyId: string | null,
  fence: number | null,
  lastActivatedAt: number | null,
  expiresAt: number | null,
  freeSince: number | null,
  holder: string | null,
  leaving: boolean,
  // Only in a pool with a line.
  hardEndAt?: number | null,
  offeredTo?: string | null,
];

export const loadParameters = (name: string, loads: LoadSpec): Value[] => [
  name,
  uuids(loads.tokenIds),
  loads.due,
  loads.free,
  loads.oldest,
  loads.grants,
];

/** The parameters of LOAD_COUNTED_SLICE. */
export const countedParameters = (name: string, loads: LoadSpec): Value[] => [
  ...loadParameters(name, loads),
  uuids(loads.users),
  texts(loads.keys),
];

/** The parameters of a slice of a listed pool, of which commands name or select things. */
export function listedParameters(name: string, loads: LoadSpec, floors: SelectionFloors): Value[] {
  const selections = loads.selectors.flatMap((selector) => {
    const floor = floors.of(name, selector);
    return selectionsOf(name, selector).map((selection) => ({ ...selection, floor }));
  });
  const { free, grants, selecting } = loads;
  // Commands that select need no tokens but those of their selection. Beside others they count with these, whose tokens
  // they may take.
  const plain = grants > selecting ? loads : { ...loads, grants: 0, free: free - selecting };
  return [
    ...countedParameters(name, plain),
    texts(loads.names),
    jsons(selections.map(({ equal }) => equal)),
    tokensOfSelection(loads),
    loads.whole,
    texts(selections.map(({ path }) => path)),
    bigints(selections.map(({ floor }) => floor.fence)),
    bigints(selections.map(({ floor }) => floor.since)),
    bigints(selections.map(({ floor }) => floor.thingsSeq)),
    bigints(selections.map(({ floor }) => floor.lastSeq)),
  ];
}

/** The parameters of a slice of a pool that may keep tokens back, beside the others. */
export function upkeepParameters(name: string, loads: LoadSpec): Value[] {
  const selections = loads.dirtySelectors.flatMap((selector) => selectionsOf(name, selector));
  return [
    loads.dirty,
    jsons(selections.map(({ equal }) => equal)),
    texts(selections.map(({ path }) => path)),
    loads.keptBack,
    loads.soonest,
  ];
}

/** The most selections that one selector may become. */
const MOST_SELECTIONS = 16;

interface Selection {
  /** What the attributes contain; the pool is among them. */
  readonly equal: Readonly<Record<string, AttributeValue>>;
  /** A JSON path for the other conditions. */
  readonly path: string | null;
}

/**
 * A selector as selections of which one must match. A list of values becomes a selection for each value, as long as
 * these are not too many, because the index of attributes finds single values.
 */
function selectionsOf(pool: string, selector: Selector): Selection[] {
  let equals: Selection['equal'][] = [{ '@pool': pool }];
  const conditions: string[] = [];
  for (const [key, wanted] of Object.entries(selector)) {
    const values = Array.isArray(wanted) ? (wanted as AttributeValue[]) : [wanted as AttributeValue];
    if (wanted === null) conditions.push(isMissing(key));
    else if (equals.length * values.length <= MOST_SELECTIONS) {
      equals = equals.flatMap((equal) => values.map((value) => ({ ...equal, [key]: value })));
    } else conditions.push(isOneOf(key, values.map(asJson)));
  }
  const path = conditions.length === 0 ? null : conditions.join(' && ');
  return equals.map((equal) => ({ equal, path }));
}

const asJson = (value: AttributeValue): string => JSON.stringify(value);

export function toSlice(
  name: string,
  row: SliceRow,
  { users, keys }: LoadSpec,
  idempotencyRecords: readonly IdempotencyRecord[] = [],
  line?: LineSlice,
): PoolSlice {
  const policy = { name, kind: row.kind, ...fromWire(row) };
  return {
    line,
    idempotencyRecords,
    users: row.users === undefined ? undefined : leaseCounts(row.users, users),
    keys: row.keys === undefined ? undefined : leaseCounts(row.keys, keys),
    now: micros(row.now),
    nextExpiryAt: row.next_expiry === null ? null : micros(row.next_expiry),
    tokens: withUpkeep(withThings((row.tokens ?? []).map(toToken), row.things), row.upkeep),
    state: {
      policy,
      life: row.life,
      lastSeq: Number(row.last_seq),
      lastFence: Number(row.last_fence),
      tokenCount: row.token_count,
      leaseCount: row.lease_count,
      lastPlace: Number(row.last_place),
      openTickets: row.open_tickets,
      hasUpkeep: row.upkeep_seq !== null || keepsBack(policy),
      dirtyCount: row.dirty_count,
      disabledCount: row.disabled_count,
      cleaningCount: row.cleaning_count,
    },
  };
}

/** The lease counts of all holders that ask, also of those without leases, which have no row. */
function leaseCounts(held: readonly LeaseCountTuple[] | null, asking: readonly string[]): LeaseCount[] {
  const rows = (held ?? []).map(([holder, leases, nextExpiry]) => ({
    holder,
    leases,
    nextExpiryAt: micros(nextExpiry),
  }));
  const holders = new Set(rows.map(({ holder }) => holder));
  const others = [...new Set(asking)].filter((holder) => !holders.has(holder));
  return [...rows, ...others.map((holder) => ({ holder, leases: 0, nextExpiryAt: null }))];
}

function withThings(tokens: Token[], things: readonly ThingTuple[] | null | undefined): Token[] {
  if (!things) return tokens;
  const byToken = new Map(
    things.map(([tokenId, name, { '@pool': _, ...attributes }, sealed]) => {
      const secret = sealed === null ? null : new SealedSecret(Buffer.from(sealed, 'base64'));
      return [tokenId, { name, attributes, secret }];
    }),
  );
  for (const token of tokens) token.thing = byToken.get(token.id);
  return tokens;
}

function withUpkeep(tokens: Token[], rows: readonly UpkeepTuple[] | null | undefined): Token[] {
  if (!rows) return tokens;
  const byToken = new Map(rows.map((row) => [row[0], row]));
  for (const token of tokens) {
    const row = byToken.get(token.id);
    if (!row) continue;
    const [, dirty, rests, failedCleanings, uncleanUsers, reason, at, by, cleaningFence] = row;
    token.upkeep = {
      dirtySince: dirty === null ? null : micros(dirty),
      restsUntil: rests === null ? null : micros(rests),
      failedCleanings,
      uncleanUsers,
      disabled: reason === null ? null : { reason, at: micros(at!), by: by! },
    };
    if (token.lease && token.lease.fence === cleaningFence) token.lease = { ...token.lease, purpose: 'clean' };
  }
  return tokens;
}

function toToken([
  id,
  userId,
  leaseId,
  keyId,
  fence,
  lastActivatedAt,
  expiresAt,
  freeSince,
  holder,
  leaving,
  hardEndAt,
  offeredTo,
]: TokenTuple): Token {
  const activatedAt = lastActivatedAt === null ? null : micros(lastActivatedAt);
  return {
    id,
    isLeaving: leaving,
    lastActivatedAt: activatedAt,
    freeSince: freeSince === null ? 0 : micros(freeSince),
    lease:
      fence === null
        ? null
        : {
            userId: userId!,
            holder,
            leaseId: leaseId!,
            keyId,
            fence,
            activatedAt: activatedAt!,
            expiresAt: micros(expiresAt!),
            ...(hardEndAt && { hardEndAt: micros(hardEndAt) }),
            ...(offeredTo && { offeredTo }),
          },
  };
}

/**
 * The parameters of SAVE_SLICE, and the id of the last event, by which FIND_EVENT recognises the transaction.
 * @param hashBefore the hash of the pool's last event, in hexadecimal digits
 */
export function saveParameters(
  name: string,
  pool: TokenPool,
  hashBefore: string,
): { values: Value[]; lastEventId: string } {
  const touched = [...pool.changed].filter((token) => !pool.generated.has(token));
  const isNew = [...touched.map(() => false), ...[...pool.generated].map(() => true)];
  const tokens = [...touched, ...pool.generated];
  const { events, state } = pool;
  const eventIds = events.map(() => randomUUID());
  const values = [
    name,
    booleans(isNew),
    uuids(tokens.map((token) => token.id)),
    uuids(tokens.map((token) => token.lease && token.lease.userId)),
    uuids(tokens.map((token) => token.lease && token.lease.leaseId)),
    bigints(tokens.map((token) => token.lease && token.lease.fence)),
    bigints(tokens.map((token) => token.lastActivatedAt)),
    bigints(tokens.map((token) => token.lease && token.lease.expiresAt)),
    bigints(tokens.map((token) => (token.lease ? null : token.freeSince))),
    uuids([...pool.deleted].map((token) => token.id)),
    uuids(eventIds),
    uuids(events.map((event) => event.tokenId)),
    words(events.map((event) => event.event)),
    words(events.map((event) => event.reason)),
    bigints(events.map((event) => event.occurredAt)),
    uuids(events.map((event) => ownerOf(event)?.userId ?? null)),
    bigints(events.map(({ lease }) => lease && lease.fence)),
    uuids(events.map(({ lease }) => lease && lease.leaseId)),
    bigints(events.map(({ lease }) => lease && lease.activatedAt)),
    bigints(events.map(({ lease }) => lease && lease.expiresAt)),
    unlessNone(events.map(({ metadata }) => metadata && JSON.stringify(metadata))),
    state.lastSeq,
    state.lastFence,
    state.tokenCount,
    state.leaseCount,
    pool.now,
    unlessNone(tokens.map(({ lease }) => lease && lease.keyId)),
    unlessNone(events.map((event) => ownerOf(event)?.keyId ?? null)),
    unlessNone(events.map(storedActor)),
    unlessNone(events.map(({ requestId }) => requestId)),
    bigints(events.map(({ tokensAfter }) => tokensAfter)),
    bigints(events.map(({ leasesAfter }) => leasesAfter)),
    hashes(name, pool, eventIds, hashBefore),
    unlessNone(tokens.map(({ lease }) => lease && lease.holder)),
    unlessNone(events.map((event) => ownerOf(event)?.holder ?? null)),
    tokens.some(({ isLeaving }) => isLeaving) ? booleans(tokens.map(({ isLeaving = false }) => isLeaving)) : '{}',
    tokens.some(({ lease }) => lease?.hardEndAt) ? bigints(tokens.map(({ lease }) => lease?.hardEndAt ?? null)) : '{}',
    tokens.some(({ lease }) => lease?.offeredTo) ? uuids(tokens.map(({ lease }) => lease?.offeredTo ?? null)) : '{}',
    state.hasUpkeep ? texts(tokens.map(keptBackAs)) : '{}',
  ];
  return { values, lastEventId: eventIds.at(-1) as string };
}

function keptBackAs({ upkeep }: Token): string | null {
  if (!upkeep) return null;
  if (upkeep.disabled) return 'disabled';
  return upkeep.dirtySince === null ? null : 'dirty';
}

/** The parameters of SAVE_UPKEEP and DELETE_UPKEEP; null for one that has nothing to do. */
export function upkeepChanges(name: string, pool: TokenPool): { saved: Value[] | null; deleted: Value[] | null } {
  const tokens = [...pool.keptUp];
  const of = <T>(pick: (upkeep: Upkeep) => T): T[] => tokens.map(({ upkeep = NO_UPKEEP }) => pick(upkeep));
  const saved = [
    name,
    uuids(tokens.map(({ id }) => id)),
    bigints(of(({ dirtySince }) => dirtySince)),
    bigints(of(({ restsUntil }) => restsUntil)),
    bigints(of(({ failedCleanings }) => failedCleanings)),
    texts(of(({ uncleanUsers }) => `{${uncleanUsers.join(',')}}`)),
    texts(of(({ disabled }) => disabled && disabled.reason)),
    bigints(of(({ disabled }) => disabled && disabled.at)),
    texts(of(({ disabled }) => disabled && disabled.by)),
    bigints(tokens.map(({ lease }) => (lease?.purpose === 'clean' ? lease.fence : null))),
  ];
  const deleted = pool.state.hasUpkeep ? [...pool.deleted] : [];
  return {
    saved: tokens.length === 0 ? null : saved,
    deleted: deleted.length === 0 ? null : [name, uuids(deleted.map(({ id }) => id))],
  };
}

/** The parameters of the statements that save things; null for one that has nothing to do. */
export function thingParameters(name: string, pool: TokenPool) {
  const described = [...pool.described, ...pool.generated].flatMap(({ id, thing }) => (thing ? { id, ...thing } : []));
  const gone = pool.policy.kind === 'listed' ? [...pool.deleted].map(({ id }) => id) : [];
  const isSecret = ({ secret }: Thing): boolean => secret !== null;
  const open = [...pool.described].filter(({ thing }) => thing && !isSecret(thing));
  const secret = described.filter(isSecret);
  const orNull = (ids: readonly { id: string }[], ...others: Value[]): Value[] | null =>
    ids.length === 0 ? null : [name, uuids(ids.map(({ id }) => id)), ...others];
  return {
    deleted: orNull(gone.map((id) => ({ id }))),
    withoutSecret: orNull([...gone.map((id) => ({ id })), ...open]),
    described: orNull(
      described,
      texts(described.map((one) => one.name)),
      jsons(described.map((one) => one.attributes)),
    ),
    withSecret: orNull(secret, words(secret.map((one) => one.secret!.bytes.toString('hex')))),
  };
}

/** Who holds the lease of an event, or the place in the line. */
const ownerOf = ({ lease, owner }: TokenEvent): Pick<Lease, 'userId' | 'holder' | 'keyId'> | null =>
  lease ?? owner ?? null;

const storedActor = ({ actor }: TokenEvent): string | null => (actor === OPEN ? null : actor);

/** The hashes of the events one after the other, 32 bytes each. */
function hashes(pool: string, { events, now }: TokenPool, ids: readonly string[], before: string): Buffer {
  let hash = before;
  let all = '';
  for (const [place, event] of events.entries()) {
    const { lease } = event;
    const owner = ownerOf(event);
    hash = nextHash(hash, {
      pool,
      seq: event.seq,
      id: ids[place]!,
      token_id: event.tokenId,
      event: event.event,
      reason: event.reason,
      occurred_at: event.occurredAt,
      recorded_at: now,
      user_id: owner && owner.userId,
      fence: lease && lease.fence,
      lease_id: lease && lease.leaseId,
      activated_at: lease && lease.activatedAt,
      expires_at: lease && lease.expiresAt,
      metadata: event.metadata,
      key_id: owner && owner.keyId,
      actor: storedActor(event),
      request_id: event.requestId,
      tokens_after: event.tokensAfter,
      leases_after: event.leasesAfter,
      holder: owner && owner.holder,
    });
    all += hash;
  }
  return Buffer.from(all, 'hex');
}

/** Writes an empty array for a list that holds only null: unnest fills missing items with NULL. */
const unlessNone = (items: readonly (string | null)[]): string =>
  items.every((item) => item === null) ? '{}' : texts(items);

export const namedParameters = (name: string, { idempotencyRecords }: LoadSpec): Value[] => [
  name,
  texts(idempotencyRecords.map(({ useCase }) => useCase)),
  texts(idempotencyRecords.map(({ key }) => key)),
];

export const recordParameters = (name: string, records: readonly IdempotencyRecord[], now: Instant): Value[] => [
  name,
  texts(records.map(({ useCase }) => useCase)),
  texts(records.map(({ key }) => key)),
  texts(records.map(({ fingerprint }) => fingerprint)),
  jsons(records.map(({ value }) => value)),
  now,
];

export const policyParameters = (policy: PoolPolicy): Value[] => [
  policy.name,
  policy.kind,
  ...policyFields.map((field) => policy[field.name]),
];

const micros = (seconds: number): Instant => Math.round(seconds * 1_000_000);

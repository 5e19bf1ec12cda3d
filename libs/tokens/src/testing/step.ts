// The random steps of the model-based tests: what each does, and which answer the contract demands.

import { allocate, deleteToken, generate, keepAlive, release, type Command } from '../commands/command.js';
import { ANYBODY } from '../kernel/caller.js';
import { DomainError, type DomainErrorCode } from '../kernel/domain-error.js';
import type { Instant } from '../kernel/instant.js';
import type { LeaseClaim } from '../pool/lease-claim.js';
import { loadSpec, together, type LoadSpec } from '../commands/load-spec.js';
import type { PolicyChange, PoolPolicy } from '../pool/pool-policy.js';
import type { PoolState } from '../pool/pool-slice.js';
import type { Grant, Renewal } from '../pool/requests.js';
import { TokenPool } from '../pool/token-pool.js';
import type { Lease, Token } from '../pool/token.js';
import { SECOND, user, wholeSlice } from './given.js';
import type { Ledger } from './ledger.js';

export const RIGHT_CLAIMS = ['lease', 'user', 'lease and user', 'lease, user and fence'] as const;
export const WEAK_CLAIMS = ['nothing', 'fence'] as const;
export const WRONG_CLAIMS = ['former lease', 'strange lease', 'strange user', 'strange fence', 'mixed'] as const;
export type ClaimKind = (typeof RIGHT_CLAIMS | typeof WEAK_CLAIMS | typeof WRONG_CLAIMS)[number];

/** `token` is an index into all tokens so far, modulo their number. */
export type SingleStep =
  | {
      readonly kind: 'allocate';
      readonly user: number;
      /** The number of the key; 0 stands for none. */
      readonly key: number;
      readonly ttlSeconds: number | undefined;
    }
  | { readonly kind: 'release'; readonly token: number; readonly claim: ClaimKind }
  | {
      readonly kind: 'keep-alive';
      readonly token: number;
      readonly claim: ClaimKind;
      readonly ttlSeconds: number | undefined;
    }
  | { readonly kind: 'generate' }
  | { readonly kind: 'delete'; readonly token: number; readonly force: boolean }
  | { readonly kind: 'cleanup'; readonly most: number; readonly fencesBack: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'change'; readonly change: PolicyChange; readonly grow: number };

/** A single step, or a command of several steps, of which the pool does all or none. */
export type Step = SingleStep | { readonly kind: 'several'; readonly steps: readonly SingleStep[] };

/** A pool just before a step. */
export interface Before {
  readonly state: PoolState;
  readonly tokens: ReadonlyMap<string, Token>;
  readonly ledger: Ledger;
  readonly now: Instant;
}

/** An answer as plain data: the lease of a grant, the code of a refusal. */
export type Answer = DomainErrorCode | Readonly<Record<string, unknown>> | number | 'done';

export interface Work {
  readonly loads: LoadSpec;
  readonly decide: (pool: TokenPool) => Answer;
}

export function workOf(step: Step, before: Before): Work {
  const work = step.kind === 'several' ? inOneGo(step.steps, before) : singleWorkOf(step, before);
  return { ...work, decide: (pool) => answered(() => pool.atomically(() => work.decide(pool))) };
}

/** As `workOf`, but `decide` throws refusals. */
function singleWorkOf(step: SingleStep, before: Before): Work {
  if (isCommand(step)) {
    const command = commandOf(step, before);
    const decide = (pool: TokenPool): Answer => {
      pool.caller = command.caller;
      return answerOf(command.decide(pool));
    };
    return { loads: command.loads, decide };
  }
  switch (step.kind) {
    case 'cleanup': {
      const { most } = step;
      const lastFence = before.state.lastFence - step.fencesBack;
      return { loads: loadSpec({ oldest: most, due: most }), decide: (pool) => pool.releaseOldest(most, lastFence) };
    }
    case 'sweep':
      return {
        loads: loadSpec({ due: 200, free: 200 }),
        decide: (pool) => (pool.deleteIdle(), pool.shrink(200), pool.fill(200)),
      };
    case 'change': {
      const change = { ...step.change, size: before.state.policy.size + step.grow };
      return {
        loads: loadSpec({ free: 200, due: 200 }),
        decide: (pool) => (pool.changePolicy(change), pool.shrink(200), 'done'),
      };
    }
  }
}

export function inOneGo(steps: readonly SingleStep[], before: Before): Work {
  const works = steps.map((step) => singleWorkOf(step, before));
  const decide = (pool: TokenPool): Answer => {
    for (const work of works) work.decide(pool);
    return 'done';
  };
  return { loads: together(works.map((work) => work.loads)), decide };
}

type CommandStep = Exclude<SingleStep, { kind: 'cleanup' | 'sweep' | 'change' }>;
export const isCommand = (step: Step): step is CommandStep =>
  !['cleanup', 'sweep', 'change', 'several'].includes(step.kind);

export function commandOf(step: CommandStep, before: Before): Command<unknown> {
  if (step.kind === 'allocate') {
    const caller = { ...ANYBODY, keyId: step.key === 0 ? null : `key-${step.key}` };
    return allocate({ userId: user(step.user), ttlSeconds: step.ttlSeconds }, caller);
  }
  if (step.kind === 'generate') return generate();
  const tokenId = tokenOf(step, before);
  if (step.kind === 'delete') return deleteToken(tokenId, step.force);
  const claim = claimOf(step.claim, tokenId, before.ledger);
  return step.kind === 'release' ? release(tokenId, claim) : keepAlive(tokenId, claim, step.ttlSeconds);
}

/** The comparable part of what a command returns. A generated token has a random id, so its answer is only `done`. */
export function answerOf(value: unknown): Answer {
  if (typeof value !== 'object' || value === null) return 'done';
  if ('evicted' in value) {
    const { tokenId, userId, fence, activatedAt, expiresAt, evicted } = value as Grant;
    return { tokenId, userId, fence, activatedAt, expiresAt, evicted: evicted?.fence ?? null };
  }
  if ('fence' in value) {
    const { userId, fence, activatedAt, renewedAt, expiresAt } = value as Renewal;
    return { userId, fence, activatedAt, renewedAt, expiresAt };
  }
  return 'done';
}

function answered(decide: () => Answer): Answer {
  try {
    return decide();
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}

const STRANGE_LEASE = 'ffffffff-ffff-8fff-bfff-ffffffffffff';

function claimOf(kind: ClaimKind, tokenId: string, ledger: Ledger): LeaseClaim {
  const { latest, former } = ledger.usesOf(tokenId);
  const { leaseId, userId, fence } = latest ?? { leaseId: STRANGE_LEASE, userId: user(0), fence: 1 };
  const claims: Record<ClaimKind, LeaseClaim> = {
    lease: { leaseId },
    user: { userId },
    'lease and user': { leaseId, userId },
    'lease, user and fence': { leaseId, userId, fence },
    nothing: {},
    fence: { fence },
    'former lease': { leaseId: former?.leaseId ?? STRANGE_LEASE },
    'strange lease': { leaseId: STRANGE_LEASE, userId, fence },
    'strange user': { userId: user(1000) },
    'strange fence': { leaseId, fence: fence + 1 },
    mixed: { leaseId, userId: user(1000), fence },
  };
  return claims[kind];
}

const WITHOUT_HANDLE: readonly ClaimKind[] = ['user', 'nothing', 'fence', 'strange user'];

/** The answer that the contract demands. */
export function expectedOf(step: Step, before: Before): Answer {
  const { state, now } = before;
  if (step.kind === 'several') {
    // The other cases check each step by itself, so here the steps run one after the other on a copy.
    const tokens = [...before.tokens.values()].map((token) => ({ ...token }));
    const { loads, decide } = inOneGo(step.steps, before);
    const copy = TokenPool.restore({ ...wholeSlice(state.policy, tokens, now, loads), state });
    return answered(() => decide(copy));
  }
  const { policy } = state;
  const tokens = settled(before);
  const free = tokens.filter(({ lease }) => lease === null);
  const leases = tokens.flatMap(({ lease }) => lease ?? []).sort((a, b) => a.fence - b.fence);
  switch (step.kind) {
    case 'allocate': {
      if (policy.status === 'paused') return 'pool_paused';
      if (leases.filter(({ userId }) => userId === user(step.user)).length >= (policy.maxPerUser ?? Infinity)) {
        return 'quota_exceeded';
      }
      const ofKey = leases.filter(({ keyId }) => step.key > 0 && keyId === `key-${step.key}`).length;
      if (ofKey >= (policy.maxPerKey ?? Infinity)) return 'quota_exceeded';
      const isDraining = tokens.length > policy.size;
      if (isDraining && leases.length >= policy.size) return 'pool_exhausted';
      const victim = isDraining ? undefined : victimOf(leases, policy, now);
      const [longest] = free.sort((a, b) => a.freeSince - b.freeSince || (a.id < b.id ? -1 : 1));
      const token = longest ?? tokens.find(({ lease }) => lease !== null && lease === victim);
      if (!token) return 'pool_exhausted';
      return {
        tokenId: token.id,
        userId: user(step.user),
        fence: state.lastFence + 1,
        activatedAt: now,
        expiresAt: Math.min(now + length(policy, step.ttlSeconds), now + lifetime(policy)),
        evicted: longest ? null : (victim?.fence ?? null),
      };
    }
    case 'generate':
      if (policy.kind === 'fixed') return 'pool_is_fixed';
      return tokens.length < policy.size || (tokens.length === policy.size && free.some((one) => isIdle(one, before)))
        ? 'done'
        : 'pool_limit_reached';
    case 'delete': {
      if (policy.kind === 'fixed') return 'pool_is_fixed';
      const token = tokens.find(({ id }) => id === tokenOf(step, before));
      if (!token) return 'token_deleted';
      return token.lease && !step.force ? 'token_in_use' : 'done';
    }
    case 'release':
    case 'keep-alive': {
      const token = tokens.find(({ id }) => id === tokenOf(step, before));
      const refusal = refusedClaim(step.claim, token, policy);
      if (refusal || !token?.lease) return refusal ?? 'token_not_active';
      if (step.kind === 'release') return 'done';
      if (step.claim === 'nothing' || step.claim === 'fence') return 'invalid_request';
      if (!policy.renewable) return 'not_renewable';
      const { userId, fence, activatedAt, expiresAt } = token.lease;
      const asked = Math.min(now + length(policy, step.ttlSeconds), activatedAt + lifetime(policy));
      const deadline = Math.max(asked, expiresAt);
      return { userId, fence, activatedAt, renewedAt: now, expiresAt: deadline };
    }
    case 'cleanup':
      return Math.min(step.most, leases.filter(({ fence }) => fence <= state.lastFence - step.fencesBack).length);
    case 'sweep':
      return policy.kind === 'fixed' ? Math.max(0, policy.size - state.tokenCount - 200) : 0;
    case 'change':
      return policy.size + step.grow < 1 ? 'invalid_request' : 'done';
  }
}

/** The next victim, if the policy allows its eviction. It shares no code with the aggregate. */
function victimOf(leases: Lease[], policy: PoolPolicy, now: Instant): Lease | undefined {
  if (policy.onExhausted === 'reject') return undefined;
  const held = (of: string): number =>
    policy.evict === 'oldest' ? 0 : leases.filter(({ userId }) => userId === of).length;
  const most = Math.max(...leases.map(({ userId }) => held(userId)));
  const first = leases.find(({ userId }) => held(userId) === most);
  return first && now - first.activatedAt >= (policy.protectSeconds ?? 0) * SECOND ? first : undefined;
}

function refusedClaim(claim: ClaimKind, token: Token | undefined, policy: PoolPolicy): DomainErrorCode | null {
  if (!token) return 'token_deleted';
  if (!token.lease && claim === 'nothing') return 'token_not_active';
  if (policy.releaseAuthority === 'holder' && WITHOUT_HANDLE.includes(claim)) return 'lease_handle_required';
  if (!token.lease) return token.lastActivatedAt === null ? 'token_not_active' : 'stale_lease';
  return (WRONG_CLAIMS as readonly ClaimKind[]).includes(claim) ? 'stale_lease' : null;
}

/** The tokens as of now: overdue leases are over, and the earliest of their tokens are deleted above the size. */
function settled({ state, tokens, now }: Before): Token[] {
  const overdue = [...tokens.values()]
    .filter(({ lease }) => lease !== null && lease.expiresAt <= now)
    .sort((a, b) => a.lease!.expiresAt - b.lease!.expiresAt || a.lease!.fence - b.lease!.fence);
  const gone = new Set(overdue.slice(0, Math.max(0, tokens.size - state.policy.size)));
  return [...tokens.values()]
    .filter((token) => !gone.has(token))
    .map((token) =>
      overdue.includes(token) ? { ...token, lease: null, freeSince: token.lease!.expiresAt } : { ...token },
    );
}

const isIdle = ({ freeSince }: Token, { state, now }: Before): boolean =>
  freeSince <= now - (state.policy.idleTtlSeconds ?? Infinity) * SECOND;

function tokenOf({ token }: { readonly token: number }, { ledger: { tokenIds } }: Before): string {
  return tokenIds[token % tokenIds.length] ?? '';
}

const length = (policy: PoolPolicy, ttlSeconds = Infinity): number => Math.min(ttlSeconds, policy.ttlSeconds) * SECOND;
const lifetime = ({ maxLifetimeSeconds }: PoolPolicy): number => (maxLifetimeSeconds ?? Infinity) * SECOND;

// The views of stored tokens and events, without a database and without code of the PostgreSQL readers.

import { toIso, type Instant } from '../kernel/instant.js';
import type { Metadata, TokenEvent } from '../pool/token-event.js';
import type { PoolState } from '../pool/pool-slice.js';
import { TokenPool } from '../pool/token-pool.js';
import { statusOf, type Token } from '../pool/token.js';
import type { OwnedEvent, TokenView } from '../reading/views.js';

export type RecordedEvent = TokenEvent & { readonly recordedAt: Instant };

export const eventView = (
  pool: string,
  recorded: RecordedEvent,
  owner = recorded.lease ?? recorded.owner,
): OwnedEvent => ({
  id: `${pool}-${recorded.seq}`,
  pool,
  seq: recorded.seq,
  token_id: recorded.tokenId,
  event: recorded.event,
  user_id: owner?.userId ?? null,
  holder: owner?.holder ?? null,
  fence: recorded.lease?.fence ?? null,
  reason: recorded.reason,
  occurred_at: toIso(recorded.occurredAt),
  recorded_at: toIso(recorded.recordedAt),
  expires_at:
    recorded.lease && ['activated', 'renewed'].includes(recorded.event) ? toIso(recorded.lease.expiresAt) : null,
  key_id: owner?.keyId ?? null,
  actor: recorded.actor,
  request_id: recorded.requestId,
  metadata: { ...recorded.metadata, user_id: owner?.userId ?? null, reason: recorded.reason },
  lease_metadata: recorded.event === 'activated' ? recorded.metadata : null,
});

/** A token as it is once its overdue lease has ended. */
function settled(token: Token, state: PoolState | undefined, now: Instant): Token {
  if (!state?.hasUpkeep || !token.lease || token.lease.expiresAt > now) return token;
  const copy = { ...token, isLeaving: false };
  const policy = { ...state.policy, size: state.tokenCount };
  TokenPool.restore({ state: { ...state, policy }, now, tokens: [copy], nextExpiryAt: null }).settle();
  return copy;
}

/** @param state of a pool that may keep tokens back */
export function tokenView(
  pool: string,
  token: Token,
  now: Instant,
  isPoolDraining = false,
  leaseMetadata: Metadata | null = null,
  state?: PoolState,
): TokenView {
  const { id, lease, lastActivatedAt, thing, isLeaving = false, upkeep } = token;
  const after = settled(token, state, now);
  const running = lease && lease.expiresAt > now ? lease : null;
  return {
    id,
    pool,
    name: thing?.name ?? null,
    attributes: thing?.attributes ?? null,
    status: running ? statusOf(token, now) : statusOf({ ...after, lease: null }, now),
    active_user_id: running?.userId ?? null,
    holder: running?.holder ?? null,
    last_activated_at: lastActivatedAt === null ? null : toIso(lastActivatedAt),
    expires_at: running && toIso(running.expiresAt),
    fence: running?.fence ?? null,
    lease_metadata: running && leaseMetadata,
    draining: (isPoolDraining || isLeaving) && lease !== null,
    available_at: !running && statusOf({ ...after, lease: null }, now) === 'cooling' ? toIso(after.freeSince) : null,
    disabled_reason: upkeep?.disabled?.reason ?? null,
    disabled_at: upkeep?.disabled ? toIso(upkeep.disabled.at) : null,
    disabled_by: upkeep?.disabled?.by ?? null,
  };
}

// The views of stored tokens and events, without a database and without code of the PostgreSQL readers.

import { toIso, type Instant } from '../kernel/instant.js';
import type { Metadata, TokenEvent } from '../pool/token-event.js';
import type { Token } from '../pool/token.js';
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

export function tokenView(
  pool: string,
  { id, lease, lastActivatedAt, thing, isLeaving = false }: Token,
  now: Instant,
  isPoolDraining = false,
  leaseMetadata: Metadata | null = null,
): TokenView {
  const running = lease && lease.expiresAt > now ? lease : null;
  return {
    id,
    pool,
    name: thing?.name ?? null,
    attributes: thing?.attributes ?? null,
    status: running ? 'active' : 'available',
    active_user_id: running?.userId ?? null,
    holder: running?.holder ?? null,
    last_activated_at: lastActivatedAt === null ? null : toIso(lastActivatedAt),
    expires_at: running && toIso(running.expiresAt),
    fence: running?.fence ?? null,
    lease_metadata: running && leaseMetadata,
    draining: (isPoolDraining || isLeaving) && lease !== null,
  };
}

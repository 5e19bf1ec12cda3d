// Tamper evidence: each event carries a hash over itself and the hash of its predecessor in the pool. Whoever changes,
// removes or inserts one would have to make all later hashes anew, and the one in the pool's row.

import { hash } from 'node:crypto';
import type { RecordedEventView } from './views.js';

/** What stands for the predecessor of the first event in a chain. */
export const CHAIN_BEGINS = '0'.repeat(64);

/**
 * SHA-256 in hexadecimal digits over a JSON array without blanks, in UTF-8. Instants are whole microseconds; metadata is a text, its
 * keys sorted. Every column of the event is in it, so a new one goes to the end, and only where it is not null.
 */
export const nextHash = (previous: string, event: Omit<RecordedEventView, 'hash'>): string =>
  hash(
    'sha256',
    JSON.stringify([
      previous,
      event.pool,
      event.seq,
      event.id,
      event.token_id,
      event.event,
      event.reason,
      event.occurred_at,
      event.recorded_at,
      event.user_id,
      event.fence,
      event.lease_id,
      event.activated_at,
      event.expires_at,
      event.metadata === null ? null : canonical(event.metadata),
      event.key_id,
      event.actor,
      event.request_id,
      event.tokens_after,
      event.leases_after,
    ]),
  );

/** The same text for the same JSON, in whatever order a store gives the keys back. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}

// Tamper evidence: each event has a hash over itself and the hash of its predecessor in the pool. To change, remove or
// insert an event, an attacker must recompute all later hashes and the one in the pool's row.

import { hash } from 'node:crypto';
import { canonical } from '../kernel/canonical-json.js';
import type { RecordedEventView } from '../reading/views.js';

/** The hash that the first event of a chain has as its predecessor. */
export const CHAIN_BEGINS = '0'.repeat(64);

/**
 * SHA-256, as 64 hexadecimal digits, over a JSON array without blanks, in UTF-8. Instants are whole microseconds.
 * Metadata is a string of JSON with sorted keys. The array contains every column of the event. `holder` is newer: it is
 * at the end, and only if it is not null, so that hashes in the database and in exports from before stay valid.
 */
export const nextHash = (previous: string, event: Omit<RecordedEventView, 'hash'>): string =>
  hash('sha256', hashed(previous, event));

/** As JSON.stringify would write it, in half the time and a third of the garbage: hardly any of it needs escaping. */
const hashed = (previous: string, e: Omit<RecordedEventView, 'hash'>): string =>
  `["${previous}",${text(e.pool)},${e.seq},"${e.id}",${id(e.token_id)},${text(e.event)},${text(e.reason)},${e.occurred_at},` +
  `${e.recorded_at},${id(e.user_id)},${e.fence},${id(e.lease_id)},${e.activated_at},${e.expires_at},` +
  `${e.metadata === null ? 'null' : text(canonical(e.metadata))},${text(e.key_id)},${text(e.actor)},${text(e.request_id)},` +
  `${e.tokens_after},${e.leases_after}${e.holder ? `,${text(e.holder)}` : ''}]`;

const PLAIN = /^[\w.:-]*$/;
const text = (value: string | null): string =>
  value !== null && PLAIN.test(value) ? `"${value}"` : JSON.stringify(value);
const id = (uuid: string | null): string => (uuid === null ? 'null' : `"${uuid}"`);

// Indexes a pool's feed by what clients know of it, and keeps the pool's state after each event.

import { fromIso, type OwnedEvent } from '@app/tokens';

export interface Grant {
  readonly event: OwnedEvent;
  /** The event before the grant, which is the eviction if there was one. */
  readonly before: OwnedEvent | undefined;
  end: OwnedEvent | null;
  readonly renewals: OwnedEvent[];
}

export interface OpenLease {
  readonly fence: number;
  readonly user: string | null;
  readonly key: string | null;
  readonly from: number;
  readonly until: number;
}

/** The state of the pool from one event to the next. */
interface Position {
  readonly recordedAt: number;
  readonly tokens: number;
  /** The leases without an end in the audit. */
  readonly leases: readonly OpenLease[];
  /** Infinity without open leases. */
  readonly nextDeadline: number;
}

export class Ledger {
  readonly grants = new Map<number, Grant>();
  /** Grants by the operation that the client put into the metadata. */
  readonly grantsOf = new Map<string, Grant[]>();
  readonly generated = new Map<string, OwnedEvent>();
  readonly deleted = new Map<string, OwnedEvent>();
  /** Releases by token. */
  readonly releasedBy = new Map<string, OwnedEvent[]>();
  readonly cleanups: OwnedEvent[] = [];
  /** By the seq of the event after which the pool has this state; 0: before the first event. Restores leave holes. */
  readonly positions: Position[] = [{ recordedAt: 0, tokens: 0, leases: [], nextDeadline: Infinity }];

  readonly #open = new Map<number, OpenLease>();

  constructor(readonly events: readonly OwnedEvent[]) {
    let before: OwnedEvent | undefined;
    for (const event of events) {
      this.#add(event, before);
      before = event;
      const leases = [...this.#open.values()];
      this.positions[event.seq] = {
        recordedAt: fromIso(event.recorded_at),
        tokens: this.generated.size - this.deleted.size,
        leases,
        nextDeadline: Math.min(...leases.map(({ until }) => until)),
      };
    }
  }

  /** @returns the lease that an operation got; undefined when it got none */
  grantOf(operation: string): Grant | undefined {
    return this.grantsOf.get(operation)?.[0];
  }

  #add(event: OwnedEvent, before: OwnedEvent | undefined): void {
    const { event: kind, fence, token_id, reason } = event;
    // An event of the pool itself changes no token.
    if (token_id === null) return;
    if (kind === 'generated') this.generated.set(token_id, event);
    else if (kind === 'deleted') this.deleted.set(token_id, event);
    else if (kind === 'activated') {
      const grant: Grant = { event, before, end: null, renewals: [] };
      this.grants.set(fence ?? 0, grant);
      append(this.grantsOf, askedBy(event), grant);
      this.#open.set(fence ?? 0, {
        fence: fence ?? 0,
        user: event.user_id,
        key: event.key_id,
        from: fromIso(event.occurred_at),
        until: fromIso(event.expires_at ?? ''),
      });
    } else {
      const grant = this.grants.get(fence ?? 0);
      if (kind === 'renewed') {
        grant?.renewals.push(event);
        const lease = this.#open.get(fence ?? 0);
        if (lease) this.#open.set(lease.fence, { ...lease, until: fromIso(event.expires_at ?? '') });
        return;
      }
      if (grant) grant.end ??= event;
      this.#open.delete(fence ?? 0);
      if (reason === 'released_by_client') append(this.releasedBy, token_id, event);
      if (reason === 'cleanup') this.cleanups.push(event);
    }
  }
}

/** @returns the operation that a grant names; '' when it names none */
export function askedBy({ metadata }: OwnedEvent): string {
  const name = metadata['operation'] ?? metadata['client_id'];
  return typeof name === 'string' || typeof name === 'number' ? String(name) : '';
}

/** @returns the deadline after all renewals of the lease */
export const lastDeadline = ({ event, renewals }: Grant): number =>
  fromIso(renewals.at(-1)?.expires_at ?? event.expires_at ?? '');

export function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

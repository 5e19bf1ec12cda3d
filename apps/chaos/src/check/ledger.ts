// A pool's feed by what clients know of it, and its state after each event.

import { fromIso, type EventView } from '@app/tokens';

export interface Grant {
  readonly event: EventView;
  /** The event before it, which is the eviction if there was one. */
  readonly before: EventView | undefined;
  end: EventView | null;
  readonly renewals: EventView[];
}

/** The pool after an event, and until the next. */
interface Position {
  readonly recordedAt: number;
  readonly tokens: number;
  readonly open: number;
  /** Of the leases that are not ended in the audit; Infinity: there is none. */
  readonly nextDeadline: number;
}

export class Ledger {
  readonly grants = new Map<number, Grant>();
  /** By the operation that the client put into the metadata. */
  readonly grantsOf = new Map<string, Grant[]>();
  readonly generated = new Map<string, EventView>();
  readonly deleted = new Map<string, EventView>();
  /** By whom clients released, by token. */
  readonly releasedBy = new Map<string, EventView[]>();
  readonly cleanups: EventView[] = [];
  /** By the seq of the event after which the pool is like that; 0: before the first. Where it was restored there are holes. */
  readonly positions: Position[] = [{ recordedAt: 0, tokens: 0, open: 0, nextDeadline: Infinity }];

  readonly #deadlines = new Map<number, number>();

  constructor(readonly events: readonly EventView[]) {
    let before: EventView | undefined;
    for (const event of events) {
      this.#add(event, before);
      before = event;
      const [nextDeadline = Infinity] = [...this.#deadlines.values()].sort((a, b) => a - b);
      this.positions[event.seq] = {
        recordedAt: fromIso(event.recorded_at),
        tokens: this.generated.size - this.deleted.size,
        open: this.#deadlines.size,
        nextDeadline,
      };
    }
  }

  /** The lease that an operation was granted; undefined when it was granted none. */
  grantOf(operation: string): Grant | undefined {
    return this.grantsOf.get(operation)?.[0];
  }

  #add(event: EventView, before: EventView | undefined): void {
    const { event: kind, fence, token_id, reason } = event;
    if (kind === 'generated') this.generated.set(token_id, event);
    else if (kind === 'deleted') this.deleted.set(token_id, event);
    else if (kind === 'activated') {
      const grant: Grant = { event, before, end: null, renewals: [] };
      this.grants.set(fence ?? 0, grant);
      append(this.grantsOf, askedBy(event), grant);
      this.#deadlines.set(fence ?? 0, fromIso(event.expires_at ?? ''));
    } else {
      const grant = this.grants.get(fence ?? 0);
      if (kind === 'renewed') {
        grant?.renewals.push(event);
        this.#deadlines.set(fence ?? 0, fromIso(event.expires_at ?? ''));
        return;
      }
      if (grant) grant.end ??= event;
      this.#deadlines.delete(fence ?? 0);
      if (reason === 'released_by_client') append(this.releasedBy, token_id, event);
      if (reason === 'cleanup') this.cleanups.push(event);
    }
  }
}

/** The operation that a grant names; '' when it names none. */
export function askedBy({ metadata }: EventView): string {
  const name = metadata['operation'] ?? metadata['client_id'];
  return typeof name === 'string' || typeof name === 'number' ? String(name) : '';
}

/** The deadline that a lease has had in the end. */
export const lastDeadline = ({ event, renewals }: Grant): number =>
  fromIso(renewals.at(-1)?.expires_at ?? event.expires_at ?? '');

export function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

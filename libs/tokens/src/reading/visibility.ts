// Who holds a token is shown to its own key, to whoever may operate, and to nobody else. Everything that a reader says
// goes through here before it is answered.

import { OPEN, SYSTEM, type Caller } from '../kernel/caller.js';
import type { Lease } from '../pool/token.js';
import type {
  EventView,
  OwnedDetails,
  OwnedEvent,
  OwnedToken,
  OwnedUse,
  TokenDetailsView,
  TokenView,
  UseView,
} from './views.js';

/** Who looks. */
export type Viewer = Pick<Caller, 'keyId' | 'mayOperate'>;

/** In the place of a user that is not shown, where there must be one. */
export const SOMEBODY = '00000000-0000-0000-0000-000000000000';

/** @param keyId of the lease that it is about */
export const maySee = (viewer: Viewer, keyId: string | null | undefined): boolean =>
  viewer.mayOperate || (keyId ?? null) === viewer.keyId;

export const tokenFor = (viewer: Viewer, { key_id, ...token }: OwnedToken): TokenView =>
  maySee(viewer, key_id) ? token : { ...token, active_user_id: null };

export const useFor = (viewer: Viewer, { key_id, ...use }: OwnedUse): UseView =>
  maySee(viewer, key_id) ? use : { ...use, user_id: SOMEBODY };

export function detailsFor(viewer: Viewer, { history, current_user, ...details }: OwnedDetails): TokenDetailsView {
  const isVisible = maySee(viewer, details.key_id);
  return {
    ...tokenFor(viewer, details),
    current_user: current_user && (isVisible ? current_user : { ...current_user, user_id: SOMEBODY }),
    history: history.map((use) => useFor(viewer, use)),
  };
}

/**
 * By whom something was done to a lease, and with which request, is shown to the key that did it and to whoever may operate:
 * the holder of a lease that had to go is not told for whom. The service itself, and the service open to everybody, are nobody.
 */
export const maySeeActor = (viewer: Viewer, { actor }: Pick<EventView, 'actor'>): boolean =>
  viewer.mayOperate || actor === viewer.keyId || actor === SYSTEM || actor === OPEN;

export function eventFor(viewer: Viewer, owned: OwnedEvent): EventView {
  const { key_id, ...event } = owned;
  if (maySee(viewer, key_id)) return maySeeActor(viewer, event) ? event : { ...event, actor: null, request_id: null };
  const { reason } = event;
  const metadata = { user_id: null, reason };
  return { ...event, user_id: null, actor: null, request_id: null, metadata, lease_metadata: null };
}

/** Of a lease that had to go. */
export const userFor = (viewer: Viewer, { keyId, userId }: Lease): string =>
  maySee(viewer, keyId) ? userId : SOMEBODY;

// Who holds a token is shown to its own key, to whoever may operate, and to nobody else. Everything that a reader says
// goes through here before it is answered.

import type { Caller } from './caller.js';
import type { Lease } from './token.js';
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

export function eventFor(viewer: Viewer, { key_id, ...event }: OwnedEvent): EventView {
  if (maySee(viewer, key_id)) return event;
  const { reason } = event;
  const metadata = { user_id: null, reason };
  return { ...event, user_id: null, actor: null, request_id: null, metadata, lease_metadata: null };
}

/** Of a lease that had to go. */
export const userFor = (viewer: Viewer, { keyId, userId }: Lease): string =>
  maySee(viewer, keyId) ? userId : SOMEBODY;

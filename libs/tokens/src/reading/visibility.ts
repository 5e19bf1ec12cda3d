// Only the key that took a lease, and keys that may operate, see its user and holder. Every view passes through these
// functions before the service shows it.

import { OPEN, SYSTEM, type Caller } from '../kernel/caller.js';
import { isOfLine } from '../pool/token-event.js';
import type { Lease } from '../pool/token.js';
import type {
  DisabledView,
  EventView,
  LeaseView,
  OwnedDetails,
  OwnedEvent,
  OwnedLease,
  OwnedTicket,
  OwnedToken,
  OwnedUse,
  OwnedVerification,
  SealedVerification,
  TicketView,
  TokenDetailsView,
  TokenView,
  UseView,
} from './views.js';

/** The caller that sees a view. */
export type Viewer = Pick<Caller, 'keyId' | 'mayOperate'>;

/** Replaces a user that the viewer may not see, where the field cannot be null. */
export const SOMEBODY = '00000000-0000-0000-0000-000000000000';
const NOBODY_SEEN = { user_id: SOMEBODY, holder: null };

/** Whether the viewer may see the user of a lease. @param keyId the key that took the lease */
export const maySee = (viewer: Viewer, keyId: string | null | undefined): boolean =>
  viewer.mayOperate || (keyId ?? null) === viewer.keyId;

export function tokenFor(viewer: Viewer, { key_id, ...owned }: OwnedToken): TokenView {
  const token = disabledFor(viewer, owned);
  return maySee(viewer, key_id) ? token : { ...token, active_user_id: null, holder: null, lease_metadata: null };
}

/** Why a token is out of service is shown to all, and who has decided it to those who may see that actor. */
const disabledFor = <View extends DisabledView>(viewer: Viewer, view: View): View =>
  view.disabled_by === null || maySeeActor(viewer, { actor: view.disabled_by }) ? view : { ...view, disabled_by: null };

export const useFor = (viewer: Viewer, { key_id, ...use }: OwnedUse): UseView =>
  maySee(viewer, key_id) ? use : { ...use, ...NOBODY_SEEN };

export const ticketFor = (viewer: Viewer, { key_id, ...ticket }: OwnedTicket): TicketView =>
  maySee(viewer, key_id) ? ticket : { ...ticket, user_id: null, holder: null, select: null };

export const leaseFor = (viewer: Viewer, { key_id, ...lease }: OwnedLease): LeaseView =>
  maySee(viewer, key_id) ? lease : { ...lease, ...NOBODY_SEEN, metadata: null };

export const verificationFor = (viewer: Viewer, { key_id, ...lease }: OwnedVerification): SealedVerification =>
  maySee(viewer, key_id) ? lease : { ...lease, user_id: null, holder: null, secret: null };

export function detailsFor(viewer: Viewer, { history, current_user, ...details }: OwnedDetails): TokenDetailsView {
  const isVisible = maySee(viewer, details.key_id);
  return {
    ...tokenFor(viewer, details),
    current_user: current_user && (isVisible ? current_user : { ...current_user, ...NOBODY_SEEN }),
    history: history.map((use) => useFor(viewer, use)),
  };
}

/**
 * Whether the viewer may see the actor and the request of an event. Only the key that caused the event, and keys that
 * may operate, see them, so that the holder of an evicted lease does not learn for whom. `system` and `open` name no
 * key, so every viewer sees these.
 */
export const maySeeActor = (viewer: Viewer, { actor }: Pick<EventView, 'actor'>): boolean =>
  viewer.mayOperate || actor === viewer.keyId || actor === SYSTEM || actor === OPEN;

/**
 * Whether the viewer may see the contents of an event. Without a lease or a place in the line, an event is about the
 * policy of its pool or about the name and the attributes of a token, which every viewer sees.
 */
export const maySeeEvent = (
  viewer: Viewer,
  { fence, event, key_id }: Pick<OwnedEvent, 'fence' | 'event' | 'key_id'>,
): boolean => (fence === null && !isOfLine(event)) || maySee(viewer, key_id);

export function eventFor(viewer: Viewer, owned: OwnedEvent): EventView {
  const { key_id: _, ...event } = owned;
  if (maySeeEvent(viewer, owned))
    return maySeeActor(viewer, event) ? event : { ...event, actor: null, request_id: null };
  const { reason } = event;
  const metadata = { user_id: null, reason };
  return { ...event, user_id: null, holder: null, actor: null, request_id: null, metadata, lease_metadata: null };
}

/** The user and holder of an evicted lease, as the viewer may see them. */
export const userFor = (viewer: Viewer, { keyId, userId, holder }: Lease): Pick<UseView, 'user_id' | 'holder'> =>
  maySee(viewer, keyId) ? { user_id: userId, holder } : NOBODY_SEEN;

// The words of a stream of server-sent events (WHATWG HTML, section 9.2).

import { eventFor, maySee, maySeeActor, type OwnedEvent, type Viewer } from '@app/tokens';

/** How long a reader waits before it comes back: not all for the same time, for they may all have been sent away at once. */
const RETRY_MS = { least: 1000, most: 3000 };

/** Not a message yet: what follows belongs to the same one. */
export const retry = (): string =>
  `retry: ${Math.round(RETRY_MS.least + Math.random() * (RETRY_MS.most - RETRY_MS.least))}\n`;

/** Tells nothing but how far it is: a reader that comes back goes on from there. */
export const positionOf = (seq: number): string => `id: ${seq}\n\n`;

const whole = new WeakMap<OwnedEvent, Buffer>();
/** For the key of the lease, when another ended it. */
const unsigned = new WeakMap<OwnedEvent, Buffer>();
const masked = new WeakMap<OwnedEvent, Buffer>();

/** The event as in the feed. Streams share the events that are new, and so each is written once for all who see as much of it. */
export function messageOf(event: OwnedEvent, viewer: Viewer): Buffer {
  const seen = maySeeActor(viewer, event) ? whole : unsigned;
  const written = maySee(viewer, event.key_id) ? seen : masked;
  let message = written.get(event);
  if (!message) {
    const data = JSON.stringify(eventFor(viewer, event));
    written.set(event, (message = Buffer.from(`id: ${event.seq}\ndata: ${data}\n\n`)));
  }
  return message;
}

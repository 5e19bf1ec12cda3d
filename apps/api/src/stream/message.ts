// The messages of a stream of server-sent events (WHATWG HTML, section 9.2).

import { eventFor, maySeeActor, maySeeEvent, type OwnedEvent, type Viewer } from '@app/tokens';

/**
 * How long a reader waits before it reconnects: random, so that readers that lost one process do not return all at
 * once.
 */
const RETRY_MS = { least: 1000, most: 3000 };

/** The beginning of a message: the next field completes it. */
export const retry = (): string =>
  `retry: ${Math.round(RETRY_MS.least + Math.random() * (RETRY_MS.most - RETRY_MS.least))}\n`;

/** A message without data: a reader that reconnects resumes after this seq. */
export const positionOf = (seq: number): string => `id: ${seq}\n\n`;

/** The messages of events, by what the viewer may see of them: everything. */
const whole = new WeakMap<OwnedEvent, Buffer>();
/** Everything but the actor: for who may see the event, when another key caused it. */
const unsigned = new WeakMap<OwnedEvent, Buffer>();
/** Neither the holder nor the actor. */
const masked = new WeakMap<OwnedEvent, Buffer>();

/**
 * The event as the feed shows it to this viewer. Streams share new events, so each is serialised once for all viewers
 * with the same view of it.
 */
export function messageOf(event: OwnedEvent, viewer: Viewer): Buffer {
  const seen = maySeeActor(viewer, event) ? whole : unsigned;
  const written = maySeeEvent(viewer, event) ? seen : masked;
  let message = written.get(event);
  if (!message) {
    const data = JSON.stringify(eventFor(viewer, event));
    written.set(event, (message = Buffer.from(`id: ${event.seq}\ndata: ${data}\n\n`)));
  }
  return message;
}

// A pool's events as they happen, from a seq on. One connection: whoever uses it decides when to open the next.
// Read by fetch: the browser's EventSource cannot send a key.

import { EventStreamParser } from '../../../../libs/client/src/index.js';
import type { PoolEvent } from '../api.js';
import { authorization } from '../key.js';

export interface Follower {
  opened(): void;
  happened(event: PoolEvent): void;
  /** The last call. @param isGone the events after that seq are not kept any more */
  lost(isGone: boolean): void;
}

/** Ends the stream; nothing is called any more. */
export type Close = () => void;

export function followEvents(url: string, follower: Follower): Close {
  const connection = new AbortController();
  const { signal } = connection;
  const isOpen = (): boolean => !signal.aborted;
  let isGone = false;
  const read = async (): Promise<void> => {
    const headers = { ...authorization(), accept: 'text/event-stream' };
    const { ok, status, body } = await fetch(url, { headers, signal, cache: 'no-store' });
    isGone = status === 410;
    if (!ok || body === null || !isOpen()) return;
    follower.opened();
    const parser = new EventStreamParser();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const { data } of parser.push(value)) {
        if (data !== null && isOpen()) follower.happened(JSON.parse(data) as PoolEvent);
      }
    }
  };
  void read()
    .catch(() => undefined)
    .then(() => {
      if (!isOpen()) return;
      connection.abort();
      follower.lost(isGone);
    });
  return () => connection.abort();
}

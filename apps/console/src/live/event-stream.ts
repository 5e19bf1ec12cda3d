// Follows a pool's events from a seq on, over one connection; the caller decides when to open the next. It uses fetch,
// because the browser's EventSource cannot send a key.

import { EventStreamParser } from '../../../../libs/client/src/index.js';
import type { PoolEvent } from '../api.js';
import { authorization } from '../key.js';

export interface Follower {
  opened(): void;
  happened(event: PoolEvent): void;
  /** The last call. @param isGone whether the service no longer has the events after that seq */
  lost(isGone: boolean): void;
}

/** Ends the stream; the handlers get no more calls. */
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

// A pool's events as they happen, from a seq on. One connection: whoever uses it decides when to open the next.

import type { PoolEvent } from '../api.js';

export interface Follower {
  opened(): void;
  happened(event: PoolEvent): void;
  /** The last call. */
  lost(): void;
}

/** Ends the stream; nothing is called any more. */
export type Close = () => void;

export function followEvents(url: string, follower: Follower): Close {
  const source = new EventSource(url);
  source.onopen = () => follower.opened();
  source.onmessage = ({ data }) => follower.happened(JSON.parse(data as string) as PoolEvent);
  // It would go on by itself, but in silence, at its own pace, and not after every kind of error.
  source.onerror = () => {
    source.close();
    follower.lost();
  };
  return () => source.close();
}

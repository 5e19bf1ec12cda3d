import { now } from './clock.js';

/** Timers stand still on a suspended machine: so long after it wakes, at the latest, the clock is looked at, in milliseconds. */
export const LOOK_MS = 1000;

/** Resolves after `ms`; rejects with the signal's reason when that comes first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const end = now() + ms;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let timer: ReturnType<typeof setTimeout>;
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const look = (): void => {
      const leftMs = end - now();
      if (leftMs > 0) timer = setTimeout(look, Math.min(leftMs, LOOK_MS));
      else {
        signal?.removeEventListener('abort', stop);
        resolve();
      }
    };
    timer = setTimeout(look, Math.min(ms, LOOK_MS));
    signal?.addEventListener('abort', stop, { once: true });
  });
}

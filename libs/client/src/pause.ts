import { now } from './clock.js';

/** How often to check the clock. Timers stop on a suspended machine; this bounds the delay after it wakes up. */
export const CHECK_MS = 1000;

/** Resolves after `ms`; rejects with the signal's reason if the signal aborts first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const end = now() + ms;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let timer: ReturnType<typeof setTimeout>;
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const check = (): void => {
      const leftMs = end - now();
      if (leftMs > 0) timer = setTimeout(check, Math.min(leftMs, CHECK_MS));
      else {
        signal?.removeEventListener('abort', stop);
        resolve();
      }
    };
    timer = setTimeout(check, Math.min(ms, CHECK_MS));
    signal?.addEventListener('abort', stop, { once: true });
  });
}

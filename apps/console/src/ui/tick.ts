// The server's time as a signal that changes four times a second, for everything that runs with the clock.

import { signal, type ReadonlySignal } from '@preact/signals';
import { serverClock } from '../server-clock.js';

const time = signal(serverClock.now());
setInterval(() => (time.value = serverClock.now()), 250);

/** Milliseconds since the epoch. */
export const now: ReadonlySignal<number> = time;

const second = signal(0);
setInterval(() => second.value++, 1_000);

/** Rises once a second. */
export const seconds: ReadonlySignal<number> = second;

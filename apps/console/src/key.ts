// The API key of all requests, if the service requires one. The tab keeps it until it closes; it never appears in a
// URL.

import { signal, type ReadonlySignal } from '@preact/signals';
import { recall, remember } from './storage.js';

const PLACE = 'token-pool-key';

const key = signal(recall('sessionStorage', PLACE));
const need = signal<'none' | 'asked' | 'declined'>('none');
const changes = signal(0);

/** Null until the reader enters one. */
export const givenKey: ReadonlySignal<string | null> = key;

/** Whether the service refused the current key, and whether the reader has declined to enter another one. */
export const keyNeed: ReadonlySignal<'none' | 'asked' | 'declined'> = need;

/** Rises with each change of the key, so that pages reload what they read with another key. */
export const keyChanges: ReadonlySignal<number> = changes;

export const authorization = (): Record<string, string> =>
  key.peek() === null ? {} : { authorization: `Bearer ${key.peek()}` };

/** Opens the key dialog, unless the reader has already declined. */
export function keyRefused(): void {
  if (need.peek() === 'none') need.value = 'asked';
}

export function askForKey(): void {
  need.value = 'asked';
}

export function declineKey(): void {
  need.value = 'declined';
}

/** @param text null continues without a key */
export function useKey(text: string | null): void {
  remember('sessionStorage', PLACE, text);
  key.value = text;
  need.value = 'none';
  changes.value++;
}

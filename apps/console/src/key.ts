// The API key that everything is asked with where the service wants one. Kept until the tab is closed, and never in an
// address.

import { signal, type ReadonlySignal } from '@preact/signals';
import { recall, remember } from './storage.js';

const PLACE = 'token-pool-key';

const key = signal(recall('sessionStorage', PLACE));
const need = signal<'none' | 'asked' | 'declined'>('none');
const changes = signal(0);

/** Null while none was given. */
export const givenKey: ReadonlySignal<string | null> = key;

/** Whether the service refused to answer without another key, and whether the reader does not want to give one. */
export const keyNeed: ReadonlySignal<'none' | 'asked' | 'declined'> = need;

/** Rises with each change of the key: what was read with another one is to be read again. */
export const keyChanges: ReadonlySignal<number> = changes;

export const authorization = (): Record<string, string> =>
  key.peek() === null ? {} : { authorization: `Bearer ${key.peek()}` };

/** The service wants one; who has declined is not asked again and again. */
export function keyRefused(): void {
  if (need.peek() === 'none') need.value = 'asked';
}

export function askForKey(): void {
  need.value = 'asked';
}

export function declineKey(): void {
  need.value = 'declined';
}

/** @param text null: goes on without */
export function useKey(text: string | null): void {
  remember('sessionStorage', PLACE, text);
  key.value = text;
  need.value = 'none';
  changes.value++;
}

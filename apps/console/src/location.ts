// The reader's location: the path below /console, and the query, which contains every choice of a view, so that its URL
// can be shared.

import { computed, signal } from '@preact/signals';

// A proxy may serve the page below a prefix. The URL of this script shows it: scripts are one folder below /console.
const FILE = import.meta.url;
const BASE = new URL('..', FILE).pathname.replace(/\/$/, '');

/** @param to a path of the service, such as "/api/pools" */
export const serviceUrl = (to: string): string => new URL(`../..${to}`, FILE).pathname + new URL(to, FILE).search;

const address = signal(new URL(location.href));
addEventListener('popstate', () => (address.value = new URL(location.href)));

/** `/`, `/pools/default`, … */
export const path = computed(() => address.value.pathname.slice(BASE.length).replace(/\/+$/, '') || '/');

export const query = computed(() => address.value.searchParams);

/** @param to a path below /console, with or without a query */
export function go(to: string): void {
  history.pushState(null, '', BASE + (to === '/' ? '' : to));
  address.value = new URL(location.href);
}

/** Like `go`, but replaces the current entry of the browser's history. */
export function goInstead(to: string): void {
  history.replaceState(null, '', BASE + to);
  address.value = new URL(location.href);
}

/**
 * Changes the named parameters and keeps the others; null removes one. A choice adds a history entry, typing does not.
 */
export function choose(choices: Readonly<Record<string, string | null>>, step: 'push' | 'replace' = 'push'): void {
  const url = new URL(address.value);
  for (const [key, value] of Object.entries(choices)) {
    if (value === null || value === '') url.searchParams.delete(key);
    else url.searchParams.set(key, value);
  }
  if (url.href === address.value.href) return;
  if (step === 'push') history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  address.value = url;
}

export const hrefOf = (to: string): string => BASE + (to === '/' ? '' : to);

// Where the reader is: the path below /console, and the query, in which every choice of a view stands, so that a
// view can be shared by its address.

import { computed, signal } from '@preact/signals';

// The page may be below any path of a proxy. Its files say where: they are one folder below /console, built or not.
const FILE = import.meta.url;
const BASE = new URL('..', FILE).pathname.replace(/\/$/, '');

/** @param to a path of the service: "/api/pools" */
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

/** As `go`, without a step back to here. */
export function goInstead(to: string): void {
  history.replaceState(null, '', BASE + to);
  address.value = new URL(location.href);
}

/** Changes what is named, leaves the rest; null takes a choice back. Typing makes no steps back, choosing does. */
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

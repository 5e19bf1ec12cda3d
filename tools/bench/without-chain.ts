// For comparison only, hooks of Node's module loader: what is imported with this mark is a copy of its own, as is whatever
// that imports of ours, and in its chain no event has a hash.

import type { ResolveHook } from 'node:module';

export const MARK = '?without-chain';

const NO_CHAIN = `data:text/javascript,export const CHAIN_BEGINS = ''; export const nextHash = () => '';`;

export const resolve: ResolveHook = async (specifier, context, next) => {
  const resolved = await next(specifier, context);
  const { url } = resolved;
  if (!context.parentURL?.endsWith(MARK) || !url.startsWith('file:') || url.includes('/node_modules/')) return resolved;
  return { ...resolved, url: url.endsWith('/event-chain.js') ? NO_CHAIN : url + MARK };
};

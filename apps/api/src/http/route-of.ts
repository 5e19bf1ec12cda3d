// What the router would match, asked for before it is: the pattern of a request's route, and the one form of its URL.

import type { IncomingMessage } from 'node:http';
import type { Express, Request } from 'express';

/** Express's own, untyped. */
interface Route {
  readonly path: string;
  readonly methods: Record<string, true>;
}

/** With a route, or of middleware without one. */
interface Layer {
  readonly route?: Route;
  match(path: string): boolean;
}

/** The routes that match a path, by whatever method. None for a path that is not validly encoded. */
export function routesAt({ router }: Express, path: string): Route[] {
  const layers = router.stack as unknown as Layer[];
  try {
    return layers.flatMap((layer) => (layer.route && layer.match(path) ? [layer.route] : []));
  } catch {
    return [];
  }
}

/** Also of a request that was refused before it got there; undefined when there is no such route. */
export function routeOf({ app, method, path, route }: Request): string | undefined {
  if (route) return (route as Route).path;
  const name = method === 'HEAD' ? 'get' : method.toLowerCase();
  return routesAt(app as Express, path).find(({ methods }) => methods[name])?.path;
}

/** In the normal form already, whatever its route: nearly every URL. */
const NORMAL = /^(?:\/|(?:\/[a-z0-9._~-]+)+)(?:\?[^#]*)?$/;
/** Of a client that takes the service for a proxy, and so sends the whole URL (RFC 9112, section 3.2.2). */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\\]*/i;

/**
 * The URL as the route's pattern spells it. The router serves a path also in capitals, with a slash at its end and after an
 * origin; so this is decided once, before anybody looks at the path: limits, access, metrics and the log know one form. A path
 * that has no route stays as it is.
 */
export function normalUrl(express: Express, { url = '/' }: IncomingMessage): string {
  if (NORMAL.test(url) || url === '*') return url;
  const [, given = '', query = ''] = /^([^?#]*)(\?[^#]*)?/.exec(url.replace(ORIGIN, '')) ?? [];
  const path = (given === '' ? '/' : given).replaceAll('\\', '/').replaceAll(/[^!-~]/g, encodeURIComponent);
  const patterns = routesAt(express, path).map(({ path }) => path);
  // Where a pattern says the slash itself, it tells pages apart.
  const pattern = patterns.find((pattern) => path.endsWith('/') && pattern.endsWith('/')) ?? patterns[0];
  return (pattern === undefined ? path : spelledAs(pattern, path)) + query;
}

/** Names of the pattern, and what the client has put in the place of its parameters. */
function spelledAs(pattern: string, path: string): string {
  const names = pattern.split('/');
  const parts = path.split('/');
  const wildcard = names.findIndex((name) => name.startsWith('*'));
  if (wildcard >= 0) return [...names.slice(0, wildcard), ...parts.slice(wildcard)].join('/');
  return names.map((name, i) => (name.startsWith(':') ? parts[i] : name)).join('/');
}

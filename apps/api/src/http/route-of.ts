// Finds the pattern of a request's route and the one form of its URL before Express' router runs.

import type { IncomingMessage } from 'node:http';
import type { Express, Request } from 'express';

/** Express' own object, for which it exports no type. */
interface Route {
  readonly path: string;
  readonly methods: Record<string, true>;
}

/** A layer of Express' router; a middleware's layer has no route. */
interface Layer {
  readonly route?: Route;
  match(path: string): boolean;
}

/** @returns the routes of any method that match a path; none for a path with an invalid encoding */
export function routesAt({ router }: Express, path: string): Route[] {
  const layers = router.stack as unknown as Layer[];
  try {
    return layers.flatMap((layer) => (layer.route && layer.match(path) ? [layer.route] : []));
  } catch {
    return [];
  }
}

/** Also finds the route of a request that was refused before its route; undefined when there is no such route. */
export function routeOf({ app, method, path, route }: Request): string | undefined {
  if (route) return (route as Route).path;
  const name = method === 'HEAD' ? 'get' : method.toLowerCase();
  return routesAt(app as Express, path).find(({ methods }) => methods[name])?.path;
}

/** Matches URLs that are in the normal form for any route, which nearly all are. */
const NORMAL = /^(?:\/|(?:\/[a-z0-9._~-]+)+)(?:\?[^#]*)?$/;
/** The origin in the whole URL that a client sends when it takes the service for a proxy (RFC 9112 section 3.2.2). */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\\]*/i;

/**
 * The URL as the route's pattern spells it. The router also serves a path in capitals, with a slash at its end and
 * after an origin. This runs before all code that looks at the path, so that limits, access, metrics and the log see
 * one form. A path without a route stays as it is.
 */
export function normalUrl(express: Express, { url = '/' }: IncomingMessage): string {
  if (NORMAL.test(url) || url === '*') return url;
  const [, given = '', query = ''] = /^([^?#]*)(\?[^#]*)?/.exec(url.replace(ORIGIN, '')) ?? [];
  const path = (given === '' ? '/' : given).replaceAll('\\', '/').replaceAll(/[^!-~]/g, encodeURIComponent);
  const patterns = routesAt(express, path).map(({ path }) => path);
  // A pattern that ends with a slash is another page than the one without it.
  const pattern = patterns.find((pattern) => path.endsWith('/') && pattern.endsWith('/')) ?? patterns[0];
  return (pattern === undefined ? path : spelledAs(pattern, path)) + query;
}

/** @returns the pattern with the client's values for its parameters */
function spelledAs(pattern: string, path: string): string {
  const names = pattern.split('/');
  const parts = path.split('/');
  const wildcard = names.findIndex((name) => name.startsWith('*'));
  if (wildcard >= 0) return [...names.slice(0, wildcard), ...parts.slice(wildcard)].join('/');
  return names.map((name, i) => (name.startsWith(':') ? parts[i] : name)).join('/');
}

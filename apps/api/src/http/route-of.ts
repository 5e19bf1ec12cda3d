// The pattern of the route that a request asks for.

import type { Request } from 'express';

/** Express's own, untyped. */
interface Route {
  readonly path: string;
  readonly methods: Record<string, true>;
}

interface Layer {
  readonly route?: Route;
  match(path: string): boolean;
}

/** Also of a request that was refused before it got there; undefined when there is no such route. */
export function routeOf({ app, method, path, route }: Request): string | undefined {
  if (route) return (route as Route).path;
  const layers = app.router.stack as unknown as Layer[];
  try {
    return layers.find((layer) => layer.route?.methods[method.toLowerCase()] && layer.match(path))?.route?.path;
  } catch {
    return undefined; // a path that is not validly encoded
  }
}

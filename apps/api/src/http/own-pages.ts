// With AUTH=open any page in a browser on the same machine or network could change the pools. So only pages of the
// service itself and of listed origins may change anything. The service also answers to its own names only, so that no
// other site can point a name of its own at the service's address (DNS rebinding).

import { isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import type { Config } from '../config.js';
import { isLoopback } from '../config.js';
import { HttpProblem } from './problem.js';

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

export function ownPages(config: Pick<Config, 'host' | 'allowedHosts' | 'corsOrigins'>): RequestHandler {
  const { host, allowedHosts, corsOrigins } = config;
  const names = new Set(['localhost', host.toLowerCase(), ...allowedHosts]);
  // Only the operator knows the names of a service that listens beyond this machine; it checks them if they are listed.
  const isNamed = isLoopback(host) || allowedHosts.length > 0;
  const listed = new Set(corsOrigins);

  return (req, _res, next) => {
    const name = nameIn(req.headers.host ?? '');
    // DNS rebinding needs a name; an address is always the service's own.
    if (isNamed && name !== '' && isIP(name) === 0 && !names.has(name)) {
      const detail = 'the header Host names another service: names of this one are listed in ALLOWED_HOSTS';
      return next(new HttpProblem('invalid_request', detail));
    }
    if (!SAFE.includes(req.method) && isForeign(req) && !listed.has(req.headers.origin ?? '')) {
      const detail = 'a page of another origin may change nothing here, unless CORS_ORIGINS lists it';
      return next(new HttpProblem('insufficient_scope', detail));
    }
    next();
  };
}

/** @returns the host without its port and without the brackets of IPv6 */
const nameIn = (host: string): string => /^(?:\[([^\]]*)\]|([^:]*))/.exec(host.toLowerCase())!.slice(1).join('');

/** Whether a browser says that the request comes from another site; programs send none of these headers. */
function isForeign({ headers: { origin, host, 'sec-fetch-site': site } }: Request): boolean {
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return origin !== undefined && origin.replace(/^https?:\/\//, '') !== host;
}

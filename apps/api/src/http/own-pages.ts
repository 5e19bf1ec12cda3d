// With AUTH=open a browser on the same machine or network may do everything, whatever page it shows. So only pages of the
// service itself, or of origins that are listed, may change anything; and the service has no names but its own, so that no
// other site becomes its page by giving itself the service's address (DNS rebinding).

import { isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import type { Config } from '../config.js';
import { isLoopback } from '../config.js';
import { HttpProblem } from './problem.js';

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

export function ownPages(config: Pick<Config, 'host' | 'allowedHosts' | 'corsOrigins'>): RequestHandler {
  const { host, allowedHosts, corsOrigins } = config;
  const names = new Set(['localhost', host.toLowerCase(), ...allowedHosts]);
  // Others than those of this machine reach it by names that only they know, unless these are listed.
  const isNamed = isLoopback(host) || allowedHosts.length > 0;
  const listed = new Set(corsOrigins);

  return (req, _res, next) => {
    const name = nameIn(req.headers.host ?? '');
    // An address cannot be anybody else's name.
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

/** Without its port, and without the brackets of IPv6. */
const nameIn = (host: string): string => /^(?:\[([^\]]*)\]|([^:]*))/.exec(host.toLowerCase())!.slice(1).join('');

/** As browsers say it; programs say nothing of the kind. */
function isForeign({ headers: { origin, host, 'sec-fetch-site': site } }: Request): boolean {
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return origin !== undefined && origin.replace(/^https?:\/\//, '') !== host;
}

// Where a request comes from, for limits and for the log: as the socket says, or as proxies say that are trusted.

import { isIP, isIPv6 } from 'node:net';
import type { Request } from 'express';

export const addressOf = (req: Request): string =>
  withoutMapping(withoutPort(req.ip) ?? req.socket.remoteAddress ?? 'unknown');

/** Some gateways write the port, too. Each connection has another one: kept, it would pass by every limit. Undefined for what is no address. */
function withoutPort(text = ''): string | undefined {
  const address = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return isIP(address) === 0 ? undefined : address;
}

/** Whoever has one address of IPv6 has all of its network. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [before = '', after] = (address.split('%')[0] as string).split('::');
  const first = before === '' ? [] : before.split(':');
  const last = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const groups = [...first, ...Array.from({ length: zeros }, () => '0'), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** An address of IPv4 on a socket of IPv6. */
const withoutMapping = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

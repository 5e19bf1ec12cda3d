// The client address of a request, for limits and for the log: the socket's, or the one that trusted proxies report.

import { isIP, isIPv6 } from 'node:net';
import type { Request } from 'express';

export const addressOf = (req: Request): string =>
  withoutMapping(withoutPort(req.ip) ?? req.socket.remoteAddress ?? 'unknown');

/**
 * Some gateways append the port. Each connection has another port, so an address with its port would evade every limit.
 * @returns undefined when the text is not an address
 */
function withoutPort(text = ''): string | undefined {
  const address = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return isIP(address) === 0 ? undefined : address;
}

/**
 * The unit that limits count: an IPv4 address, or the /64 network of an IPv6 address, because one client usually owns
 * the whole /64.
 */
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

/** Turns an IPv4-mapped IPv6 address (`::ffff:10.0.0.1`), as a dual-stack socket reports it, into IPv4. */
const withoutMapping = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

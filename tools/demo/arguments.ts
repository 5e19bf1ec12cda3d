// The demo's arguments, which say where the service is.

import { parseArgs } from 'node:util';

export const HELP = `Plays a day at a counter against a running service, in pools of its own.

Usage: npm run demo [-- URL]

  URL      where the service is; otherwise TOKEN_POOL_URL, or PORT (4000) of this machine
  --help   this text`;

/**
 * @returns the URL of the service; null for --help
 * @throws Error in one line without the URL, which may hold a password
 */
export function serviceUrl(args: readonly string[], env: Readonly<Record<string, string | undefined>>): string | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean' } },
    allowPositionals: true,
  });
  if (values.help) return null;
  const url = positionals[0] ?? env['TOKEN_POOL_URL'] ?? `http://127.0.0.1:${env['PORT'] ?? 4000}`;
  if (positionals.length > 1 || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new Error('one http:// or https:// URL at most is expected');
  }
  return url;
}

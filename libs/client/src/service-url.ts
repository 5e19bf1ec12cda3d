// Checks a client's URL and headers before it sends anything, because wrong ones never work. The platform's own errors
// repeat them, with passwords in URLs and keys in headers. No message here repeats any of that.

const ALLOWED = 'allowed is one such as https://tokens.example.org, without user, password, query and fragment';

/**
 * The base of all URLs, and the URL in the form that errors show.
 * @throws TypeError
 */
export function checkedUrl(given: string): { readonly base: string; readonly redacted: string } {
  // In a browser, a path without an origin belongs to the page's origin.
  const { location } = globalThis as { readonly location?: { readonly href?: string } };
  if (!URL.canParse(given, location?.href)) throw new TypeError(`the URL of the service is malformed; ${ALLOWED}`);
  const { protocol, origin, username, password, search, hash } = new URL(given, location?.href);
  const isAllowed = /^https?:$/.test(protocol) && (username || password || search || hash) === '';
  if (!isAllowed) throw new TypeError(`the URL of the service cannot be used; ${ALLOWED}`);
  // Errors show only the origin, because a path may be a secret. Even the host may be a key in the wrong place.
  return { base: given.replace(/\/+$/, ''), redacted: origin.replace(/tp_\w*/gi, 'tp_(not shown)') };
}

/**
 * The headers of every request, the key among them.
 * @throws TypeError
 */
export function checkedHeaders(
  given: Readonly<Record<string, string>>,
  key: string | undefined,
): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(given)) {
    if (!isHeader(name, '')) throw new TypeError('the name of a header among those of the client is malformed');
    if (!isHeader(name, value)) throw new TypeError(`the header ${name} holds characters that no header may hold`);
  }
  if (key === undefined) return given;
  const authorization = `Bearer ${key}`;
  if (!isHeader('authorization', authorization)) {
    throw new TypeError('the key holds characters that no header may hold, such as a line break');
  }
  return { ...given, authorization };
}

export function isHeader(name: string, value: string): boolean {
  try {
    return new Headers([[name, value]]).has(name);
  } catch {
    return false;
  }
}

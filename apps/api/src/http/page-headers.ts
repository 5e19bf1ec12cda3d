// The headers of pages, in addition to those of every answer.

import type { Headers } from './answer-headers.js';

/** The headers of helmet that also have a meaning without TLS. */
const COMMON: Headers = [
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['origin-agent-cluster', '?1'],
  ['x-dns-prefetch-control', 'off'],
  ['x-frame-options', 'SAMEORIGIN'],
  ['x-permitted-cross-domain-policies', 'none'],
];

/** Allows the console's own files and this service only; no inline style or script. */
const CONSOLE_POLICY = [
  "default-src 'none'",
  "base-uri 'none'",
  "connect-src 'self'",
  "font-src 'self'",
  "form-action 'none'",
  "frame-ancestors 'self'",
  "img-src 'self'",
  "script-src 'self'",
  "script-src-attr 'none'",
  "style-src 'self'",
];

/** Helmet's default without TLS: Swagger UI has inline pictures and styles. */
const DOCS_POLICY = [
  "default-src 'self'",
  "base-uri 'self'",
  "font-src 'self' https: data:",
  "form-action 'self'",
  "frame-ancestors 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "script-src 'self'",
  "script-src-attr 'none'",
  "style-src 'self' https: 'unsafe-inline'",
];

export const CONSOLE_HEADERS = under(CONSOLE_POLICY);

export const DOCS_HEADERS = under(DOCS_POLICY);

function under(policy: readonly string[]): Headers {
  return [...COMMON, ['content-security-policy', policy.join(';')]];
}

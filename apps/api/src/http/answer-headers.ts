// The headers of every answer: no cache keeps it, no browser guesses its type or frames it. Pages have more
// (page-headers.ts).

export type Headers = readonly (readonly [name: string, value: string])[];

const ALWAYS: Headers = [
  // Answers name leases and their holders, which change at any time.
  ['cache-control', 'no-store'],
  ['content-security-policy', "default-src 'none';frame-ancestors 'none'"],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
];

/** @param hstsSeconds for how long browsers use TLS only, where TLS ends before this service; 0: without that header */
export const answerHeaders = (hstsSeconds: number): Headers =>
  hstsSeconds === 0 ? ALWAYS : [...ALWAYS, ['strict-transport-security', `max-age=${hstsSeconds}`]];

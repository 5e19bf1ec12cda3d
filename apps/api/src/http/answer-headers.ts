// What every answer says of itself, so that nobody keeps, guesses or frames it. Pages say more (page-headers.ts).

export type Headers = readonly (readonly [name: string, value: string])[];

const ALWAYS: Headers = [
  // Leases and their holders: for who asked, and now.
  ['cache-control', 'no-store'],
  ['content-security-policy', "default-src 'none';frame-ancestors 'none'"],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
];

/** @param hstsSeconds for how long browsers come by TLS only: for a service that TLS stands before; 0: they are not told */
export const answerHeaders = (hstsSeconds: number): Headers =>
  hstsSeconds === 0 ? ALWAYS : [...ALWAYS, ['strict-transport-security', `max-age=${hstsSeconds}`]];

// Time in the domain: instants are numbers, so that they compare and subtract exactly as in PostgreSQL.

/**
 * Microseconds since the Unix epoch, read from the database's clock: PostgreSQL's own resolution,
 * and exact in a double until the year 2255.
 */
export type Instant = number;

/** A duration in microseconds, at least one. */
export const fromSeconds = (seconds: number): number => Math.max(1, Math.round(seconds * 1_000_000));

/** Whole seconds from one instant to a later one, rounded up, at least 1 (for `Retry-After`). */
export const secondsUntil = (from: Instant, to: Instant): number => Math.max(1, Math.ceil((to - from) / 1_000_000));

/** RFC 3339 in UTC with six decimals: `2026-11-21T09:30:00.123456Z`. */
export function toIso(instant: Instant): string {
  const micros = String(instant % 1000).padStart(3, '0');
  return `${new Date(Math.floor(instant / 1000)).toISOString().slice(0, -1)}${micros}Z`;
}

/** What `toIso` made. */
export const fromIso = (iso: string): Instant => Date.parse(`${iso.slice(0, 19)}Z`) * 1000 + Number(iso.slice(20, 26));

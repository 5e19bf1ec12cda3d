// Time in the domain. Instants are numbers, so that they compare and subtract exactly as in PostgreSQL.

/**
 * Microseconds since the Unix epoch, by the clock of the database. This is the resolution of PostgreSQL, and a double
 * represents it exactly until the year 2255.
 */
export type Instant = number;

/** A duration in seconds as microseconds, at least 1. */
export const fromSeconds = (seconds: number): number => Math.max(1, Math.round(seconds * 1_000_000));

/** Whole seconds from one instant to a later one, rounded up, at least 1 (for `Retry-After`). */
export const secondsUntil = (from: Instant, to: Instant): number => Math.max(1, Math.ceil((to - from) / 1_000_000));

/** RFC 3339 in UTC with six decimals: `2026-11-21T09:30:00.123456Z`. */
export function toIso(instant: Instant): string {
  const micros = String(instant % 1000).padStart(3, '0');
  return `${new Date(Math.floor(instant / 1000)).toISOString().slice(0, -1)}${micros}Z`;
}

const GIVEN = /^(\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d+))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/**
 * Rewrites an instant in RFC 3339 that a caller gives as `toIso` writes it; null for an invalid one. So the database
 * never reads offsets, days that do not exist, leap seconds, or years that it interprets in its own way.
 */
export function instantOf(text: string, mostDecimals = 6): string | null {
  const [, second, , decimals = '', sign, hours, minutes] = GIVEN.exec(text) ?? [];
  if (second === undefined || decimals.length > mostDecimals) return null;
  const local = new Date(`${second}Z`);
  // Date reads 30 February as a day in March.
  if (Number.isNaN(local.getTime()) || !local.toISOString().startsWith(second)) return null;
  const ahead = sign === undefined ? 0 : Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes));
  const utc = new Date(local.getTime() - ahead * 60_000).toISOString();
  // toISOString writes years of more than four digits with a sign. PostgreSQL has no year 0.
  if (!/^\d{4}-/.test(utc) || utc.startsWith('0000')) return null;
  return `${utc.slice(0, 19)}.${decimals.slice(0, 6).padEnd(6, '0')}Z`;
}

/** Reads what `toIso` has written. */
export const fromIso = (iso: string): Instant => Date.parse(`${iso.slice(0, 19)}Z`) * 1000 + Number(iso.slice(20, 26));

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

const GIVEN = /^(\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d+))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/**
 * An instant that a caller gives in RFC 3339, as `toIso` writes it: so the database need not read offsets, days that do not
 * exist, leap seconds and years that it understands in its own way. Null for what is none.
 */
export function instantOf(text: string, mostDecimals = 6): string | null {
  const [, second, , decimals = '', sign, hours, minutes] = GIVEN.exec(text) ?? [];
  if (second === undefined || decimals.length > mostDecimals) return null;
  const local = new Date(`${second}Z`);
  // A 30th of February would be taken for a day in March.
  if (Number.isNaN(local.getTime()) || !local.toISOString().startsWith(second)) return null;
  const ahead = sign === undefined ? 0 : Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes));
  const utc = new Date(local.getTime() - ahead * 60_000).toISOString();
  // Years with a sign have more than four digits; PostgreSQL has no year 0.
  if (!/^\d{4}-/.test(utc) || utc.startsWith('0000')) return null;
  return `${utc.slice(0, 19)}.${decimals.slice(0, 6).padEnd(6, '0')}Z`;
}

/** What `toIso` made. */
export const fromIso = (iso: string): Instant => Date.parse(`${iso.slice(0, 19)}Z`) * 1000 + Number(iso.slice(20, 26));

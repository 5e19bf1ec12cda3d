// PostgreSQL arrays as text. The driver quotes and escapes each element; what is written here needs neither.

/** Numbers, booleans, UUIDs and the words of the audit, or null. */
export const array = (items: readonly (string | number | boolean | null)[]): string =>
  `{${items.map((item) => item ?? 'NULL').join(',')}}`;

/** Anything as JSON: each element a quoted string, in which backslashes and quotes are escaped. */
export const jsonArray = (items: readonly unknown[]): string =>
  `{${items.map((item) => (item === null ? 'NULL' : `"${JSON.stringify(item).replace(/[\\"]/g, '\\$&')}"`)).join(',')}}`;

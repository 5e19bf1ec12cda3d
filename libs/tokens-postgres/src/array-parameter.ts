// Arrays as PostgreSQL writes them: a statement's parameters are texts.

/** Numbers, booleans, UUIDs and the words of the audit, or null: none needs to be quoted. */
export const array = (items: readonly (string | number | boolean | null)[]): string =>
  `{${items.map((item) => item ?? 'NULL').join(',')}}`;

/** Any texts, or null. */
export const textArray = (items: readonly (string | null)[]): string =>
  array(items.map((item) => (item === null ? null : quoted(item))));

/** Anything as JSON; null stays NULL. */
export const jsonArray = (items: readonly unknown[]): string =>
  textArray(items.map((item) => (item === null ? null : JSON.stringify(item))));

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

// Arrays as PostgreSQL writes them: a statement's parameters are texts.

/** Numbers, booleans, UUIDs and the words of the audit, or null: none needs to be quoted. */
export const array = (items: readonly (string | number | boolean | null)[]): string =>
  `{${items.map((item) => item ?? 'NULL').join(',')}}`;

/** Any texts. */
export const textArray = (items: readonly string[]): string => array(items.map(quoted));

/** Anything as JSON; null stays NULL. */
export const jsonArray = (items: readonly unknown[]): string =>
  array(items.map((item) => (item === null ? null : quoted(JSON.stringify(item)))));

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

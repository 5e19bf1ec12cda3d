// Arrays as a statement's parameters. Numbers go in PostgreSQL's binary form, which is quicker to write here and to read there;
// of ids the text is quicker here, where time is shorter.
// https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c (array_recv)

const BIGINT_OID = 20;
const HEADER = 20;
const LENGTH = 4;
const SIZE = 8;

type Items<T> = readonly (T | null)[];

/** bigint[]. Whole numbers, at most those that a double holds exactly. */
export function bigints(items: Items<number>): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER + items.length * (LENGTH + SIZE));
  bytes.writeInt32BE(items.length === 0 ? 0 : 1, 0); // dimensions
  bytes.writeInt32BE(1, 4); // may hold NULL
  bytes.writeInt32BE(BIGINT_OID, 8);
  if (items.length === 0) return bytes.subarray(0, 12);
  bytes.writeInt32BE(items.length, 12);
  bytes.writeInt32BE(1, 16); // the first index
  let at = HEADER;
  for (const item of items) {
    bytes.writeInt32BE(item === null ? -1 : SIZE, at);
    at += LENGTH;
    if (item === null) continue;
    bytes.writeInt32BE(Math.floor(item / 2 ** 32), at);
    bytes.writeUInt32BE(item >>> 0, at + 4);
    at += SIZE;
  }
  return bytes.subarray(0, at);
}

/** uuid[] */
export const uuids = (items: Items<string>): string => unquoted(items);

/** boolean[] */
export const booleans = (items: Items<boolean>): string => unquoted(items);

/** text[] of words of our own, of letters and underscores. */
export const words = (items: Items<string>): string => unquoted(items);

/** text[] */
export const texts = (items: Items<string>): string =>
  unquoted(items.map((item) => (item === null ? null : quoted(item))));

/** jsonb[]: anything; null stays NULL. */
export const jsons = (items: readonly unknown[]): string =>
  texts(items.map((item) => (item === null ? null : JSON.stringify(item))));

const unquoted = (items: Items<string | boolean>): string => `{${items.map((item) => item ?? 'NULL').join(',')}}`;

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

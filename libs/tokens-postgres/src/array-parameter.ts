// Arrays as a statement's parameters. Those of ids and numbers go in PostgreSQL's binary form, which it need not parse: a
// batch has thousands of them. https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c (array_recv)

const UUID_OID = 2950;
const BIGINT_OID = 20;

type Items<T> = readonly (T | null)[];

/** uuid[] */
export function uuids(items: Items<string>): Buffer {
  return binary(items, UUID_OID, 16, (bytes, id, at) => {
    for (let from = 0; from < 36; from += 2, at++) {
      if (id.charCodeAt(from) === DASH) from++;
      bytes[at] = (NIBBLES[id.charCodeAt(from)]! << 4) | NIBBLES[id.charCodeAt(from + 1)]!;
    }
  });
}

/** bigint[]. Whole numbers, at most those that a double holds exactly. */
export function bigints(items: Items<number>): Buffer {
  return binary(items, BIGINT_OID, 8, (bytes, number, at) => {
    bytes.writeInt32BE(Math.floor(number / 2 ** 32), at);
    bytes.writeUInt32BE(number >>> 0, at + 4);
  });
}

/** boolean[] */
export const booleans = (items: readonly boolean[]): string => `{${items.join(',')}}`;

/** text[] */
export const texts = (items: Items<string>): string =>
  `{${items.map((item) => (item === null ? 'NULL' : quoted(item))).join(',')}}`;

/** jsonb[]: anything; null stays NULL. */
export const jsons = (items: readonly unknown[]): string =>
  texts(items.map((item) => (item === null ? null : JSON.stringify(item))));

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

const DASH = '-'.charCodeAt(0);
/** Of the code of a hexadecimal digit, its value. */
const NIBBLES = Uint8Array.from({ length: 103 }, (_, code) => parseInt(String.fromCharCode(code), 16) || 0);

const HEADER = 20;
const LENGTH = 4;

function binary<T>(
  items: Items<T>,
  oid: number,
  size: number,
  write: (bytes: Buffer, item: T, at: number) => void,
): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER + items.length * (LENGTH + size));
  bytes.writeInt32BE(items.length === 0 ? 0 : 1, 0); // dimensions
  bytes.writeInt32BE(1, 4); // may hold NULL
  bytes.writeInt32BE(oid, 8);
  if (items.length === 0) return bytes.subarray(0, 12);
  bytes.writeInt32BE(items.length, 12);
  bytes.writeInt32BE(1, 16); // the first index
  let at = HEADER;
  for (const item of items) {
    bytes.writeInt32BE(item === null ? -1 : size, at);
    at += LENGTH;
    if (item === null) continue;
    write(bytes, item, at);
    at += size;
  }
  return bytes.subarray(0, at);
}

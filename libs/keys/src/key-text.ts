// The text of a key: `tp_<id>_<secret>_<checksum>`. The checksum tells a key from a typo, and from other text that
// begins with `tp_`, without a query.

import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** The form of a key, for documents. */
export const KEY_FORMAT = 'tp_<id>_<secret>_<checksum>';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ID_LENGTH = 12;
/** 256 bits. */
const SECRET_BYTES = 32;
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;

export const KEY_ID = new RegExp(`^[0-9A-Za-z]{${ID_LENGTH}}$`);
const KEY = new RegExp(
  `^tp_([0-9A-Za-z]{${ID_LENGTH}})_([0-9A-Za-z]{${SECRET_LENGTH}})_([0-9A-Za-z]{${CHECKSUM_LENGTH}})$`,
);
/** Text that looks like a key, also one that is truncated or mistyped. */
const KEY_LIKE = /tp_[0-9A-Za-z]{12}_[0-9A-Za-z_]*/g;

export interface KeyParts {
  readonly id: string;
  readonly secret: string;
}

export const newKeyId = (): string => inDigits(randomBytes(9), ID_LENGTH).slice(-ID_LENGTH);
export const newSecret = (): string => inDigits(randomBytes(SECRET_BYTES), SECRET_LENGTH);

export function keyText({ id, secret }: KeyParts): string {
  const body = `tp_${id}_${secret}`;
  return `${body}_${checksumOf(body)}`;
}

/** The parts of a key; null if the text is no key, or has a typo. */
export function readKey(text: string): KeyParts | null {
  const [, id, secret, checksum] = KEY.exec(text) ?? [];
  if (id === undefined || secret === undefined) return null;
  return checksumOf(`tp_${id}_${secret}`) === checksum ? { id, secret } : null;
}

/** The only form in which the service stores a secret. Secrets are random, so they need no salt and no slow hash. */
export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Whether a text contains something that looks like a key, complete or truncated. */
export const containsKey = (text: string): boolean => text.includes('tp_') && text.search(KEY_LIKE) >= 0;

/** The text without anything that looks like a key. */
export const withoutKeys = (text: string): string =>
  text.includes('tp_') ? text.replaceAll(KEY_LIKE, 'tp_(not shown)') : text;

/**
 * A program's argument in a form that its messages may repeat. A user may have passed a key, or a URL with a password,
 * in the place of something else.
 */
export const withoutSecrets = (text: string): string =>
  text.replaceAll(/tp_[\w-]*/gi, 'tp_(not shown)').replaceAll(/\/\/[^\s/]*@/g, '//(not shown)@');

const checksumOf = (text: string): string => inDigits(crc32(text), CHECKSUM_LENGTH);

function inDigits(value: Buffer | number, length: number): string {
  let rest = typeof value === 'number' ? BigInt(value) : BigInt(`0x${value.toString('hex')}`);
  const base = BigInt(DIGITS.length);
  let text = '';
  for (; rest > 0n; rest /= base) text = (DIGITS[Number(rest % base)] as string) + text;
  return text.padStart(length, '0');
}

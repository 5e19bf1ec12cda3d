// A key as its holder has it: `tp_<id>_<secret>_<checksum>`. The checksum tells a key from a typo, and from other words
// that begin alike, without asking anybody.

import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** For documents. */
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
/** Also one that was cut off or mistyped. */
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

/** Null when it is no key, or one with a typo. */
export function readKey(text: string): KeyParts | null {
  const [, id, secret, checksum] = KEY.exec(text) ?? [];
  if (id === undefined || secret === undefined) return null;
  return checksumOf(`tp_${id}_${secret}`) === checksum ? { id, secret } : null;
}

/** All that is stored of a secret. It is random, so it needs neither salt nor a slow hash. */
export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Whether there is something in a text that looks like a key, whole or not. */
export const containsKey = (text: string): boolean => text.includes('tp_') && text.search(KEY_LIKE) >= 0;

/** The text, fit to be shown. */
export const withoutKeys = (text: string): string =>
  text.includes('tp_') ? text.replaceAll(KEY_LIKE, 'tp_(not shown)') : text;

/**
 * What a program was given, fit for its messages: somebody may have given a key, or a URL with a password, where something
 * else belongs.
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

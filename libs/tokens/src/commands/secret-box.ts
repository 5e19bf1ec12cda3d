// Encrypts the secrets of things with AES-256-GCM (NIST SP 800-38D). The pool and the token are the associated data, so
// a secret that is copied to another token does not open there.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { canonical } from '../kernel/canonical-json.js';
import { DomainError } from '../kernel/domain-error.js';
import { SealedSecret, type GivenSecret } from '../pool/thing.js';

export type SecretValue = Readonly<Record<string, unknown>>;

const ALGORITHM = 'aes-256-gcm';
/** The sealed form: one byte for the version, the nonce, the tag, and the encrypted canonical JSON. */
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

const KEY_BYTES = 32;

/** The keys of SECRETS_KEY: 32 bytes each in base64, with commas between them; undefined for any other text. */
export function secretsKeysOf(text: string): Buffer[] | undefined {
  const keys = text.split(',').map((part) => part.trim());
  if (!keys.every((key) => /^[A-Za-z0-9+/]{43}=$/.test(key))) return undefined;
  const bytes = keys.map((key) => Buffer.from(key, 'base64'));
  return bytes.every(({ length }) => length === KEY_BYTES) ? bytes : undefined;
}

export class SecretBox {
  /**
   * @param keys of 32 bytes each: the first one encrypts, and all decrypt. Without a key the service keeps no secrets.
   */
  constructor(private readonly keys: readonly Buffer[] = []) {}

  /** @throws DomainError `secrets_off` without a key */
  give(pool: string, value: SecretValue): GivenSecret {
    if (this.keys.length === 0) {
      throw new DomainError('secrets_off', 'the service has no SECRETS_KEY, so it keeps no secrets');
    }
    const json = canonical(value);
    return {
      sealFor: (tokenId) => this.#seal(pool, tokenId, json),
      isIn: (sealed, tokenId) => this.#text(pool, tokenId, sealed) === json,
    };
  }

  /** @throws DomainError `unavailable` if none of the keys has encrypted it for this token */
  open(pool: string, tokenId: string, sealed: SealedSecret): SecretValue {
    const json = this.#text(pool, tokenId, sealed);
    if (json === null) {
      throw new DomainError('unavailable', `no key in SECRETS_KEY opens the secret of token ${tokenId}`);
    }
    return JSON.parse(json) as SecretValue;
  }

  /** The same secret, encrypted with the first key; null if it is that already. @throws as `open` */
  reseal(pool: string, tokenId: string, sealed: SealedSecret): SealedSecret | null {
    if (decrypted(this.keys[0], pool, tokenId, sealed) !== null) return null;
    return this.give(pool, this.open(pool, tokenId, sealed)).sealFor(tokenId);
  }

  #seal(pool: string, tokenId: string, json: string): SealedSecret {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.keys[0] as Buffer, nonce).setAAD(associated(pool, tokenId));
    const text = Buffer.concat([cipher.update(json, 'utf8'), cipher.final()]);
    return new SealedSecret(Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), text]));
  }

  #text(pool: string, tokenId: string, sealed: SealedSecret): string | null {
    for (const key of this.keys) {
      const text = decrypted(key, pool, tokenId, sealed);
      if (text !== null) return text;
    }
    return null;
  }
}

function decrypted(key: Buffer | undefined, pool: string, tokenId: string, { bytes }: SealedSecret): string | null {
  if (key === undefined || bytes.length < HEAD_BYTES || bytes[0] !== VERSION) return null;
  const nonce = bytes.subarray(1, 1 + NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(associated(pool, tokenId))
    .setAuthTag(bytes.subarray(1 + NONCE_BYTES, HEAD_BYTES));
  try {
    return decipher.update(bytes.subarray(HEAD_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return null;
  }
}

/** A pool has no blank in its name, so no other pool and token have the same text. */
const associated = (pool: string, tokenId: string): Buffer => Buffer.from(`${pool} ${tokenId}`);

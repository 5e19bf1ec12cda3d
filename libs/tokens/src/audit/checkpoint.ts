// A checkpoint: the ends of the chains of hashes at an instant, signed and kept elsewhere. A forged history with new
// hashes does not contain these points.

import { sign, verify, type KeyObject } from 'node:crypto';

/** The hash of one event of a pool, which covers all events up to it. */
export interface ChainPoint {
  readonly pool: string;
  readonly seq: number;
  /** 64 hexadecimal digits. */
  readonly hash: string;
}

export interface Checkpoint {
  /** RFC 3339. */
  readonly at: string;
  readonly points: readonly ChainPoint[];
}

/** The text of a checkpoint: JSON with an Ed25519 signature (base64) over `at` and `points`, and a line break. */
export function signCheckpoint({ at, points }: Checkpoint, privateKey: KeyObject): string {
  const signature = sign(null, signed({ at, points }), privateKey).toString('base64');
  return `${JSON.stringify({ at, points, signature }, null, 2)}\n`;
}

/** @throws Error when the text is no checkpoint, or the private key of this public key did not sign it */
export function readCheckpoint(text: string, publicKey: KeyObject): Checkpoint {
  const { at, points, signature } = JSON.parse(text) as Checkpoint & { signature?: unknown };
  if (typeof at !== 'string' || !Array.isArray(points) || typeof signature !== 'string') {
    throw new Error('the file is not a checkpoint');
  }
  const checkpoint = { at, points: points as ChainPoint[] };
  if (!verify(null, signed(checkpoint), publicKey, Buffer.from(signature, 'base64'))) {
    throw new Error('the signature of the checkpoint is not by this key, or the file was changed');
  }
  return checkpoint;
}

const signed = ({ at, points }: Checkpoint): Buffer =>
  Buffer.from(JSON.stringify(['token-pool checkpoint', at, ...points.map(({ pool, seq, hash }) => [pool, seq, hash])]));

// Reads a request's body: JSON in UTF-8 of at most 16 kB, 1 MB for an import, or nothing. Stricter than a general
// parser, and quicker.

import { withoutKeys } from '@app/keys';
import type { NextFunction, Request, Response } from 'express';
import { whyNotExact } from './exact-json.js';
import { HttpProblem } from './problem.js';

export const MAX_BODY_BYTES = 16 * 1024;
export const MAX_IMPORT_BYTES = 1024 * 1024;
const IMPORT = /^\/api\/pools\/[^/]+\/tokens$/;

const JSON_TYPE = /^application\/json\s*(;\s*charset\s*=\s*("utf-8"|utf-8)\s*)?;?$/i;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Leaves the parsed value in `req.body`; undefined when there is no body, or an empty one. */
export function jsonBody(req: Request, _res: Response, next: NextFunction): void {
  const { headers } = req;
  const isChunked = headers['transfer-encoding'] !== undefined;
  if (!isChunked && (headers['content-length'] === undefined || headers['content-length'] === '0')) return next();
  const most = req.method === 'PUT' && IMPORT.test(req.path) ? MAX_IMPORT_BYTES : MAX_BODY_BYTES;
  const chunks: Buffer[] = [];
  let size = 0;
  req.on('data', (chunk: Buffer) => {
    size += chunk.length;
    // Reads a body that is too large to its end without keeping it: a client that still sends might miss the answer.
    if (size <= most) chunks.push(chunk);
    else chunks.length = 0;
  });
  req.on('end', () => {
    try {
      if (size > 0) req.body = parsed(req, chunks, size, most);
    } catch (error) {
      return next(error);
    }
    next();
  });
  // A client that hangs up in the middle of its body can get no answer.
  req.on('error', ignored);
}

const ignored = (): void => undefined;

function parsed({ headers }: Request, chunks: Buffer[], size: number, most: number): unknown {
  if (size > most) throw new HttpProblem('body_too_large', `the body has more than ${most} bytes`);
  const type = headers['content-type'] ?? '';
  if (!JSON_TYPE.test(type)) {
    throw new HttpProblem('unsupported_media_type', 'content-type must be application/json, its charset utf-8');
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new HttpProblem(
      'unsupported_media_type',
      'content-encoding is not supported: the body must be sent as it is',
    );
  }
  const [text, value] = read(chunks);
  const why = whyNotExact(text, value);
  if (why !== null) throw new HttpProblem('invalid_request', withoutKeys(why));
  return value;
}

function read(chunks: Buffer[]): [text: string, value: unknown] {
  try {
    const text = UTF8.decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    return [text, JSON.parse(text)];
  } catch {
    throw new HttpProblem('invalid_request', 'the body is not valid JSON in UTF-8');
  }
}

// A file that is the same for every client and needs no key. It is made, compressed and hashed once, so that an answer
// costs no more than its bytes.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Request, Response } from 'express';

export class KeptFile {
  readonly #content: Buffer;
  readonly #etag: string;
  #packed: Buffer | undefined;

  constructor(
    private readonly type: string,
    content: Buffer | string,
  ) {
    this.#content = Buffer.from(content);
    // A weak ETag also covers the compressed form.
    this.#etag = `W/"${createHash('sha256').update(this.#content).digest('base64url').slice(0, 22)}"`;
  }

  /** @returns a new file with the edited text */
  edited(edit: (text: string) => string): KeptFile {
    return new KeptFile(this.type, edit(this.#content.toString()));
  }

  /** Sends the file, or 304 when the client has it. @param caching the value of `Cache-Control` */
  send(req: Request, res: Response, caching: string): void {
    res.setHeader('cache-control', caching);
    res.setHeader('etag', this.#etag);
    res.vary('accept-encoding');
    if (this.#isNamedBy(req.headers['if-none-match'])) return void res.status(304).end();
    const isPacked = req.acceptsEncodings('gzip') === 'gzip';
    const body = isPacked ? (this.#packed ??= gzipSync(this.#content)) : this.#content;
    res.setHeader('content-type', this.type);
    if (isPacked) res.setHeader('content-encoding', 'gzip');
    res.setHeader('content-length', body.length);
    res.end(body);
  }

  /** Replaces Express' `fresh`, which heeds the `Cache-Control: no-cache` that `fetch` sends with `If-None-Match`. */
  #isNamedBy(etags = ''): boolean {
    return etags.split(',').some((etag) => ['*', this.#etag, this.#etag.slice(2)].includes(etag.trim()));
  }
}

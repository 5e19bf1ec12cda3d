// One HTTP request, and what became of it: an answer, no connection at all, or a connection that was lost.

import { Agent, request } from 'node:http';

export interface Reply {
  /** null: no answer came. */
  readonly status: number | null;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfter?: string;
  /** What became of the connection when no answer came: `ECONNREFUSED`: the request was never sent. */
  readonly error?: string;
}

const PATIENCE_MS = 12_000;

const agent = new Agent({ keepAlive: true });

export function ask(
  port: number,
  method: string,
  path: string,
  body?: unknown,
  patienceMs = PATIENCE_MS,
): Promise<Reply> {
  return new Promise((resolve) => {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = bytes && { 'content-type': 'application/json', 'content-length': bytes.length };
    const failed = (error: NodeJS.ErrnoException): void =>
      resolve({ status: null, body: {}, error: error.code ?? error.message });
    const asked = request({ agent, host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        clearTimeout(timer);
        const text = Buffer.concat(chunks).toString();
        try {
          const parsed = JSON.parse(text) as Record<string, unknown>;
          resolve({ status: response.statusCode ?? null, body: parsed, retryAfter: response.headers['retry-after'] });
        } catch {
          resolve({
            status: response.statusCode ?? null,
            body: {},
            error: `the answer is not JSON: ${text.slice(0, 80)}`,
          });
        }
      });
    });
    const timer = setTimeout(
      () => asked.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })),
      patienceMs,
    );
    asked.on('error', (error) => {
      clearTimeout(timer);
      failed(error);
    });
    asked.end(bytes);
  });
}

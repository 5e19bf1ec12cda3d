// Sends one HTTP request. The outcome is an answer, no connection, or a lost connection.

import { Agent, request } from 'node:http';

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Reply {
  /** null without an answer */
  readonly status: number | null;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfter?: string;
  /** The error of the connection, given without an answer; after `ECONNREFUSED` the request was never sent. */
  readonly error?: string;
}

const PATIENCE_MS = 12_000;

const agent = new Agent({ keepAlive: true });

export function ask(port: number, asked: Request, patienceMs = PATIENCE_MS): Promise<Reply> {
  return new Promise((resolve) => {
    const { method, path, body } = asked;
    const bytes = body && Buffer.from(JSON.stringify(body));
    const ofBody = bytes && { 'content-type': 'application/json', 'content-length': bytes.length };
    const headers = { ...ofBody, ...asked.headers };
    const done = (reply: Reply): void => {
      clearTimeout(timer);
      resolve(reply);
    };
    const failed = (error: NodeJS.ErrnoException): void =>
      done({ status: null, body: {}, error: error.code ?? error.message });
    const sent = request({ agent, host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        const status = response.statusCode ?? null;
        const text = Buffer.concat(chunks).toString();
        const parsed = parse(text);
        if (parsed) done({ status, body: parsed, retryAfter: response.headers['retry-after'] });
        else done({ status, body: {}, error: `the answer is not JSON: ${text.slice(0, 80)}` });
      });
    });
    const tooLate = (): unknown => sent.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' }));
    const timer = setTimeout(tooLate, patienceMs);
    sent.on('error', failed);
    sent.end(bytes);
  });
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

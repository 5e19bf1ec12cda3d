// One request to the service and its answer: sent again where that can help, and with errors that say what happened.

import createClient, { type Client } from 'openapi-fetch';
import type { Problem } from './api-types.js';
import type { CallOptions } from './call-options.js';
import type { paths } from './openapi-types.js';
import { retrying } from './retrying.js';
import { TokenPoolConnectionError } from './token-pool-connection-error.js';
import { TokenPoolError } from './token-pool-error.js';

export interface ClientOptions {
  /** An API key (`tp_…`), where the service wants one. Sent as a header; in no URL and no error. */
  readonly key?: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default for every call's `timeoutMs`: 30,000. */
  readonly timeoutMs?: number;
  /** After how long without an answer a request is sent again, in milliseconds: 10,000. */
  readonly attemptTimeoutMs?: number;
  /** In place of the platform's. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** Internal options of a call. */
interface Attempts extends CallOptions {
  /** Goes with each attempt. */
  readonly idempotencyKey?: string;
  /** At most for one attempt, in milliseconds. */
  readonly attemptMs?: number;
  /** False: the request must not be sent twice. */
  readonly isRepeatable?: boolean;
}

interface Sent {
  readonly signal: AbortSignal;
  readonly headers: Record<string, string>;
}

interface Received {
  readonly data?: unknown;
  readonly error?: unknown;
  readonly response: Response;
}

export interface Timed<T> {
  readonly answer: T;
  /**
   * By the monotonic clock (`performance.now()`): the service decided on this answer then or later. Of an answer that
   * it gave to an earlier attempt, that is when the first one was sent.
   */
  readonly sentAt: number;
}

export class Calls {
  readonly #http: Client<paths>;
  readonly #options: ClientOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #url: string;

  constructor(url: string, options: ClientOptions) {
    this.#url = url.replace(/\/+$/, '');
    this.#options = options;
    const { key } = options;
    this.#headers = { ...options.headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) };
    this.#http = createClient<paths>({
      baseUrl: this.#url,
      headers: this.#headers,
      fetch: (request) => this.#fetch(request),
    });
  }

  /** @throws TokenPoolError when it is refused, TokenPoolConnectionError when there is no answer in time, the signal's reason */
  async answer<R extends Received>(
    send: (http: Client<paths>, init: Sent) => Promise<R>,
    options?: Attempts,
  ): Promise<NonNullable<R['data']>> {
    return (await this.timed(send, options)).answer;
  }

  /** As `answer`, and from when the answer counts. */
  timed<R extends Received>(
    send: (http: Client<paths>, init: Sent) => Promise<R>,
    options: Attempts = {},
  ): Promise<Timed<NonNullable<R['data']>>> {
    const { signal, isRepeatable, idempotencyKey } = options;
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? 30_000;
    const attemptMs = Math.min(options.attemptMs ?? Infinity, this.#options.attemptTimeoutMs ?? 10_000);
    const headers: Record<string, string> = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    let firstSentAt: number | undefined;
    return retrying({ signal, timeoutMs, attemptMs, isRepeatable }, async (signal) => {
      const sentAt = performance.now();
      firstSentAt ??= sentAt;
      const { data, error, response } = await connected(this.#url, () => send(this.#http, { signal, headers }));
      if (data === undefined || data === null) throw refusal(this.#url, response, error);
      const isReplay = response.headers.get('idempotency-replayed') === 'true';
      return { answer: data, sentAt: isReplay ? firstSentAt : sentAt };
    });
  }

  /** An answer that goes on: each call of the function gives the next piece, undefined after the last. @throws as `answer` */
  async open(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ): Promise<() => Promise<Uint8Array | undefined>> {
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const url = `${this.#url}${path}?${new URLSearchParams(given).toString()}`;
    const headers = { ...this.#headers, accept: 'text/event-stream' };
    const reader = await connected(this.#url, async () => {
      const response = await this.#fetch(new Request(url, { headers, signal }));
      if (response.ok && response.body) return response.body.getReader();
      throw refusal(this.#url, response, await response.json().catch(() => undefined));
    });
    return () => connected(this.#url, async () => (await reader.read()).value as Uint8Array | undefined);
  }

  #fetch(request: Request): Promise<Response> {
    return (this.#options.fetch ?? globalThis.fetch)(request);
  }
}

/** What goes wrong before there is a whole answer is the connection's fault. */
async function connected<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TokenPoolError || error instanceof TokenPoolConnectionError) throw error;
    if (error instanceof SyntaxError) throw foreign(url, 200, error);
    throw new TokenPoolConnectionError(`${url} cannot be reached: ${reasonOf(error)}`, { cause: error });
  }
}

function refusal(url: string, { status, headers }: Response, body: unknown): Error {
  if (!isProblem(body)) return foreign(url, status);
  const retryAfter = Number(headers.get('retry-after') ?? NaN);
  return new TokenPoolError(body, Number.isFinite(retryAfter) ? retryAfter : undefined);
}

const isProblem = (body: unknown): body is Problem =>
  typeof body === 'object' && body !== null && 'error' in body && 'request_id' in body;

const foreign = (url: string, foreignStatus: number, cause?: unknown): TokenPoolConnectionError =>
  new TokenPoolConnectionError(`what answers at ${url} (${foreignStatus}) is not a token pool service`, {
    foreignStatus,
    cause,
  });

/** Node's fetch hides what happened (ECONNREFUSED and the like) in the cause; browsers tell nobody. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message ?? String(error);
}

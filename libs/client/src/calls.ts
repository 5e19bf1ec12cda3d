// One request to the service and its answer: sent again where that can help, and with errors that say what happened.

import createClient, { type Client } from 'openapi-fetch';
import type { Problem } from './api-types.js';
import type { CallOptions } from './call-options.js';
import { now } from './clock.js';
import { stringifyExactJson } from './exact-json.js';
import type { paths } from './openapi-types.js';
import { retrying } from './retrying.js';
import { checkedHeaders, checkedUrl, isHeader } from './service-url.js';
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
export interface Attempts extends CallOptions {
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
  readonly fetch: (request: Request) => Promise<Response>;
}

interface Received {
  readonly data?: unknown;
  readonly error?: unknown;
  readonly response: Response;
}

export interface Timed<T> {
  readonly answer: T;
  /**
   * By the clock of `now`: the service decided on this answer then or later. Of an answer that
   * it gave to an earlier attempt, that is when the first one was sent.
   */
  readonly sentAt: number;
}

export class Calls {
  readonly #http: Client<paths>;
  readonly #options: ClientOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #url: string;
  /** The URL as errors show it. */
  readonly #shownUrl: string;

  /** @throws TypeError when the URL or a header can never work */
  constructor(url: string, options: ClientOptions) {
    const { base, shown } = checkedUrl(url);
    this.#url = base;
    this.#shownUrl = shown;
    this.#options = options;
    this.#headers = checkedHeaders(options.headers ?? {}, options.key);
    this.#http = createClient<paths>({
      baseUrl: base,
      headers: this.#headers,
      bodySerializer: stringifyExactJson,
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
    if (idempotencyKey !== undefined && !isHeader('idempotency-key', idempotencyKey)) {
      return Promise.reject(new TypeError('the idempotency key holds characters that no header may hold'));
    }
    let firstSentAt: number | undefined;
    return retrying({ signal, timeoutMs, attemptMs, isRepeatable }, async (signal) => {
      const sentAt = now();
      firstSentAt ??= sentAt;
      const { data, error, response } = await this.#connected((fetch) => send(this.#http, { signal, headers, fetch }));
      if (data === undefined || data === null) throw refusal(this.#shownUrl, response, error);
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
    const reader = await this.#connected(async (fetch) => {
      const response = await fetch(new Request(url, { headers, signal }));
      if (response.ok && response.body) return response.body.getReader();
      throw refusal(this.#shownUrl, response, await response.json().catch(() => undefined));
    });
    return () => this.#connected(async () => (await reader.read()).value as Uint8Array | undefined, true);
  }

  /**
   * What goes wrong between sending and a whole answer is the connection's fault. What goes wrong before, such as a body
   * that is no JSON, is the caller's, and no connection mends it.
   */
  async #connected<T>(work: (fetch: Sent['fetch']) => Promise<T>, isSent = false): Promise<T> {
    try {
      return await work((request) => {
        isSent = true;
        return (this.#options.fetch ?? globalThis.fetch)(request);
      });
    } catch (error) {
      if (!isSent || error instanceof TokenPoolError || error instanceof TokenPoolConnectionError) throw error;
      if (error instanceof SyntaxError) throw foreign(this.#shownUrl, 200, error);
      const { reason, isPermanent } = failureOf(error);
      throw new TokenPoolConnectionError(`${this.#shownUrl} cannot be reached: ${reason}`, {
        cause: error,
        isPermanent,
      });
    }
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

/** TLS that does not fit, a server of another protocol: the codes of what is the same the next time. */
const PERMANENT = /^(CERT_|DEPTH_ZERO_|EPROTO$|ERR_INVALID_|ERR_SSL_|ERR_TLS_|HPE_|SELF_SIGNED_|UNABLE_TO_)/;

/**
 * Node's fetch hides what happened (ECONNREFUSED and the like) in the cause; browsers tell nobody. A cause without a
 * code is a refusal of Node's fetch itself: a port that it does not serve, a redirect to another protocol or in a circle.
 */
function failureOf(error: unknown): { readonly reason: string; readonly isPermanent: boolean } {
  const { message, cause } = error as { message?: string; cause?: { code?: string; message?: string } };
  const isRefusedByFetch = message === 'fetch failed' && cause?.message !== undefined && cause.code === undefined;
  const isPermanent = isRefusedByFetch || PERMANENT.test(cause?.code ?? '');
  return { reason: cause?.code ?? cause?.message ?? message ?? String(error), isPermanent };
}

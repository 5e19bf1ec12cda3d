// Sends requests to the service and reads its responses, with retries and with errors that tell what happened.

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
  /**
   * An API key (`tp_…`), if the service requires one. The client sends it as a header; no URL and no error shows it.
   */
  readonly key?: string;
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The default of every call's `timeoutMs`, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number;
  /** How long one attempt waits for a response, in milliseconds. Default: 10,000. */
  readonly attemptTimeoutMs?: number;
  /** Replaces the platform's `fetch`. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** Internal options of a call. */
export interface Attempts extends CallOptions {
  /** A header of every attempt. */
  readonly idempotencyKey?: string;
  /** How long one attempt may take, in milliseconds. */
  readonly attemptMs?: number;
  /** For how long the service may hold each attempt, in milliseconds, which the limits do not count. Default: 0. */
  readonly waitMs?: number;
  /** False: the client must not send the request twice. */
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
   * An instant by the clock of `now`, not after the service's decision: when the client sent this attempt, or the first
   * attempt if the service repeats an earlier answer.
   */
  readonly sentAt: number;
}

export class Calls {
  readonly #http: Client<paths>;
  readonly #options: ClientOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #url: string;
  /** The URL in the form that errors show. */
  readonly #redactedUrl: string;

  /** @throws TypeError if the URL or a header can never work */
  constructor(url: string, options: ClientOptions) {
    const { base, redacted } = checkedUrl(url);
    this.#url = base;
    this.#redactedUrl = redacted;
    this.#options = options;
    this.#headers = checkedHeaders(options.headers ?? {}, options.key);
    this.#http = createClient<paths>({
      baseUrl: base,
      headers: this.#headers,
      bodySerializer: stringifyExactJson,
    });
  }

  /**
   * Sends a request and returns the body of the response.
   * @throws TokenPoolError if the service refuses it; TokenPoolConnectionError if there is no response in time; the
   *   signal's reason
   */
  async answer<R extends Received>(
    send: (http: Client<paths>, init: Sent) => Promise<R>,
    options?: Attempts,
  ): Promise<NonNullable<R['data']>> {
    return (await this.timed(send, options)).answer;
  }

  /** As `answer`, but also tells since when the lengths in the response count. */
  timed<R extends Received>(
    send: (http: Client<paths>, init: Sent) => Promise<R>,
    options: Attempts = {},
  ): Promise<Timed<NonNullable<R['data']>>> {
    const { signal, isRepeatable, idempotencyKey, waitMs = 0 } = options;
    const timeoutMs = waitMs + (options.timeoutMs ?? this.#options.timeoutMs ?? 30_000);
    const attemptMs = waitMs + Math.min(options.attemptMs ?? Infinity, this.#options.attemptTimeoutMs ?? 10_000);
    const headers: Record<string, string> = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    if (idempotencyKey !== undefined && !isHeader('idempotency-key', idempotencyKey)) {
      return Promise.reject(new TypeError('the idempotency key holds characters that no header may hold'));
    }
    let firstSentAt: number | undefined;
    return retrying({ signal, timeoutMs, attemptMs, isRepeatable }, async (signal) => {
      const sentAt = now();
      firstSentAt ??= sentAt;
      const { data, error, response } = await this.#connected((fetch) => send(this.#http, { signal, headers, fetch }));
      if (data === undefined || data === null) throw refusal(this.#redactedUrl, response, error);
      const isReplay = response.headers.get('idempotency-replayed') === 'true';
      return { answer: data, sentAt: isReplay ? firstSentAt : sentAt };
    });
  }

  /**
   * Opens a stream. Each call of the returned function reads the next piece; undefined after the last one.
   * @throws as `answer`
   */
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
      throw refusal(this.#redactedUrl, response, await response.json().catch(() => undefined));
    });
    return () => this.#connected(async () => (await reader.read()).value as Uint8Array | undefined, true);
  }

  /**
   * Makes errors of the connection out of errors after the request was sent. An error before that, such as a body that
   * JSON cannot express, is the caller's, and no retry helps.
   */
  async #connected<T>(work: (fetch: Sent['fetch']) => Promise<T>, isSent = false): Promise<T> {
    try {
      return await work((request) => {
        isSent = true;
        return (this.#options.fetch ?? globalThis.fetch)(request);
      });
    } catch (error) {
      if (!isSent || error instanceof TokenPoolError || error instanceof TokenPoolConnectionError) throw error;
      if (error instanceof SyntaxError) throw foreign(this.#redactedUrl, 200, error);
      const { reason, isPermanent } = failureOf(error);
      throw new TokenPoolConnectionError(`${this.#redactedUrl} cannot be reached: ${reason}`, {
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

/** Codes of errors that the next attempt would meet again: an invalid certificate, a server of another protocol. */
const PERMANENT = /^(CERT_|DEPTH_ZERO_|EPROTO$|ERR_INVALID_|ERR_SSL_|ERR_TLS_|HPE_|SELF_SIGNED_|UNABLE_TO_)/;

/**
 * Node's fetch puts the reason (such as ECONNREFUSED) into the cause; browsers hide it. If the cause has no code,
 * Node's fetch itself refuses: a port that it blocks, or a redirect to another protocol or in a circle.
 */
function failureOf(error: unknown): { readonly reason: string; readonly isPermanent: boolean } {
  const { message, cause } = error as { message?: string; cause?: { code?: string; message?: string } };
  const isRefusedByFetch = message === 'fetch failed' && cause?.message !== undefined && cause.code === undefined;
  const isPermanent = isRefusedByFetch || PERMANENT.test(cause?.code ?? '');
  return { reason: cause?.code ?? cause?.message ?? message ?? String(error), isPermanent };
}

// Yields a pool's events as they happen. When the stream breaks off, it resumes after the last event that it received.

import type { Pool, TokenEvent } from './api-types.js';
import type { CallOptions } from './call-options.js';
import type { Calls } from './calls.js';
import { EventStreamParser, type StreamMessage } from './event-stream-parser.js';
import { pause } from './pause.js';
import { pauseAfter } from './retrying.js';
import { TokenPoolConnectionError } from './token-pool-connection-error.js';
import { TokenPoolError } from './token-pool-error.js';

/** The service sends a heartbeat every 15 s. After two missing ones the connection counts as dead. */
const SILENCE_MS = 40_000;

export interface WatchRequest {
  /** The `seq` after which to begin; `latest` begins with the next event. Default: `latest`. */
  readonly after?: number | 'latest';
  /** Only events of this token. */
  readonly token_id?: string;
  /** Only events of this user's leases. */
  readonly user_id?: string;
}

export interface WatchOptions extends CallOptions {
  /** Called each time that the stream is open, and each time that it breaks off, with the error. */
  readonly onState?: (state: 'connected' | 'reconnecting', error?: unknown) => void;
  /**
   * Called when the service does not know the position, because its database was restored or replaced. The events so
   * far belong to another history. The next ones are those of the present history, from its beginning.
   */
  readonly onOtherHistory?: (error: TokenPoolError) => void;
}

/**
 * @param pool reads the pool once, at the beginning: it tells the position of `latest`, and fails if the pool or the
 *   service does not exist
 * @throws what `pool` throws; TokenPoolError if the service refuses the stream; the signal's reason
 */
export async function* watch(
  calls: Calls,
  pool: (options: CallOptions) => Promise<Pool>,
  { after = 'latest', token_id, user_id }: WatchRequest,
  { signal, timeoutMs, onState, onOtherHistory }: WatchOptions,
): AsyncGenerator<TokenEvent, void, void> {
  const { name, last_seq } = await pool({ signal, timeoutMs });
  let position = after === 'latest' ? last_seq : after;
  for (let failures = 0; ; failures++) {
    let error: unknown;
    try {
      const query = { after: String(position), token_id, user_id };
      for await (const { id, data } of messages(calls, name, query, signal, () => onState?.('connected'))) {
        failures = 0;
        const seq = Number(id);
        if (!(seq > position)) continue;
        position = seq;
        if (data !== null) yield JSON.parse(data) as TokenEvent;
      }
      error = new TokenPoolConnectionError('the service ended the stream: it is stopping, or the reader was too slow');
    } catch (caught) {
      error = caught;
    }
    signal?.throwIfAborted();
    const beginning = beginningOfAnother(error);
    if (beginning !== undefined && beginning < position) {
      position = beginning;
      onOtherHistory?.(error as TokenPoolError);
      continue;
    }
    const ms = pauseAfter(error, failures);
    if (ms === null) throw error;
    onState?.('reconnecting', error);
    await pause(ms, signal);
  }
}

/** The seq after which the events of another history begin, if the error shows that there is one. */
const beginningOfAnother = (error: unknown): number | undefined =>
  TokenPoolError.is(error, 'position_unknown') ? (error.problem.begins_after ?? 0) : undefined;

/** The messages of one connection, until that ends. */
async function* messages(
  calls: Calls,
  pool: string,
  query: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal | undefined,
  onOpen: () => void,
): AsyncGenerator<StreamMessage, void, void> {
  const connection = new AbortController();
  const follow = (): void => connection.abort(signal?.reason);
  signal?.addEventListener('abort', follow);
  const unlessSilent = <T>(work: Promise<T>): Promise<T> => {
    const silence = new TokenPoolConnectionError(`nothing was heard of the stream for ${SILENCE_MS} ms`);
    const timer = setTimeout(() => connection.abort(silence), SILENCE_MS);
    return work.finally(() => clearTimeout(timer));
  };
  const parser = new EventStreamParser();
  const decoder = new TextDecoder();
  try {
    signal?.throwIfAborted();
    const path = `/api/pools/${encodeURIComponent(pool)}/events/stream`;
    const read = await unlessSilent(calls.open(path, query, connection.signal));
    onOpen();
    for (;;) {
      const bytes = await unlessSilent(read());
      if (bytes === undefined) return;
      yield* parser.push(decoder.decode(bytes, { stream: true }));
    }
  } finally {
    signal?.removeEventListener('abort', follow);
    connection.abort();
  }
}

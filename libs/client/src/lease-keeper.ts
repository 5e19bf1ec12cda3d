// Keeps one lease: it renews the lease, or checks on it if the pool allows no renewals, and aborts a signal before the
// lease ends. Its clock includes the time for which the machine was suspended, and each length that the service grants
// counts from the sending of the request.

import type { EndReason, Grant, Pool, TokenDetails, TokenUse } from './api-types.js';
import type { CallOptions } from './call-options.js';
import type { Calls, Timed } from './calls.js';
import { now } from './clock.js';
import { RELEASE_TIMEOUT_MS, keepAlive, release } from './lease-calls.js';
import { endOf, isEviction, LeaseLostError, type LeaseEnd } from './lease-lost-error.js';
import { limited, LONGEST_TIMER_MS } from './limited.js';
import { CHECK_MS, pause } from './pause.js';
import { TokenPoolError } from './token-pool-error.js';

/** How long the keeper may delay the report of a loss to ask the service how the lease ended. */
const QUERY_TIMEOUT_MS = 2000;

const DEFAULT_MARGIN = 0.05;
const MAX_DEFAULT_MARGIN_MS = 1000;

/** The least time for one attempt to renew, even for a short lease. */
const MIN_ATTEMPT_MS = 2000;

/** The codes with which the service reports that a lease has ended. */
const OVER = ['lease_ended', 'stale_lease', 'token_not_active', 'token_deleted', 'token_not_found'] as const;

export interface Lease extends Grant {
  /** The signal that the work gets, for work that takes it from here. */
  readonly signal: AbortSignal;
  /** Milliseconds until `signal` aborts unless a renewal succeeds; 0 after the loss of the lease. */
  readonly remainingMs: number;
}

/** The queries about a lease. */
export interface LeaseSource {
  pool(options: CallOptions): Promise<Pool>;
  token(tokenId: string, options: CallOptions): Promise<TokenDetails>;
  /** The uses of a token, newest first. */
  history(tokenId: string, options: CallOptions): AsyncIterable<TokenUse>;
}

interface KeeperOptions {
  readonly ttlSeconds?: number;
  readonly marginMs?: number;
  /** The caller's signal, which aborts the lease's signal, too. */
  readonly signal?: AbortSignal;
}

export class LeaseKeeper {
  readonly lease: Lease;

  readonly #grant: Omit<Grant, 'secret'>;
  readonly #keeping = new AbortController();
  readonly #kept: Promise<void>;
  #loss: LeaseLostError | undefined;
  #isRenewable: boolean | undefined;
  #expiresAt = '';
  /** When the signal aborts, by the clock of `now`. */
  #abortsAt = 0;
  #intervalMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The error of the last attempt to renew, if that failed. */
  #lastError: unknown;

  constructor(
    private readonly calls: Calls,
    private readonly source: LeaseSource,
    { answer: grant, sentAt }: Timed<Grant>,
    private readonly options: KeeperOptions,
    /** Stops the work. Leases of the same work share it, so that the work stops when one of them is lost. */
    private readonly work = new AbortController(),
  ) {
    const { secret: _, ...withoutSecret } = grant;
    this.#grant = withoutSecret;
    // The getters follow the renewals.
    const expiresAt = (): string => this.#expiresAt;
    const remainingMs = (): number => (this.#loss ? 0 : Math.max(0, this.#abortsAt - now()));
    this.lease = {
      ...grant,
      signal: this.work.signal,
      get expires_at() {
        return expiresAt();
      },
      get remainingMs() {
        return remainingMs();
      },
    };
    if (options.signal?.aborted) this.#follow();
    options.signal?.addEventListener('abort', this.#follow);
    this.#noteEnd(sentAt, grant.activated_at, grant.expires_at);
    this.#kept = this.#keep(this.#keeping.signal);
  }

  /** Aborts with a LeaseLostError before the lease ends, or with the reason of the caller's signal. */
  get signal(): AbortSignal {
    return this.work.signal;
  }

  /**
   * Stops renewing, releases the lease and returns its loss, if any. Never throws: a lease that cannot be released
   * expires. It returns a loss by time at once, and releases the rest of the lease in the background, because the
   * service may be unreachable.
   */
  async end(): Promise<LeaseLostError | undefined> {
    clearTimeout(this.#timer);
    this.options.signal?.removeEventListener('abort', this.#follow);
    this.#keeping.abort();
    await this.#kept;
    const loss = this.#loss;
    const released = limited(loss?.endReason ? QUERY_TIMEOUT_MS : RELEASE_TIMEOUT_MS, undefined, (signal) =>
      this.#release(signal),
    ).catch(() => loss);
    return loss?.endReason === null ? loss : released;
  }

  readonly #follow = (): void => this.work.abort(this.options.signal?.reason);

  /** Notes the lease's new end. `from` and `to` are instants of the service; `sentAt` is when the request was sent. */
  #noteEnd(sentAt: number, from: string, to: string): void {
    // At the maximum lifetime, renewals no longer move the end.
    if (to === this.#expiresAt) return;
    this.#expiresAt = to;
    const lengthMs = Date.parse(to) - Date.parse(from);
    const marginMs = this.options.marginMs ?? Math.min(DEFAULT_MARGIN * lengthMs, MAX_DEFAULT_MARGIN_MS);
    this.#abortsAt = sentAt + lengthMs - Math.min(Math.max(marginMs, 0), lengthMs / 2);
    this.#intervalMs = Math.min(lengthMs, LONGEST_TIMER_MS) / 3;
    this.#checkClock();
  }

  #checkClock(): void {
    clearTimeout(this.#timer);
    const ms = this.#abortsAt - now();
    if (ms <= 0) this.#lose(null, this.#lastError);
    else this.#timer = setTimeout(() => this.#checkClock(), Math.min(ms, CHECK_MS));
  }

  #lose(end: LeaseEnd | null, cause: unknown): void {
    if (this.#keeping.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#loss = this.#lossBy(end, cause);
    this.#keeping.abort();
    this.work.abort(this.#loss);
  }

  #lossBy(end: LeaseEnd | null, cause: unknown): LeaseLostError {
    return new LeaseLostError({ ...this.#grant, expires_at: this.#expiresAt }, end, { cause });
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        // A third of the length, with some randomness, so that leases with the same start do not renew at the same
        // time.
        await pause(this.#intervalMs * (0.9 + 0.2 * Math.random()), signal);
        this.#isRenewable ??= (await this.source.pool(this.#inTime())).renewable;
        if (this.#isRenewable) await this.#renew();
        else await this.#check();
        this.#lastError = undefined;
      } catch (error) {
        if (signal.aborted) return;
        this.#lastError = error;
        // This refusal also shows that the lease still runs.
        if (TokenPoolError.is(error, 'not_renewable')) this.#isRenewable = false;
        else if (TokenPoolError.is(error, ...OVER)) this.#lose(endAccordingTo(error), error);
        // After any other error the keeper tries again, until the clock ends the lease.
      }
    }
  }

  async #renew(): Promise<void> {
    const { answer, sentAt } = await keepAlive(this.calls, this.lease, this.options.ttlSeconds, this.#inTime());
    this.#noteEnd(sentAt, answer.renewed_at, answer.expires_at);
  }

  /** Checks on a lease that cannot be renewed: another request may have evicted or released it. */
  async #check(): Promise<void> {
    const token = await this.source.token(this.lease.token_id, this.#inTime());
    if (token.fence !== this.lease.fence) this.#lose(await endOf(this.lease, token.history), undefined);
  }

  /** Limits a call to the rest of the lease, and each attempt to a part of that. */
  #inTime(): CallOptions & { readonly attemptMs: number } {
    const signal = this.#keeping.signal;
    return {
      signal,
      timeoutMs: this.#abortsAt - now(),
      attemptMs: Math.max(this.#intervalMs / 4, MIN_ATTEMPT_MS),
    };
  }

  async #release(signal: AbortSignal): Promise<LeaseLostError | undefined> {
    try {
      await release(this.calls, this.lease, { signal });
      return this.#loss;
    } catch (error) {
      if (!TokenPoolError.is(error, ...OVER)) return this.#loss;
      return this.#lossBy(await this.#endAfter(error, signal), this.#loss ?? error);
    }
  }

  async #endAfter(refusal: TokenPoolError, signal: AbortSignal): Promise<LeaseEnd | null> {
    const end = endAccordingTo(refusal);
    // Only the history names the next user.
    if (end?.ended_at && !isEviction(end.end_reason)) return end;
    return endOf(this.lease, this.source.history(this.lease.token_id, { signal })).catch(() => end);
  }
}

function endAccordingTo({ code, problem }: TokenPoolError): LeaseEnd | null {
  const { end_reason, ended_at = null } = problem;
  // A lease ends for one of its reasons; the others are of tickets.
  if (end_reason) return { end_reason: end_reason as EndReason, ended_at };
  return code === 'token_deleted' ? { end_reason: 'deleted_by_client', ended_at } : null;
}

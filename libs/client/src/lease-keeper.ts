// Keeps one lease: renews it, or looks after it where it cannot be renewed, and aborts its signal before it ends.
// Time is a clock that goes on while the machine is suspended, and each length that the service grants counts from when it was asked for.

import type { Grant, Pool, TokenDetails, TokenUse } from './api-types.js';
import type { CallOptions } from './call-options.js';
import type { Calls, Timed } from './calls.js';
import { now } from './clock.js';
import { FAREWELL_MS, keepAlive, release } from './lease-calls.js';
import { endOf, isEviction, LeaseLostError, type LeaseEnd } from './lease-lost-error.js';
import { limited, LONGEST_TIMER_MS } from './limited.js';
import { LOOK_MS, pause } from './pause.js';
import { TokenPoolError } from './token-pool-error.js';

/** How long a loss that the service told of may be kept back to ask how it came about, in milliseconds. */
const ENQUIRY_MS = 2000;

const DEFAULT_MARGIN = 0.05;
const MAX_DEFAULT_MARGIN_MS = 1000;

/** For one attempt to renew there is at least so much, in milliseconds, even of a short lease. */
const MIN_ATTEMPT_MS = 2000;

/** What the service says of a lease that is over. */
const OVER = ['lease_ended', 'stale_lease', 'token_not_active', 'token_deleted', 'token_not_found'] as const;

export interface Lease extends Grant {
  /** Until `signal` aborts unless the lease is renewed, in milliseconds; 0 when it is lost. */
  readonly remainingMs: number;
}

/** What is asked about a lease, beside renewing it. */
export interface LeaseSource {
  pool(options: CallOptions): Promise<Pool>;
  token(tokenId: string, options: CallOptions): Promise<TokenDetails>;
  /** Newest first. */
  history(tokenId: string, options: CallOptions): AsyncIterable<TokenUse>;
}

interface KeeperOptions {
  readonly ttlSeconds?: number;
  readonly marginMs?: number;
  /** Aborts the lease's signal, too. */
  readonly signal?: AbortSignal;
}

export class LeaseKeeper {
  readonly lease: Lease;

  readonly #work = new AbortController();
  readonly #keeping = new AbortController();
  readonly #kept: Promise<void>;
  #loss: LeaseLostError | undefined;
  #isRenewable: boolean | undefined;
  #expiresAt = '';
  /** When the signal aborts, by the clock of `now`. */
  #abortsAt = 0;
  #intervalMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Why the lease was not renewed the last time. */
  #trouble: unknown;

  constructor(
    private readonly calls: Calls,
    private readonly source: LeaseSource,
    { answer: grant, sentAt }: Timed<Grant>,
    private readonly options: KeeperOptions,
  ) {
    // Getters that follow the renewals.
    const expiresAt = (): string => this.#expiresAt;
    const remainingMs = (): number => (this.#loss ? 0 : Math.max(0, this.#abortsAt - now()));
    this.lease = {
      ...grant,
      get expires_at() {
        return expiresAt();
      },
      get remainingMs() {
        return remainingMs();
      },
    };
    if (options.signal?.aborted) this.#follow();
    options.signal?.addEventListener('abort', this.#follow);
    this.#lasts(sentAt, grant.activated_at, grant.expires_at);
    this.#kept = this.#keep(this.#keeping.signal);
  }

  /** Aborts in time before the lease ends, with a LeaseLostError; or with the caller's signal. */
  get signal(): AbortSignal {
    return this.#work.signal;
  }

  /**
   * Stops keeping and gives the lease back. Never throws: a lease that cannot be given back expires. A loss by time is
   * told at once, and what is left of the lease is given back meanwhile: the service may be away.
   */
  async end(): Promise<LeaseLostError | undefined> {
    clearTimeout(this.#timer);
    this.options.signal?.removeEventListener('abort', this.#follow);
    this.#keeping.abort();
    await this.#kept;
    const loss = this.#loss;
    const farewell = limited(loss?.endReason ? ENQUIRY_MS : FAREWELL_MS, undefined, (signal) =>
      this.#giveBack(signal),
    ).catch(() => loss);
    return loss?.endReason === null ? loss : farewell;
  }

  readonly #follow = (): void => this.#work.abort(this.options.signal?.reason);

  /** The lease is granted from one instant to another, and that was asked for at `sentAt`. */
  #lasts(sentAt: number, from: string, to: string): void {
    // At the maximum lifetime renewals do not move the end any more.
    if (to === this.#expiresAt) return;
    this.#expiresAt = to;
    const lengthMs = Date.parse(to) - Date.parse(from);
    const marginMs = this.options.marginMs ?? Math.min(DEFAULT_MARGIN * lengthMs, MAX_DEFAULT_MARGIN_MS);
    this.#abortsAt = sentAt + lengthMs - Math.min(Math.max(marginMs, 0), lengthMs / 2);
    this.#intervalMs = Math.min(lengthMs, LONGEST_TIMER_MS) / 3;
    this.#watchTheClock();
  }

  #watchTheClock(): void {
    clearTimeout(this.#timer);
    const ms = this.#abortsAt - now();
    if (ms <= 0) this.#lose(null, this.#trouble);
    else this.#timer = setTimeout(() => this.#watchTheClock(), Math.min(ms, LOOK_MS));
  }

  #lose(end: LeaseEnd | null, cause: unknown): void {
    if (this.#keeping.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#loss = new LeaseLostError(this.lease, end, { cause });
    this.#keeping.abort();
    this.#work.abort(this.#loss);
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        // A third of the time, more or less by chance, so that leases that were taken together are not renewed together.
        await pause(this.#intervalMs * (0.9 + 0.2 * Math.random()), signal);
        this.#isRenewable ??= (await this.source.pool(this.#inTime())).renewable;
        if (this.#isRenewable) await this.#renew();
        else await this.#look();
        this.#trouble = undefined;
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble = error;
        // Says that the lease is there, too.
        if (TokenPoolError.is(error, 'not_renewable')) this.#isRenewable = false;
        else if (TokenPoolError.is(error, ...OVER)) this.#lose(endAccordingTo(error), error);
        // Of all other troubles the next attempt knows more, or the clock ends them.
      }
    }
  }

  async #renew(): Promise<void> {
    const { answer, sentAt } = await keepAlive(this.calls, this.lease, this.options.ttlSeconds, this.#inTime());
    this.#lasts(sentAt, answer.renewed_at, answer.expires_at);
  }

  /** What cannot be renewed can still be evicted or released by others. */
  async #look(): Promise<void> {
    const token = await this.source.token(this.lease.token_id, this.#inTime());
    if (token.fence !== this.lease.fence) this.#lose(await endOf(this.lease, token.history), undefined);
  }

  /** Tries again while that can help: as long as the lease lasts, and without spending all of it on one attempt. */
  #inTime(): CallOptions & { readonly attemptMs: number } {
    const signal = this.#keeping.signal;
    return {
      signal,
      timeoutMs: this.#abortsAt - now(),
      attemptMs: Math.max(this.#intervalMs / 4, MIN_ATTEMPT_MS),
    };
  }

  async #giveBack(signal: AbortSignal): Promise<LeaseLostError | undefined> {
    try {
      await release(this.calls, this.lease, { signal });
      return this.#loss;
    } catch (error) {
      if (!TokenPoolError.is(error, ...OVER)) return this.#loss;
      return new LeaseLostError(this.lease, await this.#howItEnded(error, signal), { cause: this.#loss ?? error });
    }
  }

  async #howItEnded(refusal: TokenPoolError, signal: AbortSignal): Promise<LeaseEnd | null> {
    const end = endAccordingTo(refusal);
    // Who came next is in the history only.
    if (end?.ended_at && !isEviction(end.end_reason)) return end;
    return endOf(this.lease, this.source.history(this.lease.token_id, { signal })).catch(() => end);
  }
}

function endAccordingTo({ code, problem }: TokenPoolError): LeaseEnd | null {
  const { end_reason, ended_at = null } = problem;
  if (end_reason) return { end_reason, ended_at };
  return code === 'token_deleted' ? { end_reason: 'deleted_by_client', ended_at } : null;
}

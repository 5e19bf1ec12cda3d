// The history of a run: one JSON line for everything that was asked, broken, and found at the end. It is all that the
// checker reads, so a run can be checked again. Times are nanoseconds of the monotonic clock since the run began.

import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { About } from '../harness/about.js';
import type { OwnedEvent, PoolView, RestoreView, TokenView } from '@app/tokens';

export interface PoolSetting {
  readonly name: string;
  readonly kind: 'fixed' | 'elastic';
  readonly size: number;
  readonly ttl_seconds: number;
  readonly idle_ttl_seconds: number | null;
  readonly on_exhausted: 'evict_oldest' | 'reject';
  /** Left out: as in a pool that lets everybody hold what he gets, and evicts the oldest lease. */
  readonly max_per_user?: number;
  readonly max_per_key?: number;
  readonly protect_seconds?: number;
  readonly evict?: 'oldest' | 'over_share_first';
}

export type Auth = 'open' | 'keys';

export interface Run {
  readonly kind: 'run';
  readonly seed: number;
  readonly seconds: number;
  readonly processes: number;
  readonly clients: number;
  /** Whether a key is asked for. */
  readonly auth: Auth;
  /** Whether every process writes down who did what: the release before did not. */
  readonly saysWho: boolean;
  readonly nemeses: readonly string[];
  /** Nemeses that were asked for and cannot be had here, each with the reason. */
  readonly skipped: readonly string[];
  /** By which clocks were moved; null: they were not. */
  readonly clock: string | null;
  readonly about: About;
  readonly postgres: string;
  readonly pools: readonly PoolSetting[];
  /** Microseconds since the Unix epoch at 0 of this history. */
  readonly wallAtZero: number;
}

export type Call =
  /** `short`: by the pool's short route, whose answer holds the token alone. */
  | { readonly do: 'allocate'; readonly user: string | null; readonly ttl?: number; readonly short?: boolean }
  /** `of` is the operation that was granted the lease; null: whatever lease the token has. */
  | {
      readonly do: 'release';
      readonly token: string;
      readonly of: string | null;
      readonly by: Readonly<Record<string, unknown>>;
      readonly short?: boolean;
    }
  | {
      readonly do: 'keep-alive';
      readonly token: string;
      readonly of: string;
      readonly by: Readonly<Record<string, unknown>>;
      readonly short?: boolean;
    }
  | { readonly do: 'generate'; readonly short?: boolean }
  | { readonly do: 'delete'; readonly token: string; readonly force: boolean; readonly short?: boolean }
  | { readonly do: 'cleanup' }
  | { readonly do: 'pool' }
  | { readonly do: 'active' }
  | { readonly do: 'feed'; readonly after: number }
  /** Of no pool. */
  | { readonly do: 'revoke'; readonly key: string };

export interface Operation {
  readonly kind: 'operation';
  /** Also that of the request: events name it. */
  readonly id: string;
  /** The id of the API key that was shown; left out: none was. */
  readonly by?: string;
  /** The idempotency key, which is the same for each time that it was sent. */
  readonly key?: string;
  readonly process: number;
  readonly pool: string;
  readonly call: Call;
  readonly sent: number;
  readonly answered: number;
  /** null: no answer came. */
  readonly status: number | null;
  /** The error code of the answer, or what became of the connection. */
  readonly error?: string;
  readonly detail?: string;
  readonly retryAfter?: string;
  readonly answer?: Readonly<Record<string, unknown>>;
}

/** An API key that somebody in the run has. */
export interface KeyHolder {
  readonly kind: 'key';
  readonly id: string;
  readonly mayOperate: boolean;
}

export interface Fault {
  readonly kind: 'fault';
  readonly name: string;
  readonly detail: string;
  readonly begun: number;
  readonly healed: number;
  /** The processes it was done to, or whose way to the database was bad. */
  readonly hit: readonly number[];
  /** Those that must answer afterwards without being started again. */
  readonly survivors: readonly number[];
  /** What went wrong with the doing, such as an exit code that should be 0. */
  readonly complaints: readonly string[];
}

/** How long after a fault a process took to serve a pool again. */
export interface Recovery {
  readonly kind: 'recovery';
  readonly after: string;
  readonly process: number;
  readonly pool: string;
  readonly ns: number;
  readonly isBack: boolean;
}

export interface TokenRow {
  readonly id: string;
  readonly user_id: string | null;
  readonly fence: number | null;
  readonly expires_at: string | null;
}

/** A pool after the run, when nobody works on it: its counters, tokens as shown, and tokens as stored. */
export interface FinalState {
  readonly kind: 'state';
  readonly pool: PoolView;
  readonly tokens: readonly TokenView[];
  readonly rows: readonly TokenRow[];
  /** The gaps of its feed. */
  readonly restores?: readonly RestoreView[];
}

export interface FeedEvent {
  readonly kind: 'event';
  readonly event: OwnedEvent;
}

export interface End {
  readonly kind: 'end';
  readonly at: number;
  /** Microseconds since the Unix epoch at `at`: shows whether somebody set the machine's clock meanwhile. */
  readonly wall: number;
}

export type Line = Run | KeyHolder | Operation | Fault | Recovery | FinalState | FeedEvent | End;

/** Microseconds since the Unix epoch. */
export const wallNow = (): number => Math.round((performance.timeOrigin + performance.now()) * 1000);

export class HistoryWriter {
  readonly #out: WriteStream;
  readonly #zero = process.hrtime.bigint();

  constructor(readonly file: string) {
    this.#out = createWriteStream(file);
  }

  now(): number {
    return Number(process.hrtime.bigint() - this.#zero);
  }

  write(line: Line): void {
    this.#out.write(`${JSON.stringify(line)}\n`);
  }

  async close(): Promise<void> {
    this.#out.end();
    await once(this.#out, 'close');
  }
}

export interface PoolHistory {
  readonly setting: PoolSetting;
  readonly events: OwnedEvent[];
  readonly operations: Operation[];
  state: FinalState | null;
}

export interface History {
  readonly run: Run;
  readonly keys: readonly KeyHolder[];
  readonly operations: readonly Operation[];
  readonly faults: readonly Fault[];
  readonly recoveries: readonly Recovery[];
  readonly pools: readonly PoolHistory[];
  /** null when the run was cut off. */
  readonly end: End | null;
}

/** @throws Error when the file is not the history of a run */
export async function readHistory(file: string): Promise<History> {
  const keys: KeyHolder[] = [];
  const operations: Operation[] = [];
  const faults: Fault[] = [];
  const recoveries: Recovery[] = [];
  const pools = new Map<string, PoolHistory>();
  let run: Run | null = null;
  let end: End | null = null;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const line = JSON.parse(text) as Line;
    switch (line.kind) {
      case 'run':
        run = line;
        for (const setting of line.pools) pools.set(setting.name, { setting, events: [], operations: [], state: null });
        break;
      case 'key':
        keys.push(line);
        break;
      case 'operation':
        operations.push(line);
        pools.get(line.pool)?.operations.push(line);
        break;
      case 'fault':
        faults.push(line);
        break;
      case 'recovery':
        recoveries.push(line);
        break;
      case 'event':
        pools.get(line.event.pool)?.events.push(line.event);
        break;
      case 'state': {
        const pool = pools.get(line.pool.name);
        if (pool) pool.state = line;
        break;
      }
      case 'end':
        end = line;
        break;
    }
  }
  if (run === null) throw new Error(`${file} is not the history of a run: it has no line of kind "run"`);
  return { run, keys, operations, faults, recoveries, pools: [...pools.values()], end };
}

// The history of a run: a JSON line for each operation, each fault, and the final state. The checker reads nothing
// else, so it can check a run again. Times are nanoseconds of the monotonic clock since the start of the run.

import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { About } from '../harness/about.js';
import type { OwnedEvent, PoolView, RestoreView, TokenView } from '@app/tokens';

export interface PoolSetting {
  readonly name: string;
  readonly kind: 'fixed' | 'elastic' | 'listed';
  readonly size: number;
  readonly ttl_seconds: number;
  readonly idle_ttl_seconds: number | null;
  readonly on_exhausted: 'evict_oldest' | 'reject';
  /** Without these fields the pool has no quotas and evicts the oldest lease. */
  readonly max_per_user?: number;
  readonly max_per_key?: number;
  readonly protect_seconds?: number;
  readonly evict?: 'oldest' | 'over_share_first';
  /** In the pool with a line. */
  readonly claim_seconds?: number;
  /** In the pool whose tokens are cleaned. */
  readonly cooldown_seconds?: number;
  readonly clean_within_seconds?: number;
  readonly max_cleans?: number;
}

export type Auth = 'open' | 'keys';

export interface Run {
  readonly kind: 'run';
  readonly seed: number;
  readonly seconds: number;
  readonly processes: number;
  readonly clients: number;
  /** Whether requests need a key. */
  readonly auth: Auth;
  /** Whether every process records actors; 0.1.0 does not. */
  readonly saysWho: boolean;
  readonly nemeses: readonly string[];
  /** Chosen nemeses that cannot run here, each with the reason. */
  readonly skipped: readonly string[];
  /** How the run moved clocks; null when it did not. */
  readonly clock: string | null;
  readonly about: About;
  readonly postgres: string;
  readonly pools: readonly PoolSetting[];
  /** The pool in whose line callers wait. */
  readonly line?: PoolSetting;
  /** The pool whose tokens are cleaned between two users. */
  readonly cleaned?: PoolSetting;
  /** Microseconds since the Unix epoch at 0 of this history. */
  readonly wallAtZero: number;
}

/** What a client puts into a listed pool. Its secret follows from its name. */
export interface GivenThing {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
}

export const secretOf = (name: string): { readonly pin: string } => ({ pin: `chaos-secret-${name}` });

export type Call =
  /** `short` stands for the pool's short route, whose answer holds only the token. */
  | {
      readonly do: 'allocate';
      readonly user: string | null;
      readonly ttl?: number;
      readonly short?: boolean;
      /** In a listed pool: the thing of this name, or one with these attributes. */
      readonly name?: string;
      readonly select?: Readonly<Record<string, string>>;
    }
  /** `of` is the operation that got the lease; null stands for the current lease of the token. */
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
  | {
      readonly do: 'delete';
      readonly token: string;
      readonly force: boolean;
      readonly short?: boolean;
      readonly whenFree?: boolean;
    }
  | { readonly do: 'import'; readonly things: readonly GivenThing[]; readonly deletesMissing: boolean }
  | { readonly do: 'describe'; readonly token: string; readonly attributes: GivenThing['attributes'] }
  | { readonly do: 'policy'; readonly change: Readonly<Record<string, number>> }
  | { readonly do: 'cleanup' }
  | { readonly do: 'pool' }
  | { readonly do: 'active' }
  | { readonly do: 'feed'; readonly after: number }
  /** Concerns no pool. */
  | { readonly do: 'revoke'; readonly key: string };

export interface Operation {
  readonly kind: 'operation';
  /** Also the id of the request, which events name. */
  readonly id: string;
  /** The id of the API key; absent without a key. */
  readonly by?: string;
  /** The idempotency key, the same for each attempt. */
  readonly key?: string;
  readonly process: number;
  readonly pool: string;
  readonly call: Call;
  readonly sent: number;
  readonly answered: number;
  /** null without an answer */
  readonly status: number | null;
  /** The error code of the answer or of the connection. */
  readonly error?: string;
  readonly detail?: string;
  readonly retryAfter?: string;
  readonly answer?: Readonly<Record<string, unknown>>;
}

/** A wait in line, from the first request to the end. */
export interface Wait {
  readonly kind: 'wait';
  /** Also the id of the request that asked first. */
  readonly id: string;
  readonly count: number;
  /** Absent when the caller was granted its tokens at once, or never learnt of a place. */
  readonly ticket?: string;
  readonly sent: number;
  readonly answered: number;
  /** `ended`: the ticket was over when it was claimed. `lost`: the service did not know it. */
  readonly outcome: 'granted' | 'left' | 'walked away' | 'ended' | 'lost' | 'refused' | 'unknown';
  /** Of the leases that were granted. */
  readonly fences?: readonly number[];
  /** The code of the refusal, or how the ticket ended. */
  readonly error?: string;
}

/** A lease of the pool whose tokens are cleaned: of a user, or of a janitor. */
export interface Visit {
  readonly kind: 'visit';
  readonly as: 'user' | 'janitor';
  readonly token: string;
  readonly fence: number;
  readonly sent: number;
  /** When its last request was answered. */
  readonly answered: number;
  /** What was reported of the token; absent when the user walked away, or the janitor was killed. */
  readonly condition?: 'ok' | 'dirty' | 'broken';
  /** Whether the release was answered as done or as refused; null without a clear answer. */
  readonly released?: boolean | null;
}

/** An API key of the run. */
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
  /** Numbers of the processes that were hit, or whose connections to the database were. */
  readonly hit: readonly number[];
  /** Numbers of the processes that must answer afterwards without a restart. */
  readonly survivors: readonly number[];
  /** What went wrong during the fault, such as an exit code that should be 0. */
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

/** A pool after the load: its counters, tokens as shown, and tokens as stored. */
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
  /** Microseconds since the Unix epoch at `at`; shows whether the machine's clock was set during the run. */
  readonly wall: number;
}

export type Line = Run | KeyHolder | Operation | Wait | Visit | Fault | Recovery | FinalState | FeedEvent | End;

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
  readonly line: PoolHistory | null;
  readonly waits: readonly Wait[];
  readonly cleaned: PoolHistory | null;
  readonly visits: readonly Visit[];
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
  const waits: Wait[] = [];
  const visits: Visit[] = [];
  let run: Run | null = null;
  let end: End | null = null;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const line = JSON.parse(text) as Line;
    switch (line.kind) {
      case 'run':
        run = line;
        for (const setting of [...line.pools, line.line, line.cleaned])
          if (setting) pools.set(setting.name, { setting, events: [], operations: [], state: null });
        break;
      case 'key':
        keys.push(line);
        break;
      case 'operation':
        operations.push(line);
        pools.get(line.pool)?.operations.push(line);
        break;
      case 'wait':
        waits.push(line);
        break;
      case 'visit':
        visits.push(line);
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
  const line = (run.line && pools.get(run.line.name)) ?? null;
  const cleaned = (run.cleaned && pools.get(run.cleaned.name)) ?? null;
  const others = [...pools.values()].filter((pool) => pool !== line && pool !== cleaned);
  return { run, keys, operations, faults, recoveries, pools: others, line, waits, cleaned, visits, end };
}

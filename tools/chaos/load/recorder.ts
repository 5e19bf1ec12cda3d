// Sends a call to a process, and records the call and its outcome with the instants before and after.

import { secretOf, type Call, type HistoryWriter, type Operation } from '../history.js';
import { ask, type Request } from '../../harness/ask.js';
import { WITHOUT_KEY, type Caller } from './caller.js';

/** A process to which the recorder sends calls. */
export interface Target {
  readonly number: number;
  readonly port: number;
}

/** Clients avoid a process with this many stuck requests. */
const STUCK = 3;
const STUCK_NS = 400e6;
/** How long clients avoid a port that refused a connection. */
const REFUSED_NS = 300e6;

const READS: ReadonlySet<Call['do']> = new Set(['pool', 'active', 'feed']);

export class Recorder {
  #made = 0;
  #unknown = 0;
  /** The send times of the open requests of each process. */
  readonly #underWay = new Map<number, Set<number>>();
  /** The last refused connection of each process. */
  readonly #refused = new Map<number, number>();

  /** @param caller the caller of calls that name none */
  constructor(
    private readonly history: HistoryWriter,
    private readonly caller: Caller = WITHOUT_KEY,
  ) {}

  get made(): number {
    return this.#made;
  }

  get unknown(): number {
    return this.#unknown;
  }

  /** Whether a process seems to serve: it listens, and few requests have waited for it for long. */
  isLively(process: number): boolean {
    const now = this.history.now();
    if (now - (this.#refused.get(process) ?? -Infinity) < REFUSED_NS) return false;
    let stuck = 0;
    for (const sent of this.#underWay.get(process) ?? []) if (now - sent > STUCK_NS) stuck++;
    return stuck < STUCK;
  }

  /** @param key the idempotency key, the same for each attempt */
  async perform(
    target: Target,
    id: string,
    pool: string,
    call: Call,
    { key, patienceMs, by = this.caller }: Circumstances = {},
  ): Promise<Operation> {
    const again = key === undefined ? undefined : { 'idempotency-key': key };
    const headers = { 'x-request-id': id, ...by.headers, ...again };
    const request = { ...requestOf(key ?? id, pool, call), headers };
    const underWay = this.#underWay.get(target.number) ?? new Set();
    this.#underWay.set(target.number, underWay);
    const sent = this.history.now();
    underWay.add(sent);
    const reply = await ask(target.port, request, patienceMs);
    const answered = this.history.now();
    underWay.delete(sent);
    if (reply.error === 'ECONNREFUSED') this.#refused.set(target.number, answered);
    const { status, retryAfter } = reply;
    const isSuccess = status !== null && status < 300 && reply.error === undefined;
    const operation: Operation = {
      kind: 'operation',
      id,
      ...(by.key === null ? {} : { by: by.key }),
      ...(key === undefined ? {} : { key }),
      process: target.number,
      pool,
      call,
      sent,
      answered,
      status,
      ...(isSuccess ? { answer: trimmed(call, reply.body) } : troubleOf(reply.error, reply.body)),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    };
    this.#made++;
    if (!READS.has(call.do) && isUnknown(operation)) this.#unknown++;
    this.history.write(operation);
    return operation;
  }
}

interface Circumstances {
  readonly key?: string;
  readonly patienceMs?: number;
  readonly by?: Caller;
}

/** Whether the answer leaves open if the request changed anything. */
export function isUnknown({ status, error, detail, answer }: Operation): boolean {
  if (status === null) return error !== 'ECONNREFUSED';
  if (status < 300) return answer === undefined;
  return status === 500 || (status === 503 && /unknown/.test(detail ?? ''));
}

export const isOk = ({ status, answer }: Operation): boolean => status !== null && status < 300 && answer !== undefined;

/** Whether the request changed nothing: the answer says so, or the request was never sent. */
export const isRefused = (operation: Operation): boolean => !isOk(operation) && !isUnknown(operation);

function requestOf(id: string, pool: string, call: Call): Request {
  switch (call.do) {
    case 'allocate':
      return call.short
        ? { method: 'POST', path: '/assign-token', body: { client_id: id } }
        : {
            method: 'POST',
            path: '/api/tokens/allocate',
            body: {
              ...{ pool, user_id: call.user, ttl_seconds: call.ttl, metadata: { operation: id } },
              ...{ name: call.name, select: call.select },
            },
          };
    case 'release':
      return call.short
        ? { method: 'POST', path: '/unblock-token', body: { token: call.token } }
        : { method: 'POST', path: `/api/tokens/${call.token}/release`, body: call.by };
    case 'keep-alive':
      return call.short
        ? { method: 'POST', path: '/keep-alive', body: { token: call.token, ...call.by } }
        : { method: 'POST', path: `/api/tokens/${call.token}/keep-alive`, body: call.by };
    case 'generate':
      return call.short
        ? { method: 'POST', path: '/generate-token' }
        : { method: 'POST', path: '/api/tokens', body: { pool } };
    case 'delete':
      return call.short
        ? { method: 'POST', path: '/delete-token', body: { token: call.token } }
        : { method: 'DELETE', path: `/api/tokens/${call.token}${queryOf(call)}` };
    case 'import':
      return {
        method: 'PUT',
        path: `/api/pools/${pool}/tokens`,
        body: {
          tokens: call.things.map((thing) => ({ ...thing, secret: secretOf(thing.name) })),
          missing: call.deletesMissing ? 'delete_when_free' : 'keep',
        },
      };
    case 'describe':
      return { method: 'PATCH', path: `/api/tokens/${call.token}`, body: { attributes: call.attributes } };
    case 'policy':
      return { method: 'PATCH', path: `/api/pools/${pool}`, body: call.change };
    case 'cleanup':
      return { method: 'POST', path: '/api/tokens/cleanup', body: { pool } };
    case 'pool':
      return { method: 'GET', path: `/api/pools/${pool}` };
    case 'active':
      return { method: 'GET', path: `/api/tokens/active?pool=${pool}` };
    case 'feed':
      return { method: 'GET', path: `/api/pools/${pool}/events?limit=1000&after=${call.after}` };
    case 'revoke':
      return { method: 'DELETE', path: `/api/keys/${call.key}` };
  }
}

const queryOf = ({ force, whenFree = false }: Extract<Call, { do: 'delete' }>): string =>
  whenFree ? '?when=when_free' : force ? '?force=true' : '';

/** Keeps only the fields that the checker reads, since histories are long. */
function trimmed(call: Call, body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (call.do === 'pool') return { counts: body['counts'], last_seq: body['last_seq'] };
  if (call.do === 'active') {
    const tokens = body['tokens'] as { id: string; active_user_id: string; fence: number; expires_at: string }[];
    return {
      tokens: tokens.map(({ id, active_user_id, fence, expires_at }) => ({ id, active_user_id, fence, expires_at })),
    };
  }
  if (call.do === 'feed') {
    const events = body['events'] as {
      seq: number;
      id: string;
      actor?: string | null;
      user_id: string | null;
      metadata: unknown;
    }[];
    const isShown = ({ actor = '', user_id }: (typeof events)[number]): boolean => actor !== null || user_id !== null;
    const shown = events.filter(isShown).map(({ seq }) => seq);
    return {
      seqs: events.map(({ seq }) => seq),
      shown,
      last_id: events.at(-1)?.id ?? null,
      bytes: JSON.stringify(events.map(({ metadata }) => metadata)).length,
      last_seq: body['last_seq'],
    };
  }
  return { ...body };
}

const troubleOf = (error: string | undefined, body: Readonly<Record<string, unknown>>): Partial<Operation> => ({
  error: error ?? String(body['error']),
  ...(typeof body['detail'] === 'string' ? { detail: body['detail'] } : {}),
  // The checker also compares how and when a lease ended.
  ...(body['error'] === 'lease_ended'
    ? { answer: { end_reason: body['end_reason'], ended_at: body['ended_at'] } }
    : {}),
});

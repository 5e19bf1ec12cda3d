// What happens in every scenario, told by what the generated client answered.

/** @param pool a name that no pool has yet */
export type Scenario = (url: string, pool: string) => Promise<Story>;

export interface Story {
  /** Of a field that may be null, in the answer and in the question. */
  readonly maxLifetimeSeconds: number | null;
  /** Whether asking twice with one idempotency key gave one lease. */
  readonly isOneLease: boolean;
  readonly evictedUser: string | undefined;
  /** The fences of the first page of active tokens. */
  readonly activeFences: readonly (number | null)[];
  /** Of the token, newest first, with their reasons. */
  readonly events: readonly string[];
  /** When a lease was released that was over: the code, and how it had ended. */
  readonly refusal: string;
  readonly isReleased: boolean;
  readonly total: number;
  /** How many things an import has added to a listed pool. */
  readonly added: number;
  /** The name of the thing that was selected, and what the pool knows of it. */
  readonly selected: { readonly name: string | null; readonly attributes: unknown };
  /** The position of a place in the line, and the fence of the lease when its turn had come. */
  readonly place: number | null;
  readonly fenceInTurn: number;
  /** The kind of the first event of the stream. */
  readonly streamed: string | undefined;
}

export const USER = '7d2f7a54-5b1c-4d0e-9c3a-1f2e3d4c5b6a';
export const KEY = 'as-often-as-you-like';

export const THINGS: { name: string; attributes: Record<string, string | number | boolean> }[] = [
  { name: 'Wien', attributes: { country: 'at', lines: 2 } },
  { name: 'Berlin', attributes: { country: 'de', lines: 2, sms: true } },
];
export const SELECT = { country: ['de', 'fr'], lines: 2, roaming: null };

export const EXPECTED: Story = {
  maxLifetimeSeconds: null,
  isOneLease: true,
  evictedUser: USER,
  activeFences: [2],
  events: ['activated allocated_after_eviction', 'released lru_eviction', 'activated allocated'],
  refusal: 'lease_ended lru_eviction',
  isReleased: true,
  total: 2,
  added: 2,
  selected: THINGS[1]!,
  place: 1,
  fenceInTurn: 2,
  streamed: 'generated',
};

/** Of a stream of server-sent events that a client gives as it is. */
export async function firstEventOf(stream: ReadableStream<Uint8Array> | null | undefined): Promise<string> {
  if (!stream) throw new Error('there is no stream');
  const decoder = new TextDecoder();
  let text = '';
  // Ending the loop ends the stream.
  for await (const bytes of stream as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(bytes, { stream: true });
    const data = /^data: (.*)\n/m.exec(text)?.[1];
    if (data !== undefined) return (JSON.parse(data) as { event: string }).event;
  }
  throw new Error(`the stream ended: ${text}`);
}

/** The policy of a pool with a line. */
export const LINE = { size: 1, on_exhausted: 'reject', max_waiting: 5 } as const;

/** The place of a caller whose turn has not come (202). */
export function waiting<T extends object>(answer: T | undefined): Extract<T, { queued_at: string }> {
  if (!answer || !('queued_at' in answer)) throw new Error('not waiting');
  return answer as Extract<T, { queued_at: string }>;
}

/** The grant of an allocation that does not wait, so that its answer is never a ticket (202). */
export function granted<T extends object>(answer: T | undefined): Extract<T, { token_id: string }> {
  if (!answer || !('token_id' in answer)) throw new Error('not granted');
  return answer as Extract<T, { token_id: string }>;
}
